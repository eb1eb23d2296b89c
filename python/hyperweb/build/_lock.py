"""One build of a site at a time."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hyperweb.build._errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_build(state: Path) -> Iterator[None]:
    """Waits until no other process builds the site, and lets none begin: they would write over each other's files.

    Args:
        state: The site's folder of incremental state.

    Raises:
        BuildError: The folder cannot be written to.
    """
    try:
        file = (state / "lock").open("wb")
    except OSError as error:
        raise BuildError(f"cannot be written: {error.strerror}", file=state, hint="check its permissions") from None
    with file:
        # Closing the file, also by dying, gives the lock back.
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
