"""One build of a site at a time."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hyperweb.build._errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_build(state: Path, out: Path) -> Iterator[None]:
    """Waits until no other process builds the site, and lets none begin: they would write over each other's files.

    Args:
        state: The site's folder of incremental state.
        out: The folder it is built into.

    Raises:
        BuildError: A folder cannot be written to, or another site is being built into it.
    """
    try:
        file = (state / "lock").open("wb")
    except OSError as error:
        raise BuildError(f"cannot be written: {error.strerror}", file=state, hint="check its permissions") from None
    with file:
        # Closing the file, also by dying, gives the lock back.
        fcntl.flock(file, fcntl.LOCK_EX)
        folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _claim(folder, out)
            yield
        finally:
            os.close(folder)


def _claim(folder: int, out: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BuildError(
            "another site is being built into this folder",
            file=out,
            hint="give each site a folder of its own: `build.out` in its site.toml, or --out",
        ) from None
    except OSError:
        # Some file systems cannot lock a folder; the lock of the site itself still stands.
        return
