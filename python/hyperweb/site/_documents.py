"""The Markdown files of content/: read and parsed when they changed, their metadata kept between builds."""

from __future__ import annotations

import hashlib
import html as html_module
import posixpath
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from hyperweb import __version__, _core
from hyperweb.plugins._plugin import Document
from hyperweb.site._bodies import Bodies, Parsed, Place
from hyperweb.site._errors import SiteError
from hyperweb.site._front_matter import line_of_key, read_front_matter
from hyperweb.site._page import Heading, PageBody, PageMeta
from hyperweb.site._urls import content_url, slugify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from hyperweb.plugins._load import Plugins

# An image as the Markdown renderer writes it: its URL, text and title.
_IMAGE = re.compile(r'<img src="([^"]*)" alt="([^"]*)"(?: title="([^"]*)")? loading="lazy" decoding="async">')
# Parsed at a time, and characters of parsed bodies that are held: they bound what a build of a large site holds in
# memory.
_BATCH = 512
_MOST_HELD = 32 << 20


# What of a page decides which pages and lists there are, and their order.
_SHAPE = ("url", "date", "tags", "draft", "template", "section", "order", "render", "ttl", "aliases")


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
        body: Where its body is kept.
    """

    hash: str
    meta: PageMeta
    references: tuple[Reference, ...]
    page: bytes
    summary: bytes
    toc: bytes
    body: Place | None = None


class Text(NamedTuple):
    """A document that was read: its front matter, and what was made of its Markdown."""

    path: str
    front: dict[str, Any]
    html: str
    summary: str
    words: int
    toc: list[tuple[int, str, str]]
    references: list[tuple[str, int]]


class Documents:
    """All documents of a site.

    Args:
        root: The site's folder.
        kept: What an earlier build kept, by path.
        threads: Threads that parse.
        max_file: The largest file that is read, in bytes.
        marked: Whether what stands in a body says which line it comes from.
        state: The folder where bodies are kept for the next build, if they are.
        plugins: The site's plugins.
    """

    def __init__(
        self,
        root: Path,
        kept: dict[str, Kept],
        *,
        threads: int,
        max_file: int,
        marked: bool = False,
        state: Path | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        self._plugins = plugins if plugins is not None and plugins.of("parse") else None
        self._root = root
        self._threads = threads
        self._max_file = max_file
        self._marked = marked
        self.kept = kept
        self._parsed: dict[str, Parsed] = {}
        self._held = 0
        used = sum(one.body.length for one in kept.values() if one.body is not None)
        self._bodies = Bodies(state, used) if state is not None else None

    def flush(self) -> None:
        """Writes the bodies that are kept for the next build."""
        if self._bodies is not None:
            self._bodies.flush()

    def close(self) -> None:
        """Writes them, and closes their file."""
        if self._bodies is not None:
            self._bodies.close()

    def update(self, files: Mapping[str, str]) -> list[SiteError]:
        """Reads what changed among `files` (path → hash) and forgets what is gone. Returns what is wrong with them."""
        for path in [path for path in self.kept if path not in files]:
            del self.kept[path]
            self._forget(path)
        changed = [path for path, found in files.items() if path not in self.kept or self.kept[path].hash != found]
        errors: list[SiteError] = []
        for path in changed:
            self.kept.pop(path, None)
            self._forget(path)
        for path, document in self._parse_some(changed):
            try:
                if isinstance(document, SiteError):
                    raise document
                kept, parsed = _read(path, files[path], self._changed(path, document), self._root)
            except SiteError as error:
                errors.append(error)
                continue
            if self._bodies is not None:
                kept.body = self._bodies.add(parsed)
            if self._held < _MOST_HELD:
                self._hold(path, parsed)
            self.kept[path] = kept
        return errors

    def read_some(self, files: Mapping[str, str]) -> dict[str, PageMeta] | None:
        """Reads documents (path → hash) that changed, if nothing but their texts did.

        Returns what is known of each now; None, with nothing done, where something is other that the rest of the site
        is made of: an address, a date, a tag.

        Raises:
            SiteError: A document is wrong; nothing was done.
        """
        made = {}
        for path, document in self._parse_some(list(files)):
            if isinstance(document, SiteError):
                raise document
            made[path] = _read(path, files[path], self._changed(path, document), self._root)
        for path, (kept, _) in made.items():
            before = self.kept[path].meta
            if any(getattr(before, name) != getattr(kept.meta, name) for name in _SHAPE):
                return None
        for path, (kept, parsed) in made.items():
            if self._bodies is not None:
                kept.body = self._bodies.add(parsed)
            self._forget(path)
            self._hold(path, parsed)
            self.kept[path] = kept
        return {path: kept.meta for path, (kept, _) in made.items()}

    def prepare(self, paths: Iterable[str]) -> None:
        """Brings in, all cores at work where they are to be parsed, the bodies that will be asked for."""
        missing = []
        for path in paths:
            if path in self.kept and path not in self._parsed:
                known = self._kept_body(path)
                if known is None:
                    missing.append(path)
                else:
                    self._hold(path, known)
        for path, document in self._parse_some(missing):
            if not isinstance(document, SiteError):
                self._hold(path, self._keep_body(path, document))

    def _kept_body(self, path: str) -> Parsed | None:
        kept = self.kept[path]
        if self._bodies is None or kept.body is None:
            return None
        return self._bodies.read(kept.body, path, kept.hash, __version__)

    def _keep_body(self, path: str, document: _core.Document) -> Parsed:
        kept = self.kept[path]
        parsed = _parsed(path, kept.hash, self._changed(path, document))
        if self._bodies is not None:
            kept.body = self._bodies.add(parsed)
        return parsed

    def _changed(self, path: str, document: _core.Document) -> Text:
        """Returns a document as plugins leave it."""
        found = Text(
            path,
            msgspec.json.decode(document.front_matter),
            document.html,
            document.summary,
            document.words,
            document.toc,
            document.references,
        )
        if self._plugins is not None:
            given = Document(path, found.front, found.html, found.summary, found.words)
            self._plugins.parse(given)
            found = Text(path, given.front, given.html, given.summary, given.words, found.toc, found.references)
        return found

    def _hold(self, path: str, parsed: Parsed) -> None:
        self._parsed[path] = parsed
        self._held += len(parsed.html)

    def _forget(self, path: str) -> None:
        known = self._parsed.pop(path, None)
        if known is not None:
            self._held -= len(known.html)

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
            self.prepare([path])
        if path not in self._parsed:
            # It was changed since it was looked at, and cannot be read any more.
            raise next(one for _, one in self._parse([path]) if isinstance(one, SiteError))
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

    def forget_bodies(self) -> bool:
        """Lets go of the parsed bodies where they are many: a build of a large site keeps what it needs at a time.

        Returns whether it did.
        """
        if self._held <= _MOST_HELD:
            return False
        self._parsed.clear()
        self._held = 0
        return True

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
    return SiteError(error.message, file=file, line=error.line, column=error.column, hint=error.hint, frame=error.frame)


def _parsed(path: str, digest: str, text: Text) -> Parsed:
    return Parsed(path, digest, __version__, text.html, text.summary, text.toc)


def _read(path: str, digest: str, text: Text, root: Path) -> tuple[Kept, Parsed]:
    kept = Kept(
        digest,
        _meta(text, root),
        tuple(Reference(url, line) for url, line in text.references),
        page=_hash(text.html.encode()),
        summary=_hash(text.summary.encode()),
        toc=_hash(msgspec.msgpack.encode(text.toc)),
    )
    return kept, _parsed(path, digest, text)


def _meta(document: Text, root: Path) -> PageMeta:
    file = f"{root.name}/{document.path}"
    try:
        return _page_meta(document, file=file, text="")
    except SiteError:
        # Only now is the text needed: for the line on which the error stands.
        return _page_meta(document, file=file, text=(root / document.path).read_text(encoding="utf-8"))


def _page_meta(document: Text, *, file: str, text: str) -> PageMeta:
    path = document.path
    front, extra = read_front_matter(document.front, file=file, text=text)
    for tag in front.tags:
        if not slugify(tag):
            raise SiteError(
                f"front matter: the tag `{tag}` has no letter and no digit",
                file=file,
                line=line_of_key(text, "tags"),
                hint="its page would have no address; name it otherwise",
            )
    inner = path.removeprefix("content/")
    section = inner.partition("/")[0] if "/" in inner else ""
    stem = inner.rpartition("/")[2].rpartition(".")[0]
    title = front.title or next((heading[2] for heading in document.toc), None) or stem.replace("-", " ").capitalize()
    return PageMeta(
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


def is_relative(url: str) -> bool:
    """Whether a reference is relative to the file it stands in: no scheme, no host, no path from the root."""
    head = url.partition("/")[0]
    return bool(url) and url[0] not in "/#?" and ":" not in head


def beside(path: str, url: str) -> str:
    """Returns the file, relative to the site, that a relative path (decoded) in the document `path` names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), url))
