"""Stylesheets that Tailwind's own program makes, where a site asks for it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from hyperweb.site._errors import SiteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperweb.config import Settings

_SEEN = ("content/", "templates/", "pages/", "assets/", "data/")
_SECONDS = 120


class Tailwind:
    """Runs the program, once for each state of what it looks at.

    Args:
        root: The site's folder.
        state: Where what it made is kept.
        settings: The site's settings.
    """

    def __init__(self, root: Path, state: Path, settings: Settings) -> None:
        self._root = root
        self._state = state / "tailwind"
        self.looked_at: list[str] = []
        self.sheets = settings.css.tailwind
        self._program = settings.css.tailwind_program

    def make(self, name: str, files: Mapping[str, str]) -> str:
        """Returns what becomes of a stylesheet of assets/, given the site's files (path → hash).

        Raises:
            SiteError: The program is not there, or says that something is wrong.
        """
        file = self._root / "assets" / name
        shown = f"{self._root.name}/assets/{name}"
        program = self._find(shown)
        self.looked_at = [program, *map(str, self._configs())]
        digest = hashlib.blake2b(f"{name}\0{program}\0".encode(), digest_size=16)
        digest.update(repr(Path(program).stat().st_mtime_ns).encode())
        for path in sorted(files):
            if path.startswith(_SEEN) or path.endswith(".py"):
                digest.update(f"{path}\0{files[path]}\0".encode())
        for config in self._configs():
            digest.update(config.read_bytes())
        stem = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
        kept = self._state / f"{stem}.{digest.hexdigest()}"
        if kept.is_file():
            return kept.read_text(encoding="utf-8")
        self._state.mkdir(parents=True, exist_ok=True)
        aside = self._state / f"{stem}.{os.getpid()}.css"
        command = [program, "--input", str(file), "--output", str(aside), "--cwd", str(self._root)]
        if b"@tailwind " in file.read_bytes():
            # The third version knows no `--cwd`.
            del command[-2:]
        try:
            done = subprocess.run(  # noqa: S603 - the program the site names
                command, cwd=self._root, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise SiteError(
                f"Tailwind takes longer than {_SECONDS} seconds", file=shown, hint="try it by hand"
            ) from None
        except OSError as error:
            raise SiteError(
                f"{program} cannot be run: {error.strerror}", file=shown, hint="look at its permissions"
            ) from None
        if done.returncode != 0 or not aside.is_file():
            said = (done.stderr or done.stdout).strip().splitlines()
            raise SiteError(
                f"Tailwind says: {' '.join(said[:6]) or 'nothing'}", file=shown, hint="look at the stylesheet"
            )
        for old in self._state.glob(f"{stem}.*"):
            if old != aside:
                old.unlink(missing_ok=True)
        aside.replace(kept)
        return kept.read_text(encoding="utf-8")

    def _configs(self) -> list[Path]:
        return sorted(self._root.glob("tailwind.config.*"))

    def _find(self, shown: str) -> str:
        own = self._root / "node_modules" / ".bin" / self._program
        found = str(own) if own.is_file() else shutil.which(self._program)
        if found is None:
            raise SiteError(
                f"Tailwind's program `{self._program}` is not there",
                file=shown,
                hint="get the standalone program of tailwindcss, or `npm install @tailwindcss/cli tailwindcss`; "
                "`css.tailwind_program` says where it is",
            )
        return found
