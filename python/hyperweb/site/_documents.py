"""The Markdown files of content/: read and parsed when they changed, their metadata kept between builds."""

from __future__ import annotations

import hashlib
import html as html_module
import posixpath
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from hyperweb import _core
from hyperweb.site._errors import SiteError
from hyperweb.site._front_matter import line_of_key, read_front_matter
from hyperweb.site._page import Heading, PageBody, PageMeta
from hyperweb.site._urls import content_url, slugify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path


# An image as the Markdown renderer writes it: its URL, text and title.
_IMAGE = re.compile(r'<img src="([^"]*)" alt="([^"]*)"(?: title="([^"]*)")? loading="lazy" decoding="async">')
# Parsed at a time, and parsed bodies that are held: they bound what a build of a large site holds in memory.
_BATCH = 1024
_MOST_BODIES = 2048


class Reference(msgspec.Struct, frozen=True):
    """A link or an image in a document, and the line it stands on."""

    url: str
    line: int


class Kept(msgspec.Struct):
    """What is kept of a document between builds: valid as long as the file's hash is the same.

    Attributes:
        hash: The hash of the file.
        meta: What is known of its page without its body.
        references: Its links and images.
        page: The hash of its body, before its references are led anywhere.
        summary: The hash of its summary.
        toc: The hash of its headings.
    """

    hash: str
    meta: PageMeta
    references: tuple[Reference, ...]
    page: bytes
    summary: bytes
    toc: bytes


class Documents:
    """All documents of a site.

    Args:
        root: The site's folder.
        kept: What an earlier build kept, by path.
        threads: Threads that parse.
        max_file: The largest file that is read, in bytes.
        marked: Whether what stands in a body says which line it comes from.
    """

    def __init__(self, root: Path, kept: dict[str, Kept], *, threads: int, max_file: int, marked: bool = False) -> None:
        self._root = root
        self._threads = threads
        self._max_file = max_file
        self._marked = marked
        self.kept = kept
        self._parsed: dict[str, _core.Document] = {}

    def update(self, files: Mapping[str, str]) -> list[SiteError]:
        """Reads what changed among `files` (path → hash) and forgets what is gone. Returns what is wrong with them."""
        for path in [path for path in self.kept if path not in files]:
            del self.kept[path]
            self._parsed.pop(path, None)
        changed = [path for path, found in files.items() if path not in self.kept or self.kept[path].hash != found]
        errors = []
        for path in changed:
            self.kept.pop(path, None)
            self._parsed.pop(path, None)
        for path, document in self._parse_some(changed):
            try:
                if isinstance(document, SiteError):
                    raise document
                meta, references = _meta(path, document, self._root)
            except SiteError as error:
                errors.append(error)
                continue
            if len(self._parsed) < _MOST_BODIES:
                self._parsed[path] = document
            self.kept[path] = Kept(
                files[path],
                meta,
                references,
                page=_hash(document.html.encode()),
                summary=_hash(document.summary.encode()),
                toc=_hash(msgspec.msgpack.encode(document.toc)),
            )
        return errors

    def prepare(self, paths: Iterable[str]) -> None:
        """Parses, all cores at work, the bodies that will be asked for."""
        missing = [path for path in paths if path in self.kept and path not in self._parsed]
        for path, document in self._parse(missing):
            if not isinstance(document, SiteError):
                self._parsed[path] = document

    def body(
        self,
        path: str,
        resolve: Callable[[str, Reference], str | None],
        picture: Callable[[str, str, str, str], str | None],
    ) -> PageBody:
        """Returns the body of a document with its references led to where they are served from.

        Args:
            path: The document.
            resolve: Returns the URL a reference stands for, or None to leave it.
            picture: Returns the markup of an image by the document, its URL, text and title, or None to leave it.

        Raises:
            SiteError: A reference leads nowhere.
        """
        if path not in self._parsed:
            for _, parsed in self._parse([path]):
                if isinstance(parsed, SiteError):
                    raise parsed
                self._parsed[path] = parsed
        document = self._parsed[path]
        changes = {}
        for reference in self.kept[path].references:
            target = resolve(path, reference)
            if target is not None and target != reference.url:
                changes[reference.url] = changes[_in_html(reference.url)] = target
        html, summary = (_pictures(text, path, picture) for text in (document.html, document.summary))
        if changes:
            html = _core.rewrite_urls(html, changes)
            summary = _core.rewrite_urls(summary, changes)
        toc = tuple(Heading(level, name, text) for level, name, text in document.toc)
        return PageBody(html, summary, toc)

    def forget_bodies(self) -> None:
        """Lets go of the parsed bodies where they are many: a build of a large site keeps what it needs at a time."""
        if len(self._parsed) > _MOST_BODIES:
            self._parsed.clear()

    def _parse_some(self, paths: list[str]) -> Iterator[tuple[str, _core.Document | SiteError]]:
        for at in range(0, len(paths), _BATCH):
            yield from self._parse(paths[at : at + _BATCH])

    def _parse(self, paths: list[str]) -> list[tuple[str, _core.Document | SiteError]]:
        if not paths:
            return []
        found = _core.parse_documents(
            str(self._root), paths, threads=self._threads, max_file=self._max_file, marked=self._marked
        )
        return [
            (path, site_error(one, self._root) if isinstance(one, _core.SourceError) else one)
            for path, one in zip(paths, found, strict=True)
        ]


