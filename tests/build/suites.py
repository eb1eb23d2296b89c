"""Public suites of tests for minifiers, got from package registries once and kept outside of the tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperweb"
# Strings of Go, raw and not, the second with its escapes.
_STRING = r'(?:`([^`]*)`|"((?:[^"\\\n]|\\.)*)")'


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not on this machine")
        pytest.skip(f"needs {name}")
    return found


def from_npm(name: str, version: str) -> Path:
    """Returns the folder of a package."""
    node, npm = _program("node"), _program("npm")
    folder = CACHE / f"{name}-{version}"
    found = folder / "node_modules" / name
    if not (found / "package.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run([*command, f"{name}@{version}"], check=True, stdout=subprocess.DEVNULL)
    assert node
    return found


def from_go(module: str, version: str) -> Path:
    """Returns the folder of a module."""
    command = [_program("go"), "mod", "download", "-json", f"{module}@{version}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=CACHE.parent)
    return Path(json.loads(done.stdout)["Dir"])


def pairs(path: Path, function: str) -> Iterator[tuple[str, str]]:
    """Yields the inputs and outputs of a table in a test written in Go: `{"input", "output"},` in a function."""
    text = path.read_text("utf-8")
    body = text[text.index(f"func {function}(") :]
    body = body[: body.index("\n}\n")]
    for found in re.finditer(rf"^\s*\{{{_STRING}, {_STRING}\}},", body, flags=re.MULTILINE):
        raw, quoted, raw_made, quoted_made = found.groups()
        yield _text(raw, quoted), _text(raw_made, quoted_made)


def _text(raw: str | None, quoted: str | None) -> str:
    if raw is not None:
        return raw
    # Go's escapes that stand in these tables are JSON's, but for those by two hexadecimal digits.
    text: str = json.loads('"' + re.sub(r"\\x([0-9a-fA-F]{2})", r"\\u00\1", quoted or "") + '"')
    return text
