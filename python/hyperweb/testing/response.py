"""A response, as a test looks at it."""

from __future__ import annotations

from typing import Any

import msgspec


class TestResponse:
    """A response that has come whole.

    Attributes:
        status: The status code.
        headers: The header lines in order, names in lower case.
        content: The body.
    """

    __test__ = False

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    def header(self, name: str, default: str = "") -> str:
        """Returns the values of a header, joined by commas."""
        values = self.all(name)
        return ", ".join(values) if values else default

    def all(self, name: str) -> list[str]:
        """Returns every value of a header, in order."""
        return [value for have, value in self.headers if have == name.lower()]

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.content.decode()

    def json(self) -> Any:
        """Returns the body decoded from JSON."""
        return msgspec.json.decode(self.content)

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the class of successes

    def __repr__(self) -> str:
        return f"TestResponse({self.status}, {self.content[:80]!r})"
