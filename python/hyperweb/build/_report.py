"""What a build did."""

from __future__ import annotations

import msgspec

from hyperweb.build._explain import Explanation
from hyperweb.build._sizes import Sizes, bytes_in_words


class BuildReport(msgspec.Struct, kw_only=True):
    """What a build did, for a person and, as JSON, for a program.

    Attributes:
        site: The site's folder.
        unchanged: Whether nothing had changed and nothing was done.
        pages: Pages of the site.
        assets: Assets, copied files and redirects of the site.
        rendered: Pages rendered in this build.
        reused: Responses taken over from the last build.
        source_bytes: Bytes of all bodies before compression.
        pack_bytes: The size of site.pack.
        files_written: Files of public/ that were written.
        files_removed: Files of public/ that were removed.
        warnings: What should be mended, but does not stop the build.
        milliseconds: How long it took.
        explained: What was asked for with `explain`.
        sizes: How large what was built is, where that was asked for with `sizes`.
        page: The file of the report as a page, where that was asked for with `page`.
    """

    site: str
    unchanged: bool = False
    pages: int = 0
    assets: int = 0
    rendered: int = 0
    reused: int = 0
    source_bytes: int = 0
    pack_bytes: int = 0
    files_written: int = 0
    files_removed: int = 0
    warnings: list[str] = []
    milliseconds: int = 0
    explained: Explanation | None = None
    sizes: Sizes | None = None
    page: str | None = None

    def text(self) -> str:
        """Returns the report in a line or two."""
        if self.unchanged:
            return f"{self.site}: nothing changed ({self.milliseconds} ms)"
        weighs = f"{bytes_in_words(self.source_bytes)} packed into {bytes_in_words(self.pack_bytes)}"
        return (
            f"{self.site}: {self.pages} pages and {self.assets} files, {self.rendered} rendered, {self.reused} kept, "
            f"{weighs} ({self.milliseconds} ms)"
        )
