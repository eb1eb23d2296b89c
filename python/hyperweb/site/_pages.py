"""Which responses a site's files stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from hyperweb import _core
from hyperweb.errors import source_frame
from hyperweb.site._errors import SiteError
from hyperweb.site._fence import fenced
from hyperweb.site._front_matter import FrontMatter, line_of_key, read_front_matter
from hyperweb.site._node import Node
from hyperweb.site._page import Page, PageBody, PageMeta
from hyperweb.site._site import Section
from hyperweb.site._toml import parse_toml
from hyperweb.site._urls import encoded, fill, page_url, parameters, pattern, slugify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hyperweb.config import SiteConfig
    from hyperweb.site._site import Site


def content_nodes(pages: Iterable[tuple[PageMeta, Page]], files: Mapping[str, str]) -> list[Node]:
    """Returns the responses of content/: its pages, their aliases, and the other files beside them."""
    nodes = []
    for meta, page in pages:
        nodes.append(
            Node(
                url=meta.url,
                kind="page",
                source=meta.path,
                page=page,
                template=meta.template,
                render=meta.render,
                ttl=meta.ttl,
            )
        )
        nodes += aliases(meta.aliases, meta.path, meta.url)
    for path in files:
        if path.startswith("content/") and not path.endswith(".md"):
            nodes.append(Node(url="/" + path.removeprefix("content/"), kind="file", source=path))
    return nodes


def aliases(paths: Iterable[str], source: str, url: str) -> list[Node]:
    """Returns the responses at old paths of what is at `url` now."""
    return [Node(url=unquote(old), kind="alias", source=source, target=encoded(url)) for old in paths]


def file_nodes(files: Mapping[str, str]) -> list[Node]:
    """Returns the responses of static/: each file as it is."""
    return [
        Node(url="/" + path.removeprefix("static/"), kind="file", source=path)
        for path in files
        if path.startswith("static/")
    ]


def page_file_nodes(
    config: SiteConfig, files: Mapping[str, str], site: Site, errors: list[SiteError], *, drafts: bool
) -> list[Node]:
    """Returns the responses of pages/: each file once, or once for each of what its front matter says."""
    nodes = []
    for path in files:
        if path.startswith("pages/"):
            try:
                nodes += _page_file(config, path, site, drafts=drafts)
            except SiteError as error:
                errors.append(error)
    return nodes


def _page_file(config: SiteConfig, path: str, site: Site, *, drafts: bool) -> list[Node]:
    inner = path.removeprefix("pages/")
    front, extra = _front_matter(config, path)
    if front.draft and not drafts:
        return []
    names = parameters(inner)
    if not names:
        url = page_url(inner)
        return [_node(path, url, front, extra, {}), *aliases(front.aliases, path, url)]
    if front.each is None and front.render != "static":
        return [_node(path, pattern(inner), front, extra, {})]
    if len(names) != 1 or front.each is None:
        raise SiteError(
            f"the page {path} has a parameter, but does not say what it is made for",
            file=f"{config.name}/{path}",
            line=1,
            hint='say `each = "tags"` in its front matter, or `render = "cached"` to make it on request',
        )
    name = names[0]
    if front.each == "tags":
        items: list[tuple[str, Any]] = [(tag.slug, tag) for tag in site.tags]
    else:
        sections = sorted({page.section for page in site.pages if page.section})
        items = [(slugify(one), Section(one, site)) for one in sections]
    return [_node(path, page_url(fill(inner, {name: slug})), front, extra, {name: item}) for slug, item in items]


def _node(path: str, url: str, front: FrontMatter, extra: dict[str, Any], variables: dict[str, Any]) -> Node:
    title = front.title or ""
    meta = PageMeta(
        path=path,
        url=url,
        title=title,
        date=front.date,
        updated=front.updated,
        tags=front.tags,
        description=front.description,
        template=path,
        draft=front.draft,
        order=front.order,
        render=front.render,
        extra=extra,
    )
    page = Page(meta, _no_body)
    return Node(
        url=url,
        kind="page",
        source=path,
        page=page,
        template=path,
        render=front.render,
        variables=variables,
        ttl=front.ttl,
    )


_NOT_IN_PAGES = {
    "slug": "a file of pages/ has its address by its name; rename it",
    "template": "a file of pages/ is its own template; let it extend another",
    "aliases": "a file with a parameter has many addresses; say it in `[aliases]` of site.toml",
}


def _no_body() -> PageBody:
    return PageBody("")


def _front_matter(config: SiteConfig, path: str) -> tuple[FrontMatter, dict[str, Any]]:
    shown = f"{config.name}/{path}"
    try:
        text = (config.root / path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SiteError("this is not UTF-8 text", file=shown, line=line, hint="save the file as UTF-8") from None
    except OSError as error:
        raise SiteError(f"cannot be read: {error.strerror}", file=shown, hint="check its permissions") from None
    try:
        front = fenced(text)
    except ValueError as error:
        hint = f"end it with a line of {error}"
        raise SiteError("the front matter is not closed", file=shown, line=1, hint=hint) from None
    if front is None:
        return FrontMatter(), {}
    # The fence's line in front keeps the lines of errors right.
    found = parse_toml("\n" + front.inner, shown, text) if front.fence == "+++" else _yaml(front.inner, shown, text)
    for key, why in _NOT_IN_PAGES.items():
        if key not in found or (key == "aliases" and not parameters(path)):
            continue
        at = line_of_key(text, key)
        frame = source_frame(text, at) if at else None
        reason, _, hint = why.rpartition("; ")
        message = f"front matter: `{key}` has no meaning here: {reason}"
        raise SiteError(message, file=shown, line=at, frame=frame, hint=hint)
    return read_front_matter(found, file=shown, text=text)


def _yaml(inner: str, shown: str, text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(_core.yaml_to_json("\n" + inner, shown))
    except _core.SourceError as error:
        frame = source_frame(text, error.line) if error.line else None
        message = f"front matter: {error.message}"
        raise SiteError(message, file=shown, line=error.line, frame=frame, hint=error.hint) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        hint = "write one name and its value a line, such as `title: Hello`"
        raise SiteError("front matter: this is no list of `name: value`", file=shown, line=2, hint=hint)
    return found