def _pictures(text: str, path: str, picture: Callable[[str, str, str, str], str | None]) -> str:
    if "<img" not in text:
        return text

    def made(found: re.Match[str]) -> str:
        url, alt, title = (html_module.unescape(part or "") for part in found.groups())
        return picture(path, url, alt, title) or found[0]

    return _IMAGE.sub(made, text)


def _in_html(url: str) -> str:
    """Returns the destination of a link as the HTML of a document has it: percent-encoded as CommonMark shows it."""
    return quote(url, safe="!#$%&'()*+,-./:;=?@_~").replace("'", "&#x27;")


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def site_error(error: _core.SourceError, root: Path) -> SiteError:
    """Returns the site's error for one the Rust core found."""
    file = error.file
    if file is not None and not file.startswith("/"):
        file = f"{root.name}/{file}"
    return SiteError(error.message, file=file, line=error.line, hint=error.hint, frame=error.frame)


def _meta(path: str, document: _core.Document, root: Path) -> tuple[PageMeta, tuple[Reference, ...]]:
    found: dict[str, Any] = msgspec.json.decode(document.front_matter)
    text = (root / path).read_text(encoding="utf-8") if found else ""
    front, extra = read_front_matter(found, file=f"{root.name}/{path}", text=text)
    for tag in front.tags:
        if not slugify(tag):
            raise SiteError(
                f"front matter: the tag `{tag}` has no letter and no digit",
                file=f"{root.name}/{path}",
                line=line_of_key(text, "tags"),
                hint="its page would have no address; name it otherwise",
            )
    inner = path.removeprefix("content/")
    section = inner.partition("/")[0] if "/" in inner else ""
    stem = inner.rpartition("/")[2].rpartition(".")[0]
    title = front.title or next((heading[2] for heading in document.toc), None) or stem.replace("-", " ").capitalize()
    meta = PageMeta(
        path=path,
        url=content_url(inner, front.slug),
        title=title,
        date=front.date,
        updated=front.updated,
        tags=front.tags,
        description=front.description,
        draft=front.draft,
        template=front.template,
        section=section,
        order=front.order,
        render=front.render,
        ttl=front.ttl,
        aliases=front.aliases,
        words=document.words,
        extra=extra,
    )
    return meta, tuple(Reference(url, line) for url, line in document.references)


def is_relative(url: str) -> bool:
    """Whether a reference is relative to the file it stands in: no scheme, no host, no path from the root."""
    head = url.partition("/")[0]
    return bool(url) and url[0] not in "/#?" and ":" not in head


def beside(path: str, url: str) -> str:
    """Returns the file, relative to the site, that a relative path (decoded) in the document `path` names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), url))
