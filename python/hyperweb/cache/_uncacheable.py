"""What a function says whose value is for one asker alone."""

from __future__ import annotations

from typing import Any

from hyperweb.cache._units import seconds


class Uncacheable(Exception):
    """Raised by a function that makes a value, in place of returning it, where the value must not be kept.

    Who asked is given the value. Whoever waits for it is let go at once and calls the function, and so does who asks
    within `mark` after it: none waits for another.

    Args:
        value: The value.
        mark: For how long nobody waits for another: seconds, or like `"10s"`; counted in whole seconds.

    Attributes:
        value: The value.
        seconds: For how long nobody waits, in seconds.

    Raises:
        CacheError: `mark` is no length of time.
    """

    def __init__(self, value: Any, mark: str | float = 1) -> None:
        super().__init__(value)
        self.value = value
        self.seconds = seconds(mark) or 0.0
