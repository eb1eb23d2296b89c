"""What every test may use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# Debian keeps servers where an ordinary user's PATH does not look, and tools/need.sh what it builds.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", str(_CACHE / "hyperweb" / "bin")]
)


def require_program(name: str) -> Path:
    """Returns the path of a system program, or skips the test, naming what it lacks.

    With `HYPERWEB_REQUIRE_PROGRAMS=1`, as in continuous integration, a missing program is a failure: there a skip
    would hide that the test never ran.
    """
    found = shutil.which(name, path=SEARCH_PATH)
    if found is not None:
        return Path(found)
    reason = f"needs {name}, which is not on this machine: tools/need.sh {name}"
    if os.environ.get("HYPERWEB_REQUIRE_PROGRAMS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
