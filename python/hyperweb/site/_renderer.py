"""Reads a site's sources and renders its pages: one engine for the build, the development server and the workers."""

from __future__ import annotations

import html as html_module
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from markupsafe import Markup

from hyperweb import _core
from hyperweb.images._facts import ImageFacts
from hyperweb.images._images import Images, is_raster
from hyperweb.images._picture import first_is_eager
from hyperweb.images._signed import signed_url
from hyperweb.plugins._load import Plugins, hash_with
from hyperweb.site._assets import CLIENT, FOLDER, SCRIPTS, STYLES, Assets, Imports, missing
from hyperweb.site._bundle import Bundled, Bundler, naming_of
from hyperweb.site._data import read_data
from hyperweb.site._documents import Documents, Kept, Reference, beside, is_relative, site_error
from hyperweb.site._errors import SiteError
from hyperweb.site._fonts import Fonts
from hyperweb.site._front_matter import line_of_key
from hyperweb.site._module_tags import ModuleTags
from hyperweb.site._node import Node
from hyperweb.site._page import Page, PageBody, PageMeta
from hyperweb.site._page_styles import PageStyles
from hyperweb.site._pages import content_nodes, file_nodes, page_file_nodes
from hyperweb.site._record import record, recording, settled
from hyperweb.site._site import Site
from hyperweb.site._tailwind import Tailwind
from hyperweb.site._templates import make_environment
from hyperweb.site._trouble import template_error
from hyperweb.site._urls import encoded, encoded_reference, slugify
from hyperweb.site._values import Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from hyperweb.config import SiteConfig

_ASSET_IN_HTML = re.compile(r"[\"'(=\s,](/assets/[^\"'()<>\s?#,]+)")
_NEVER_ASKED_FOR = re.compile(r"[\\\x00-\x1f\x7f]")
# Where a reference can stand: in a tag, a style or a script, and not in the text between them.
_CODE_IN_HTML = re.compile(r"<(?:style|script)\b.*?</(?:style|script)|<[a-zA-Z][^<>]*>", re.DOTALL)


class Memory(msgspec.Struct):
    """What a renderer keeps between runs, in `.hyperweb/`."""

    version: str = ""
    documents: dict[str, Kept] = {}
    imports: dict[str, Imports] = {}
    images: dict[str, ImageFacts] = {}
    bundled: Bundled = msgspec.field(default_factory=Bundled)
    letters: dict[str, tuple[str, str]] = {}


class Rendered(msgspec.Struct):
    """A rendered page and what was read for it."""

    text: str
    reads: set[str]


