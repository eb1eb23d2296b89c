"""Where the references of pages lead."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from hyperweb.build._links import route_expression
from hyperweb.check._fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hyperweb.check._pages import CheckedPage, Reference
    from hyperweb.site._node import Node

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LOADED = frozenset({"image", "style", "script"})
_NAMES = {"image": "picture", "style": "stylesheet", "script": "script", "form": "form's target", "link": "link"}
# The nearest of all paths is looked for so many times: in a large site it takes a while.
_SUGGESTED = 20
# A redirect to a redirect is followed so far.
_LONGEST = 8


class Target(NamedTuple):
    """Where a URL leads: a path of this site and a fragment, another site's URL, or neither (`mailto:`)."""

    path: str = ""
    fragment: str = ""
    external: str = ""


class Links:
    """All links of a site.

    Args:
        nodes: The responses of the site by URL path.
        patterns: The route patterns of what Python answers.
        pages: The pages that were looked at.
        base_url: Where the site is published.
        ignore: Links that are not followed; a star stands for anything.

    Attributes:
        external: The links to other sites, with the page and index of the first that has each.
        followed: How many references were followed.
        leads: For each page the pages it links to.
    """

    def __init__(
        self,
        nodes: Mapping[str, Node],
        patterns: Sequence[str],
        pages: Mapping[str, CheckedPage],
        *,
        base_url: str,
        ignore: Sequence[str],
    ) -> None:
        self._nodes = nodes
        self._routes = [re.compile(route_expression(pattern)) for pattern in patterns]
        self._pages = pages
        self._base = base_url.rstrip("/")
        globs = "|".join(".*".join(re.escape(part) for part in one.split("*")) for one in ignore)
        self._ignored = re.compile(globs) if globs else None
        self._targets: dict[str, Target | None] = {}
        self._answers: dict[str, str | None] = {}
        self._suggested = 0
        self.external: dict[str, list[tuple[str, int]]] = {}
        self.followed = 0
        self.leads: dict[str, set[str]] = {}

    def faults(self) -> Iterator[Fault]:
        """Yields what is wrong with the references of all pages."""
        for url, page in self._pages.items():
            self.leads[url] = set()
            for index, reference in enumerate(page.references):
                if self._ignored is not None and self._ignored.fullmatch(reference.url):
                    continue
                target = self._target(reference.url, page)
                if target is None:
                    yield self._fault("dead-link", f"`{reference.url}` is no URL", "check it", url, index)
                    continue
                if target.external:
                    self._other_site(target.external, reference.kind, url, index)
                    if self._is_insecure(target.external, reference.kind):
                        message = (
                            f"`{reference.url}` comes over http: browsers refuse it in a page that came over https"
                        )
                        yield self._fault("insecure", message, "write https, or take it into assets/", url, index)
                elif target.path:
                    self.followed += 1
                    yield from self._inside(target, reference, url, index)

    def _inside(self, target: Target, reference: Reference, page: str, index: int) -> Iterator[Fault]:
        written, kind = reference.url, reference.kind
        found = self._answer(target.path)
        if found is None:
            what = _NAMES.get(kind, "file")
            message = (
                f"the {what} `{written}` leads nowhere" if kind == "link" else f"the {what} `{written}` is not there"
            )
            yield self._fault("dead-link", message, self._hint(target.path), page, index)
            return
        if kind != "link":
            return
        if found != target.path and not any(route.fullmatch(target.path) for route in self._routes):
            hint = f"link to `{found}`" if found else "link to where it leads now"
            yield self._fault("moved-link", f"the link `{written}` leads to a redirect", hint, page, index)
        self.leads[page].add(found)
        there = self._pages.get(found)
        fragment = target.fragment.partition(":~:")[0]
        if there is None or not fragment or fragment.lower() == "top":
            return
        if fragment not in there.facts.anchors and unquote(fragment) not in there.facts.anchors:
            hint = _nearest_anchor(unquote(fragment), there)
            message = f"the link `{written}` leads to a part that {found} does not have"
            yield self._fault("dead-anchor", message, hint, page, index)

    def _fault(self, rule: str, message: str, hint: str, page: str, index: int) -> Fault:
        return Fault(rule, message, hint, page, "references", index)

    def _target(self, written: str, page: CheckedPage) -> Target | None:
        """Returns where a URL leads, or None where it is none."""
        if written.startswith("/") and page.facts.base is None:
            if written not in self._targets:
                self._targets[written] = self._resolved(written, "/")
            return self._targets[written]
        if _SCHEME.match(written) and not written.lower().startswith(("http:", "https:")):
            return Target()
        return self._resolved(written, urljoin(page.node.url, page.facts.base or ""))

    def _resolved(self, written: str, base: str) -> Target | None:
        try:
            url = urljoin(base, written)
            if self._base and (url + "/").startswith(f"{self._base}/"):
                url = url.removeprefix(self._base) or "/"
            parts = urlsplit(url)
            if parts.netloc or parts.scheme:
                scheme = parts.scheme or "https"
                return Target(external=parts._replace(scheme=scheme, fragment="").geturl()) if parts.hostname else None
        except ValueError:
            return None
        return Target(path=unquote(parts.path) or "/", fragment=parts.fragment)

    def _answer(self, path: str) -> str | None:
        """Returns the path that is answered in the end when `path` is asked for, or None where nothing is."""
        if path not in self._answers:
            self._answers[path] = self._find(path)
        return self._answers[path]

    def _find(self, path: str) -> str | None:
        for _ in range(_LONGEST):
            node = self._nodes.get(path)
            if node is None or node.kind != "alias":
                break
            if _SCHEME.match(node.target):
                return ""
            path = unquote(node.target.partition("#")[0].partition("?")[0])
        if path in self._nodes or any(route.fullmatch(path) for route in self._routes):
            return path
        if f"{path}/" in self._nodes:
            return f"{path}/"
        # What a plain host serves as a folder's index, the edge leads to the folder.
        folder = path.removesuffix("index.html")
        return folder if folder != path and folder in self._nodes else None

    def _other_site(self, url: str, kind: str, page: str, index: int) -> None:
        if kind != "form":
            self.external.setdefault(url, []).append((page, index))

    def _is_insecure(self, url: str, kind: str) -> bool:
        return kind in _LOADED and self._base.startswith("https:") and url.startswith("http:")

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {path.lower(): path for path in self._nodes}

    def _hint(self, path: str) -> str:
        for other in (path.lower(), f"{path.lower()}/"):
            if other in self._folded:
                return f"did you mean `{self._folded[other]}`? Capitals count"
        self._suggested += 1
        if self._suggested <= _SUGGESTED:
            import difflib

            near = difflib.get_close_matches(path, self._nodes, n=1, cutoff=0.75)
            if near:
                return f"did you mean `{near[0]}`?"
        return "no page, file or route has this path"


def _nearest_anchor(fragment: str, page: CheckedPage) -> str:
    import difflib

    near = difflib.get_close_matches(fragment, page.facts.anchors, n=1, cutoff=0.6)
    return f"did you mean `#{near[0]}`?" if near else "no element of that page has this id"
