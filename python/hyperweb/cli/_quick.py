"""A build that has nothing to do, found out before anything is loaded that a build needs.

After a build from the command line a note says what that was asked with and what it wrote. While all of this is as it
was, and no source changed, there is nothing to do; where there is any doubt, the whole command finds out.
"""

from __future__ import annotations

import os
import sys
import time

# What the typing module calls TYPE_CHECKING; importing that module would take longer than all of this one.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperweb.config import SiteConfig

_NOTE = "last"
# The command, and the site's folder.
_MOST = 2
# Variables that settings come from, and those that scripts see.
_VARIABLES = ("HYPERWEB_", "PUBLIC_")


def nothing_to_build(words: Sequence[str]) -> str | None:
    """Returns what is said of a build that has nothing to do, or None where that is not certain.

    Args:
        words: The words of the command line.
    """
    started = time.perf_counter()
    if words[:1] != ["build"] or len(words) > _MOST or words[-1].startswith("-"):
        return None
    if sys.stdout is None or sys.stdout.isatty():
        # There tables are shown, whether anything was done or not.
        return None
    root = os.path.realpath(words[1] if len(words) > 1 else ".")  # pathlib takes as long to load as all of this
    state = f"{root}/.hyperweb"
    try:
        with open(f"{state}/{_NOTE}", encoding="utf-8") as file:  # noqa: PTH123
            asked, out, wrote, packages, most = file.read().split("\0")
        if asked != _asked(root) or wrote != _wrote(out) or not _is_whole(out):
            return None
        if any(_stat(line.split(" ", 3)[3]) != line for line in packages.splitlines()):
            return None
        from hyperweb import _core

        if not _core.Sources(root, f"{state}/sources", max_file=int(most)).is_current():
            return None
    except (OSError, ValueError, ImportError):
        return None
    took = round((time.perf_counter() - started) * 1000)
    return f"{root.rpartition('/')[2]}: nothing changed ({took} ms)\n"


def note_build(config: SiteConfig, *, is_plain: bool) -> None:
    """Notes what a build was asked with and what it wrote; nothing, unless it was asked without any options.

    Args:
        config: The site.
        is_plain: Whether it was.
    """
    root, out = os.path.realpath(config.root), str(config.out)
    note = config.state / _NOTE
    try:
        if not is_plain or config.settings.build.plugins:
            # What the code of plugins depends on is not known here.
            note.unlink(missing_ok=True)
            return
        from hyperweb.site._packages import foreign_files

        packages = "\n".join(map(_stat, foreign_files(config.state)))
        said = "\0".join([_asked(root), out, _wrote(out), packages, str(config.settings.build.max_file)])
        aside = note.with_suffix(f".{os.getpid()}")
        aside.write_text(said, encoding="utf-8")
        aside.replace(note)
    except (OSError, ValueError):
        # Then the next build finds out for itself.
        return


def _asked(root: str) -> str:
    """Returns all that a build is asked with, but for the files: where, by which version, in which environment."""
    from hyperweb import __version__

    variables = sorted(f"{name}={value!r}" for name, value in os.environ.items() if name.startswith(_VARIABLES))
    return "\n".join([root, __version__, sys.version, *variables])


def _wrote(out: str) -> str:
    """Returns what tells that the pack is the one that was written.

    Raises:
        FileNotFoundError: There is none.
    """
    said = _stat(f"{out}/site.pack")
    if said.startswith("-1"):
        raise FileNotFoundError(out)
    return said


def _stat(file: str) -> str:
    """Returns a line that tells that a file was not touched, or that there still is none."""
    try:
        found = os.stat(file)  # noqa: PTH116
    except OSError:
        return f"-1 -1 -1 {file}"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino} {file}"


def _is_whole(out: str) -> bool:
    """Whether no build was stopped while it put files in place."""
    return os.path.isdir(f"{out}/public") and not os.path.lexists(f"{out}/.publishing")  # noqa: PTH112