class Renderer:
    """A site that can be rendered.

    Args:
        config: The site.
        fingerprint: Whether the URLs of assets carry a hash.
        minify: Whether assets are minified.
        drafts: Whether drafts are pages too.
        development: Whether what templates have for development only is rendered.
        marked: Whether the tags of pages say which line of which source they come from.
        memory: What an earlier run kept.
        state: The folder where rendered Markdown is kept for the next run, if it is.
        plugins: The site's plugins, where they are loaded already.
    """

    def __init__(
        self,
        config: SiteConfig,
        *,
        fingerprint: bool,
        minify: bool,
        drafts: bool,
        development: bool = False,
        marked: bool = False,
        memory: Memory | None = None,
        threads: int = 0,
        state: Path | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        self.config = config
        self.plugins = Plugins(config.root, config.settings.build.plugins) if plugins is None else plugins
        self.memory = memory or Memory()
        settings = config.settings
        self._drafts = drafts
        self._documents = Documents(
            config.root,
            self.memory.documents,
            threads=threads,
            max_file=settings.build.max_file,
            marked=marked,
            state=state,
            plugins=self.plugins,
        )
        self.targets = _core.Targets(list(settings.build.targets))
        minify_js, minify_css = minify and settings.minify.js, minify and settings.minify.css
        self.bundler = Bundler(
            config.root,
            config.state if fingerprint else config.state / "dev",
            settings,
            naming=naming_of(settings) if fingerprint else "plain",
            minify_js=minify_js,
            minify_css=minify_css,
            targets=self.targets,
            kept=self.memory.bundled,
            threads=threads,
        )
        self.tailwind = Tailwind(config.root, config.state, settings) if settings.css.tailwind else None
        self.assets = Assets(
            config.root,
            self.memory.imports,
            minify_js=minify_js,
            minify_css=minify_css,
            fingerprint=fingerprint,
            targets=self.targets,
            bundler=self.bundler if settings.build.bundle else None,
            mentioned=self._mentioned,
            fonts=Fonts(config.root, config.state, self.memory.letters) if settings.css.fonts else None,
            tailwind=self.tailwind,
        )
        self._tags = ModuleTags(settings, self.bundler, self.assets)
        self._styles = PageStyles(settings, self.assets)
        self.images = Images(config.root, settings.images, self.memory.images, self._served)
        self.environment = make_environment(config.root, settings, self, development=development, marked=marked)
        self.files: dict[str, str] = {}
        self.nodes: dict[str, Node] = {}
        self.errors: list[SiteError] = []
        self.site = Site(settings, [], {})
        self._settings_hash = hash_with(config, self.plugins)
        self.values = Values(
            self._settings_hash,
            files={},
            site=self.site,
            pages={},
            documents={},
            assets=self.assets,
            tags=self._tags,
        )
        self._pages: dict[str, Page] = {}
        # Those that hold their bodies.
        self._loaded: list[Page] = []
        # The names of scripts of which it matters whether a template has them, and where they stand.
        self._asked: set[str] = set()
        self._named: dict[str, set[str]] = {}

    def update(self, files: dict[str, str]) -> None:
        """Takes the site's source files (path → hash) and reads what changed since the last time.

        What is wrong with them stands in `errors` afterwards; what is right can be rendered all the same.
        """
        templates = {path for path in files if path.startswith(("templates/", "pages/"))}
        changed = any(files.get(path) != self.files.get(path) for path in templates | _templates(self.files))
        self.environment.forget(templates=changed)
        self.files = files
        markdown = {
            path: found for path, found in files.items() if path.startswith("content/") and path.endswith(".md")
        }
        self.errors = self._documents.update(markdown)
        self.images.update(files)
        self._asked, self._named = set(), {}
        self.errors += self.assets.update(files)
        self.memory.bundled = self.bundler.kept
        self._styles.forget()
        try:
            data = read_data(self.config.root, (path for path in files if path.startswith("data/")))
        except SiteError as error:
            self.errors.append(error)
            data = {}
        kept = [one.meta for one in self._documents.kept.values() if self._drafts or not one.meta.draft]
        known = [(meta, self._page(meta)) for meta in kept]
        self._pages = {meta.path: page for meta, page in known}
        self._loaded.clear()
        self.site = Site(self.config.settings, known, data)
        self.environment.globals["site"] = self.site
        self.nodes = {}
        self.values = Values(
            self._settings_hash,
            files=files,
            site=self.site,
            pages=self._pages,
            documents=self._documents.kept,
            assets=self.assets,
            tags=self._tags,
        )
        for node in self._all_nodes(known):
            other = self.nodes.setdefault(node.url, node)
            if other is not node:
                self.errors.append(self._clash(f"two files have the URL {node.url}", other, node))
            if _NEVER_ASKED_FOR.search(node.url):
                self.errors.append(
                    SiteError(
                        "its name has a backslash or a control character in it, which no request may have",
                        file=f"{self.config.name}/{node.source}",
                        hint="rename it",
                    )
                )
        self.errors += self._file_clashes()
        self.errors += self._tag_clashes()

    def update_some(self, changed: Mapping[str, str | None]) -> bool:
        """Takes files that changed (path → hash, None where one is gone), where little depends on them.

        That is so for the texts of documents and for templates. Returns whether that was so; if not, nothing was done.
        """
        if self.errors or not all(self._is_light(path, found) for path, found in changed.items()):
            return False
        documents = {path: found for path, found in changed.items() if path.startswith("content/") and found}
        try:
            fresh = self._documents.read_some(documents)
        except SiteError:
            return False
        if fresh is None:
            return False
        for path, meta in fresh.items():
            self._pages[path].replace(meta)
        self.environment.forget(templates=len(documents) < len(changed))
        self.files |= {path: found for path, found in changed.items() if found is not None}
        self.values = self.values.without(changed, self.files)
        return True

    def _is_light(self, path: str, found: str | None) -> bool:
        """Whether a file is there before and after, and no other thing of the site than its text is made of it."""
        if found is None or path not in self.files:
            return False
        css = self.config.settings.css
        if css.fonts or css.tailwind:
            # Letters and classes count there.
            return False
        if path.startswith("templates/"):
            # Which scripts it names says what is bundled.
            return self._named_in(path, self._asked) == self._named.get(path, set())
        return path in self._pages and path.endswith(".md")

    def _mentioned(self, names: set[str]) -> set[str]:
        """Returns which of some names of assets stand in templates, pages or the site's Python."""
        self._asked = names
        self._named = {
            path: self._named_in(path, names)
            for path in self.files
            if path.startswith(("templates/", "pages/")) or path.endswith(".py")
        }
        return set[str]().union(*self._named.values())

    def _named_in(self, path: str, names: set[str]) -> set[str]:
        if not names:
            return set()
        try:
            text = (self.config.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return set()
        return {name for name in names if name in text}

    def _tag_clashes(self) -> Iterator[SiteError]:
        for page, tag, other in self.site.clashes:
            text = (self.config.root / page.path).read_text(encoding="utf-8", errors="replace")
            yield SiteError(
                f"the tags `{tag}` and `{other}` would both be at /tags/{slugify(tag)}/",
                file=f"{self.config.name}/{page.path}",
                line=line_of_key(text, "tags"),
                hint="write one of them otherwise",
            )

    def _file_clashes(self) -> Iterator[SiteError]:
        """Yields an error for each two responses that the plain files of `dist/public/` cannot both hold."""
        files: dict[str, Node] = {}
        folders: dict[str, Node] = {}
        for url, node in self.nodes.items():
            if node.render != "static":
                continue
            path = f"{url}index.html" if url[-1:] == "/" else url
            other = files.setdefault(path, node)
            if other is not node:
                yield self._clash(f"two files are {path} for a host that serves plain files", other, node)
            folder = path[: path.rfind("/")]
            while folder and folder not in folders:
                folders[folder] = node
                folder = folder.rpartition("/")[0]
        for folder in sorted(folders.keys() & files.keys()):
            yield self._clash(f"{folder} would be a file and a folder", files[folder], folders[folder])

    def _clash(self, what: str, one: Node, other: Node) -> SiteError:
        return SiteError(
            f"{what}: {one.source} and {other.source}",
            file=f"{self.config.name}/{other.source}",
            hint="rename one of them, or give it another `slug`",
        )

    def prepare(self, paths: Iterable[str]) -> None:
        """Parses, all cores at work, the documents whose bodies will be needed."""
        self._documents.prepare(paths)

    def flush(self) -> None:
        """Writes what is kept for the next run."""
        self._documents.flush()

    def close(self) -> None:
        """Writes what is kept for the next run, and can render no more."""
        self._documents.close()

    def forget_bodies(self) -> None:
        """Lets go of the documents' bodies, where they are many; a page reads its own anew when it is asked for it."""
        if self._documents.forget_bodies():
            for page in self._loaded:
                page.forget()
            self._loaded.clear()

    def render(self, node: Node, **more: Any) -> Rendered:
        """Renders a page.

        Raises:
            SiteError: The template or the page is wrong; it says where.
        """
        if node.template not in self.files and f"templates/{node.template}" not in self.files:
            raise SiteError(
                f"there is no template `{node.template}`",
                file=f"{self.config.name}/{node.source}",
                hint="make it in templates/, or name another as `template` in the front matter",
            )
        with recording() as reads:
            record("settings")
            record(f"file:{node.source}")
            variables = {**node.variables, **more}
            if self.plugins and node.page is not None:
                self.plugins.render(node.page, variables)
            text = self.template(node.template, page=node.page, **variables)
        return Rendered(text, settled(reads, node.source))

    def template(self, name: str, /, **variables: Any) -> str:
        """Returns the template `name` rendered, its references led to where they are served from.

        Raises:
            SiteError: The template is wrong, or refers to what is not there; it says where.
        """
        try:
            text = self.environment.get_template(name).render(variables)
        except Exception as error:
            raise template_error(error, self.config.root, name) from error
        if name.endswith((".html", ".htm")):
            text = self._styles.add(self._tags.add(self._client(self._lead(text, name))))
            text = first_is_eager(text)
        return text

    def asset_url(self, name: str) -> str:
        """Returns the URL of a file of assets/ (the template function `asset`)."""
        record(f"asset:{name}")
        return self.assets.url(name)

    def css_module(self, name: str) -> dict[str, str]:
        """Returns the names of a CSS module (the template function `css_module`)."""
        record(f"asset:{name}")
        return self.assets.css_names(name)

    def page_url(self, path: str) -> str:
        """Returns the URL of a file of content/ (the template function `page_url`)."""
        page = self._page_of(f"content/{path}")
        if page is None:
            raise SiteError(f"there is no page `{path}` in content/", hint="check the name; a draft is no page")
        return page.url

    def markdown(self, text: str) -> str:
        """Returns Markdown as HTML (the template filter `markdown`)."""
        try:
            return _core.render_markdown(text)
        except _core.SourceError as error:
            raise site_error(error, self.config.root) from None

    def image(
        self,
        name: str,
        alt: str | None = None,
        *,
        sizes: str | None = None,
        widths: Iterable[int] | None = None,
        width: int | None = None,
        loading: str | None = None,
        **attributes: str,
    ) -> Markup:
        """Returns the markup of a picture (the template function `image`)."""
        if alt is None:
            hint = 'say what it shows, for those who do not see it, or "" if it is only decoration'
            raise SiteError(f"the picture `{name}` has no text", hint=hint)
        path = self.images.find(name)
        return Markup(  # noqa: S704 - all that goes into it is escaped
            self.images.markup(
                path, alt=alt, sizes=sizes, widths=widths, width=width, loading=loading, attributes=attributes
            )
        )

    def image_url(self, path: str, width: int, form: Any = "webp") -> str:
        """Returns the address of a picture that comes at run time (the template function `image_url`)."""
        settings = self.config.settings.images
        if not settings.folder:
            raise SiteError("there is no folder of pictures that come at run time", hint="set `images.folder`")
        try:
            return signed_url(settings.secret, path, width, form)
        except ValueError as error:
            raise SiteError(str(error), hint='write `image_url("a.jpg", 800, "avif")`') from None

    def pictures(self) -> dict[str, None]:
        """Returns the pictures of all pages' Markdown."""
        found: dict[str, None] = {}
        if self.config.settings.images.markdown:
            for path in self._pages:
                for reference in self._documents.kept[path].references:
                    target = self._picture_of(path, reference.url)
                    if target is not None:
                        found[target] = None
        return found

    def links(self) -> Iterator[tuple[str, Reference]]:
        """Yields the links of all pages to paths of this site, with the page they stand in."""
        kept = self._documents.kept
        for path in self._pages:
            for reference in kept[path].references:
                url = reference.url
                if url[:1] == "/" and not url.startswith(("//", "/" + FOLDER)):
                    yield path, reference

    def build_id(self) -> str:
        """Returns what names this set of scripts and styles: a page of another set is loaded anew."""
        record("assets")
        return self.values["assets"][:12]

    def _page(self, meta: PageMeta) -> Page:
        def load() -> PageBody:
            self._loaded.append(page)
            return self._documents.body(meta.path, self._resolve, self._picture)

        page = Page(meta, load)
        return page

    def _page_of(self, path: str) -> Page | None:
        """Returns the page made from a file, for its URL."""
        # Recorded also where there is none: the error goes away with the page's coming.
        record(f"fact:url:{path}")
        return self._pages.get(path)

    def _all_nodes(self, pages: list[tuple[PageMeta, Page]]) -> list[Node]:
        nodes = content_nodes(pages, self.files)
        nodes += page_file_nodes(self.config, self.files, self.site, self.errors, drafts=self._drafts)
        nodes += file_nodes(self.files)
        for name in self.assets.names():
            try:
                url = unquote(self.assets.url(name))
            except SiteError as error:
                self.errors.append(error)
                continue
            if name != CLIENT or self.config.settings.client.spa:
                nodes.append(Node(url=url, kind="asset", source=FOLDER + name, target=name))
        nodes += [
            Node(url=unquote(old), kind="alias", source="site.toml", target=encoded_reference(new))
            for old, new in self.config.settings.aliases.items()
        ]
        return nodes

    def _resolve(self, path: str, reference: Reference) -> str | None:
        """Returns the URL that a reference in the document `path` stands for, or None to leave it as it is."""
        url = reference.url
        bare = url.partition("#")[0].partition("?")[0]
        rest = url[len(bare) :]
        if bare.startswith("/" + FOLDER):
            target = unquote(bare[1:])
        elif is_relative(url) and bare:
            target = beside(path, unquote(bare))
        else:
            return None
        where = f"{self.config.name}/{path}"
        if target.startswith(FOLDER):
            name = target.removeprefix(FOLDER)
            if name not in self.assets:
                error = missing(name, dict.fromkeys(self.assets.names(), ""))
                raise SiteError(error.message, file=where, line=reference.line, hint=error.hint)
            return self.asset_url(name) + rest
        if target.endswith(".md"):
            page = self._page_of(target)
            if page is None:
                raise SiteError(
                    f"the link `{url}` leads to no page", file=where, line=reference.line, hint=f"no {target} here"
                )
            return page.url + rest
        record(f"exists:{target}")
        if target in self.files:
            return encoded("/" + target.partition("/")[2]) + rest
        if _core.media_type(bare) is not None:
            raise SiteError(
                f"`{url}` is missing: there is no file {target}", file=where, line=reference.line, hint="check the path"
            )
        return None

    def _picture(self, path: str, url: str, alt: str, title: str) -> str | None:
        """Returns the markup of an image in the document `path`, or None where it is none to make variants of."""
        target = self._picture_of(path, url) if self.config.settings.images.markdown else None
        if target is None:
            return None
        return self.images.markup(target, alt=alt, attributes={"title": title} if title else None)

    def _picture_of(self, path: str, url: str) -> str | None:
        bare = unquote(url)
        if not is_raster(bare):
            return None
        if bare.startswith("/" + FOLDER):
            candidates = [bare[1:]]
        elif bare.startswith("/"):
            candidates = [f"static{bare}", f"content{bare}"]
        else:
            candidates = [beside(path, bare)] if is_relative(url) else []
        return next((one for one in candidates if one in self.files), None)

    def _served(self, path: str) -> str:
        """Returns where a source file is served as it is."""
        if path.startswith(FOLDER):
            return self.asset_url(path.removeprefix(FOLDER))
        return encoded("/" + path.partition("/")[2])

    def _lead(self, text: str, template: str) -> str:
        """Leads references to `/assets/…` that were written out to the URLs they are served from."""
        changes: dict[str, str] = {}
        built = None
        code = _CODE_IN_HTML.findall(text) if "/assets/" in text else []
        for url in dict.fromkeys(url for part in code for url in _ASSET_IN_HTML.findall(part)):
            name = unquote(html_module.unescape(url)).removeprefix("/" + FOLDER)
            if name in self.assets:
                changes[url] = self.asset_url(name)
                continue
            if f"/{FOLDER}{name}" in self.images.made:
                continue
            if built is None:
                built = {self.assets.url(one) for one in self.assets.names()}
            if url not in built:
                error = missing(name, dict.fromkeys(self.assets.names(), ""))
                raise SiteError(error.message, file=f"{self.config.name}/{template}", hint=error.hint)
        changes = {url: target for url, target in changes.items() if url != target}
        return _core.rewrite_urls(text, changes) if changes else text

    def _client(self, text: str) -> str:
        """Adds the script that swaps pages, where the site wants it."""
        if not self.config.settings.client.spa:
            return text
        head, close, rest = text.partition("</head>")
        if not close:
            return text
        script = f'<script type="module" src="{self.asset_url(CLIENT)}"></script>'
        return f'{head}<meta name="hyperweb-build" content="{self.build_id()}">{script}{close}{rest}'


def plain_file(url: str) -> str:
    """Returns where in `dist/public/` the response of a URL path stands, with a slash in front."""
    return f"{url}index.html" if url.endswith("/") else url


def _templates(files: dict[str, str]) -> set[str]:
    return {path for path in files if path.startswith(("templates/", "pages/"))}


def is_transformed(name: str) -> bool:
    """Whether an asset is compiled on its way and not copied."""
    return name.endswith(SCRIPTS + STYLES)
