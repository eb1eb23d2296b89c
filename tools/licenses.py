"""`python -m tools.licenses`: writes THIRD_PARTY_LICENSES.md, the licences of the Rust crates linked into the wheel.

Cargo says which crates those are and under what terms (an SPDX expression); their texts are in the crates themselves.
Equal texts are printed once, with the crates they cover.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "THIRD_PARTY_LICENSES.md"
BINDINGS = "hyperweb-python"
NAMES = re.compile(r"(un)?licen[sc]e|copying|copyright|notice", re.IGNORECASE)
# A vendored C library has its licence in a folder of its own.
DEPTH = 2

HEAD = """\
# Licences of what is bundled

hyperweb's own code is under the MIT licence or the Apache License 2.0, at your choice. The Rust module in the wheel is
linked with the crates below, unchanged, under their own terms; the source of each is in the Rust package registry under
its name and version. Made by `make licenses`.
"""

BARE = """
## Without a text of their own

These packages name their terms but hold no text of them. MIT's is below.

"""


class LicenseError(Exception):
    """A crate's terms cannot be told."""


@dataclass(frozen=True, slots=True)
class Crate:
    """A crate that is linked in, its terms, and their texts."""

    name: str
    version: str
    expression: str
    authors: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


def metadata() -> dict[str, Any]:
    """Returns what cargo knows of the workspace on this platform.

    Raises:
        LicenseError: cargo failed; says with what.
    """
    target = f"{platform.machine()}-unknown-linux-gnu"
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LicenseError(f"cargo metadata failed: {done.stderr.strip()}")
    known: dict[str, Any] = json.loads(done.stdout)
    return known


def linked(known: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the packages whose code ends up in the module: not those that only build, test or expand macros."""
    packages = {package["id"]: package for package in known["packages"]}
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    queue = [package["id"] for package in known["packages"] if package["name"] == BINDINGS]
    seen: set[str] = set()
    while queue:
        at = queue.pop()
        if at in seen or is_macro(packages[at]):
            continue
        seen.add(at)
        queue += [
            dependency["pkg"]
            for dependency in nodes[at]["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        ]
    ours = set(known["workspace_members"])
    return sorted((packages[at] for at in seen - ours), key=lambda package: (package["name"], package["version"]))


def is_macro(package: dict[str, Any]) -> bool:
    """Tells whether a package is a procedural macro, which runs in the compiler alone."""
    return any("proc-macro" in target["kind"] for target in package["targets"])


def crate(package: dict[str, Any]) -> Crate:
    """Reads the terms of one package.

    Raises:
        LicenseError: It names none and holds no licence file.
    """
    folder = Path(package["manifest_path"]).parent
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if len(path.relative_to(folder).parts) <= DEPTH and NAMES.match(path.name) and is_text(path)
    ]
    expression = package["license"] or ""
    if not expression and not files:
        raise LicenseError(f"{package['name']} {package['version']} says nothing of its licence")
    # Where we may choose, MIT's terms are the shortest.
    if " OR " in expression.replace("/", " OR ") and "MIT" in expression:
        files = [path for path in files if "MIT" in path.name.upper()] or files
    texts = dict.fromkeys(path.read_text(encoding="utf-8", errors="replace").strip() for path in files)
    authors = tuple(author.split(" <")[0] for author in package["authors"]) or (f"the {package['name']} authors",)
    kept = tuple(filter(None, texts))
    return Crate(package["name"], package["version"], expression or "see its text", authors, kept)


def is_text(path: Path) -> bool:
    """Tells whether a file is one of text rather than code that checks licences."""
    return path.is_file() and path.suffix.lower() in {"", ".md", ".txt", ".apache", ".mit", ".apache-2", ".bsd"}


def document(crates: list[Crate]) -> str:
    """Returns the whole document: a table of the crates, then every text once."""
    parts = [HEAD, "| crate | version | licence (SPDX) |\n| --- | --- | --- |\n"]
    parts += [f"| {one.name} | {one.version} | {one.expression} |\n" for one in crates]
    covered: dict[str, tuple[str, list[str]]] = {}
    for one in crates:
        for text in one.texts:
            covered.setdefault(" ".join(text.split()).lower(), (text, []))[1].append(one.label)
    for text, labels in covered.values():
        fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
        parts.append(f"\n## {', '.join(labels)}\n\n{fence}text\n{text}\n{fence}\n")
    if bare := [one for one in crates if not one.texts]:
        terms = (ROOT / "LICENSE-MIT").read_text(encoding="utf-8").partition("\nPermission")
        parts += [
            BARE,
            *(f"- {one.label}, copyright {', '.join(one.authors)}: {terms_of(one, crates)}\n" for one in bare),
        ]
        parts.append(f"\n```text\n{''.join(terms[1:]).strip()}\n```\n")
    return "".join(parts)


def terms_of(bare: Crate, crates: list[Crate]) -> str:
    """Returns where the terms of a crate without a text are printed.

    Raises:
        LicenseError: Nowhere.
    """
    if "MIT" in bare.expression:
        return "MIT"
    for one in crates:
        if one.expression == bare.expression and one.texts:
            return f"{bare.expression}, as printed for {one.label}"
    raise LicenseError(f"{bare.label} holds no text of its licence, {bare.expression}, and neither does another")


def main() -> int:
    """Writes the document and returns the exit code."""
    try:
        crates = [crate(package) for package in linked(metadata())]
        text = document(crates)
    except LicenseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    OUT.write_text(text, encoding="utf-8")
    print(f"{OUT.name}: {len(crates)} crates, {len(text.encode()) / 1024:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
