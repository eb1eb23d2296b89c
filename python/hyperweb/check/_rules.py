"""The rules that a site is checked by."""

from __future__ import annotations

from typing import Literal

import msgspec


class Rule(msgspec.Struct, frozen=True):
    """One rule.

    Attributes:
        severity: An `error` is something that is broken for a reader; a `warning` is something that should be mended.
        meaning: What it finds.
    """

    severity: Literal["error", "warning"]
    meaning: str


RULES: dict[str, Rule] = {
    "dead-link": Rule("error", "A link, picture, script or other file of this site that is not there."),
    "dead-anchor": Rule("error", "A link to a part of a page that the page does not have."),
    "moved-link": Rule("warning", "A link that is answered with a redirect."),
    "external-link": Rule("error", "A link to another site that says it is not there (`--external`)."),
    "external-doubt": Rule("warning", "A link to another site that did not answer as it should (`--external`)."),
    "insecure": Rule("warning", "A picture, style or script over http in a site that is published over https."),
    "orphan": Rule("warning", "A page that cannot be reached by links from the front page."),
    "title": Rule("error", "A page without a title, or with two."),
    "duplicate-title": Rule("warning", "Two pages with one title."),
    "lang": Rule("error", "A page that does not say its language."),
    "charset": Rule("error", "A page that does not say its encoding."),
    "doctype": Rule("error", "A page without a document type."),
    "html": Rule(
        "error", "What a parser of the HTML Standard reports as an error: tags that are not closed, or misnested."
    ),
    "nesting": Rule("error", "An element that may not stand where it does."),
    "unknown-element": Rule("error", "An element that HTML does not have."),
    "obsolete": Rule("warning", "An element or attribute that HTML has no more."),
    "duplicate-id": Rule("error", "An id that stands on two elements of a page, or is none."),
    "dead-id": Rule("error", "A label, list or description by an id that no element of the page has."),
    "alt": Rule("error", "A picture without a text for those who do not see it."),
    "empty-link": Rule("warning", "A link or button that nothing says the purpose of."),
    "budget": Rule("error", "A page or file that is larger than `check.budgets` allows."),
}
"""All rules by name."""
