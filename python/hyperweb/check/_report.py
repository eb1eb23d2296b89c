"""What a check found in a site."""

from __future__ import annotations

import msgspec

from hyperweb.check._finding import Finding


class CheckReport(msgspec.Struct, kw_only=True):
    """What a check found.

    Attributes:
        site: The site's folder.
        pages: Pages that were looked at.
        links: References that were followed.
        external: Links to other sites that were asked for.
        unasked: Links to other sites that were not, because there are more than `check.external_limit`.
        errors: How many of the findings are errors.
        warnings: How many are warnings.
        findings: What was found, by file and line.
        milliseconds: How long it took.
    """

    site: str
    pages: int = 0
    links: int = 0
    external: int = 0
    unasked: int = 0
    errors: int = 0
    warnings: int = 0
    findings: list[Finding] = []
    milliseconds: int = 0

    def failed(self, *, strict: bool) -> bool:
        """Whether the site is not good enough; with `strict` a warning is enough for that."""
        return bool(self.errors or (strict and self.warnings))

    def text(self) -> str:
        """Returns the report for a person to read."""
        parts = [one.text() for one in self.findings]
        found = f"{_count(self.errors, 'error')}, {_count(self.warnings, 'warning')}"
        looked = f"{_count(self.pages, 'page')} and {_count(self.links, 'link')}"
        if self.external:
            looked += f", {self.external} of them to other sites"
        if self.unasked:
            looked += f" ({self.unasked} more were not asked for: see check.external_limit)"
        parts.append(f"{self.site}: {found} in {looked} ({self.milliseconds} ms)")
        return "\n".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
