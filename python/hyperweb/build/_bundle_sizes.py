"""What bundles are made of: how many bytes each module has in each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hyperweb.build._sizes import FileSize
    from hyperweb.site._bundle import Output

_PACKAGES = "node_modules/"


class ModuleSize(msgspec.Struct, kw_only=True):
    """What a module has in a bundle.

    Attributes:
        file: The module: a file of the site, or a whole path where it is of a package elsewhere.
        package: The package it is of, or an empty string where it is the site's own.
        bytes: Bytes it has in the bundle before that is minified, without what of it nothing uses.
    """

    file: str
    package: str
    bytes: int


class BundleSize(msgspec.Struct, kw_only=True):
    """A script or stylesheet that was put together.

    Attributes:
        path: Its URL path.
        identity: Bytes as it is sent without compression.
        best: Bytes in the smallest coding.
        modules: What it is made of, the largest first.
    """

    path: str
    identity: int
    best: int
    modules: list[ModuleSize]


def bundle_sizes(files: Sequence[FileSize], outputs: Iterable[Output]) -> list[BundleSize]:
    """Returns what each bundle of a site is made of, the largest bundle first.

    Args:
        files: The size of every response.
        outputs: What came of bundling.
    """
    by_path = {file.path: file for file in files}
    found = []
    for output in outputs:
        file = by_path.get(output.url)
        if file is None or not output.modules:
            continue
        modules = [ModuleSize(file=name, package=package_of(name), bytes=size) for name, size in output.modules]
        modules.sort(key=lambda one: (-one.bytes, one.file))
        found.append(BundleSize(path=file.path, identity=file.identity, best=file.best, modules=modules))
    return sorted(found, key=lambda one: (-one.best, one.path))


def package_of(file: str) -> str:
    """Returns the package that a file is of, or an empty string: `node_modules/@a/b/c.js` is of `@a/b`."""
    _, there, inside = f"/{file}".rpartition(f"/{_PACKAGES}")
    if not there:
        return ""
    parts = inside.split("/")
    return "/".join(parts[: 2 if inside.startswith("@") else 1])
