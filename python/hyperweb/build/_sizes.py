"""How large what was built is, by kind and coding, and what took longest to make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hyperweb.build._bundle_sizes import BundleSize, bundle_sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hyperweb import _core
    from hyperweb.site._bundle import Output

CODINGS = ("identity", "br", "gzip", "zstd")
# A screen holds about so many of a kind.
_SHOWN = 5
_KINDS = (
    ("pages", ("text/html",)),
    ("styles", ("text/css",)),
    ("scripts", ("text/javascript",)),
    ("pictures", ("image/",)),
    ("fonts", ("font/",)),
)


class KindSize(msgspec.Struct, kw_only=True):
    """The size of all responses of one kind.

    Attributes:
        kind: `pages`, `styles`, `scripts`, `pictures`, `fonts` or `other`.
        count: How many there are.
        source: Bytes before anything was minified.
        identity: Bytes as they are sent without compression.
        br: Bytes as they are sent with Brotli, where that is smaller.
        gzip: The same with gzip.
        zstd: The same with Zstandard.
    """

    kind: str
    count: int = 0
    source: int = 0
    identity: int = 0
    br: int = 0
    gzip: int = 0
    zstd: int = 0


class FileSize(msgspec.Struct, kw_only=True):
    """The size of one response.

    Attributes:
        path: Its URL path.
        kind: Which kind it is of.
        source: Bytes before it was minified.
        identity: Bytes as it is sent without compression.
        best: Bytes in the smallest coding.
        milliseconds: How long it took to make, the last time it was.
    """

    path: str
    kind: str
    source: int
    identity: int
    best: int
    milliseconds: float = 0.0


class BudgetUse(msgspec.Struct, kw_only=True):
    """How much of a budget for single responses is used; `hyperweb check` adds up what whole pages load.

    Attributes:
        budget: Its name in `check.budgets`: `html` or `file`.
        limit: Bytes it allows.
        largest: The path of the largest response it is about.
        bytes: How large that is in its smallest coding.
        over: How many are larger than it allows.
    """

    budget: str
    limit: int
    largest: str
    bytes: int
    over: int


class Made(msgspec.Struct, array_like=True):
    """What is remembered of how a response was made.

    Attributes:
        source: Bytes before it was minified.
        milliseconds: How long it took to render or transform.
    """

    source: int
    milliseconds: float


class Sizes(msgspec.Struct, kw_only=True):
    """The sizes of a built site.

    Attributes:
        kinds: By kind.
        largest: The largest responses, in their smallest coding.
        slowest: Those that took longest to make, the last time they were.
        budgets: What is used of the budgets for single responses.
        bundles: What scripts and stylesheets that were put together are made of.
    """

    kinds: list[KindSize] = []
    largest: list[FileSize] = []
    slowest: list[FileSize] = []
    budgets: list[BudgetUse] = []
    bundles: list[BundleSize] = []

    def text(self) -> str:
        """Returns tables for a person to read."""
        columns = ("source", *CODINGS)
        rows: list[Sequence[str]] = [("", "count", *columns)]
        rows += [
            (one.kind, f"{one.count:,}", *(bytes_in_words(getattr(one, name)) for name in columns))
            for one in self.kinds
        ]
        parts = [_table(rows)]
        slow = [one for one in self.slowest[:_SHOWN] if one.milliseconds]
        if slow:
            parts.append("slowest to make\n" + _table([(one.path, f"{one.milliseconds:.1f} ms") for one in slow]))
        large = [(one.path, bytes_in_words(one.best)) for one in self.largest[:_SHOWN]]
        parts.append("largest to send\n" + _table(large))
        if self.budgets:
            used = [
                (
                    one.budget,
                    bytes_in_words(one.limit),
                    f"{one.over} over",
                    f"{one.largest} {bytes_in_words(one.bytes)}",
                )
                for one in self.budgets
            ]
            parts.append("budgets\n" + _table(used))
        return "\n".join(parts)


def file_sizes(pack: _core.Pack, made: Mapping[str, Made]) -> list[FileSize]:
    """Returns the size of every response of a pack.

    Args:
        pack: The built site.
        made: What is remembered of how each was made.
    """
    found = []
    for path, media_type, sizes in pack.sizes():
        by_coding = dict(sizes)
        known = made.get(path)
        identity = by_coding.get("identity", 0)
        size = FileSize(
            path=path,
            kind=kind_of(media_type),
            source=known.source if known else identity,
            identity=identity,
            best=min(by_coding.values(), default=0),
            milliseconds=known.milliseconds if known else 0.0,
        )
        found.append(size)
    return found


def sizes_of(
    pack: _core.Pack, made: Mapping[str, Made], budgets: Mapping[str, int], outputs: Iterable[Output] = ()
) -> Sizes:
    """Returns the sizes of a built site.

    Args:
        pack: The built site.
        made: What is remembered of how each response was made.
        budgets: The most bytes, by name of the budget.
        outputs: What came of bundling.
    """
    kinds = {name: KindSize(kind=name) for name, _ in (*_KINDS, ("other", ()))}
    files = file_sizes(pack, made)
    for file, (_, _, sizes) in zip(files, pack.sizes(), strict=True):
        kind = kinds[file.kind]
        by_coding = dict(sizes)
        kind.count += 1
        kind.source += file.source
        kind.identity += file.identity
        # A coding that saves nothing is not made: then the plain bytes are sent.
        kind.br += by_coding.get("br", file.identity)
        kind.gzip += by_coding.get("gzip", file.identity)
        kind.zstd += by_coding.get("zstd", file.identity)
    most = _SHOWN * 4
    return Sizes(
        kinds=[kind for kind in kinds.values() if kind.count],
        largest=sorted(files, key=lambda one: (-one.best, one.path))[:most],
        slowest=sorted(files, key=lambda one: (-one.milliseconds, one.path))[:most],
        budgets=[use for name, limit in budgets.items() if (use := _use(name, limit, files)) is not None],
        bundles=bundle_sizes(files, outputs),
    )


def kind_of(media_type: str) -> str:
    """Returns which kind of response a media type is."""
    return next((kind for kind, begins in _KINDS if media_type.startswith(begins)), "other")


def _use(name: str, limit: int, files: Iterable[FileSize]) -> BudgetUse | None:
    if name not in {"html", "file"} or not limit:
        return None
    meant = [file for file in files if name == "file" or file.kind == "pages"]
    if not meant:
        return None
    largest = max(meant, key=lambda one: one.best)
    over = sum(file.best > limit for file in meant)
    return BudgetUse(budget=name, limit=limit, largest=largest.path, bytes=largest.best, over=over)


def bytes_in_words(count: float) -> str:
    """Returns a number of bytes for a person to read: `12.3 kB`."""
    step = 1000
    for unit in ("B", "kB", "MB"):
        if count < step:
            return f"{count:.3g} {unit}"
        count /= step
    return f"{count:.3g} GB"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *rest = (
            text.ljust(width) if not at else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  " + "  ".join([first, *rest]).rstrip())
    return "\n".join(lines)
