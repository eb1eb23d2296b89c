"""The Rust core. Private: what it does is offered by the packages that use it."""

from collections.abc import Callable
from typing import Any, Self, final

from typing_extensions import Buffer, disjoint_base

__all__ = [
    "BufferPool",
    "Bundle",
    "BundleOutput",
    "CheckedPage",
    "Document",
    "Edge",
    "EdgeError",
    "Fill",
    "Flights",
    "Lead",
    "MemoryCache",
    "Pack",
    "PackError",
    "PooledBuffer",
    "Responses",
    "Router",
    "RouterError",
    "SiteWriter",
    "SourceError",
    "SourceErrors",
    "Sources",
    "Stamp",
    "Targets",
    "Tiers",
    "UsedStyles",
    "Waiting",
    "Written",
    "__version__",
    "bundle",
    "check_pages",
    "compile_routes",
    "css_names",
    "css_references",
    "highlight_stylesheet",
    "js_imports",
    "media_type",
    "minify_css",
    "minify_html",
    "minify_js",
    "minify_json",
    "minify_svg",
    "minify_xml",
    "open_pack",
    "pack_id",
    "page_parts",
    "parse_documents",
    "read_log",
    "render_markdown",
    "rewrite_urls",
    "script_aliases",
    "self_signed",
    "source_mark",
    "transform_css",
    "transform_js",
    "warm_up",
    "yaml_to_json",
]

__version__: str

class EdgeError(Exception):
    """The edge cannot start, or not take a new build."""

class PackError(Exception):
    """A pack cannot be read: it is not there, damaged, or of another version."""

class RouterError(Exception):
    """A path pattern is not well formed, or matches what another does."""

class SourceError(Exception):
    """A source file cannot be used.

    Attributes:
        message: What is wrong, in a sentence.
        file: The file, relative to the site, or None.
        line: The line, from 1, or None.
        column: The column, from 1, or None.
        hint: What to do, or None.
        frame: The source around the line, or None.
    """

    message: str
    file: str | None
    line: int | None
    column: int | None
    hint: str | None
    frame: str | None

class SourceErrors(Exception):
    """Several source files cannot be used.

    Attributes:
        errors: What is wrong with each.
    """

    errors: list[SourceError]

@final
class Document:
    """A parsed file of content.

    Attributes:
        front_matter: The front matter as a JSON object.
        html: The text as HTML.
        summary: The text up to `<!--more-->`, or its first paragraph, as HTML.
        toc: The headings: level, anchor, text.
        words: Words of the text, code left out.
        references: Links and images with their lines, from 1.
    """

    @property
    def front_matter(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def toc(self) -> list[tuple[int, str, str]]: ...
    @property
    def words(self) -> int: ...
    @property
    def references(self) -> list[tuple[str, int]]: ...

@final
class Sources:
    """The source files of a site.

    Args:
        root: The site's folder.
        state: The file where the last scan is kept.
        max_file: The size over which a file is refused, in bytes.
    """

    def __new__(cls, root: str, state: str, *, max_file: int) -> Sources: ...
    def scan(self, *, fresh: bool = False) -> dict[str, str]:
        """Returns the hash of each file by its path; with `fresh` all are read, else those whose stat changed.

        Raises:
            SourceErrors: Files that cannot be used: unreadable, links out of the site, no regular files.
        """

    def watch(self, skipped: list[str]) -> bool:
        """Lets the kernel tell what changes from now on, but in the folders `skipped`. Returns whether it does."""

    def wait(self, seconds: float) -> bool:
        """Waits until a file changed, at most so long. Returns whether one did; without a watch one may always have."""

    def look(self) -> tuple[bool, dict[str, str | None]]:
        """Looks at what changed since the last look, and at everything where that is not known.

        Returns whether it is everything, and the hash of each file by its path, None where it is gone.

        Raises:
            SourceErrors: As for `scan`.
        """

    @property
    def changed(self) -> bool:
        """Whether the last scan found anything but what was known before it."""

    @property
    def redated(self) -> list[str]:
        """The files the last scan found with another time of change, in whole seconds, than was known before it."""

    @property
    def times(self) -> dict[str, int]:
        """The time of the last change of each file that the last scan found, in seconds since 1970."""

    def is_current(self) -> bool:
        """Whether all files are as they were at the last scan that was saved, by sizes and times."""

    def save(self) -> None:
        """Keeps what the last scan found, for the next process."""

@final
class BundleOutput:
    """A file that came of bundling.

    Attributes:
        name: Its name without a hash, below assets/.
        kind: `script`, `worker`, `style`, `map` or `licenses`.
        entry: The file of assets/ that this is the built form of.
        imports: The outputs it loads at once, by name.
        dynamic: The outputs it may load later.
        styles: The stylesheets that it wants loaded.
        modules: The files it is made of, with the bytes each takes in it.
    """

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def entry(self) -> str | None: ...
    @property
    def imports(self) -> list[str]: ...
    @property
    def dynamic(self) -> list[str]: ...
    @property
    def styles(self) -> list[str]: ...
    @property
    def modules(self) -> list[tuple[str, int]]: ...

@final
class Bundle:
    """What came of bundling.

    Attributes:
        inputs: All files that were read.
        files: Files of packages that are served as they are: URL and file.
        led: The files of assets/ that are referred to.
        warnings: What is odd in the site's own files.
    """

    @property
    def outputs(self) -> list[BundleOutput]: ...
    @property
    def inputs(self) -> list[str]: ...
    @property
    def files(self) -> list[tuple[str, str]]: ...
    @property
    def led(self) -> list[str]: ...
    @property
    def warnings(self) -> list[SourceError]: ...

@final
class Pack:
    """An open pack."""

    @property
    def id(self) -> str:
        """What names these bytes: two packs of one id are the same."""

    @property
    def manifest(self) -> bytes:
        """What the build said of itself, as JSON."""

    def __len__(self) -> int: ...
    def __contains__(self, key: str, /) -> bool: ...
    def paths(self) -> list[str]:
        """Returns the paths of all responses, in order."""

    def sizes(self) -> list[tuple[str, str, list[tuple[str, int]]]]:
        """Returns the size of every body: path, media type, and for each coding (`identity`, `br`, …) the bytes."""

    def answer(
        self,
        path: str,
        *,
        is_head: bool = False,
        accept_encoding: str | None = None,
        if_none_match: str | None = None,
        if_modified_since: str | None = None,
        range: str | None = None,
        if_range: str | None = None,
        missing: bool = False,
    ) -> tuple[int, list[tuple[str, str]], bytes, tuple[str, int, int] | None] | None:
        """Answers a GET or HEAD (RFC 9110).

        Returns status, header fields, body, and, of a body that stays a file, its path with the offsets from and to;
        None where the pack has nothing at the path, or, with `missing`, the site's page for that.
        """

@final
class Fill:
    """What was purged when a response was asked for: one that was purged meanwhile is not kept."""

@final
class Responses:
    """Responses that are kept by a shared cache in memory (RFC 9111), for a worker that faces the clients itself.

    Args:
        limit_bytes: The most bytes it holds.
    """

    def __new__(cls, limit_bytes: int) -> Responses: ...
    def find(
        self, host: str, path: str, query: str, headers: list[tuple[str, str]], method: str
    ) -> tuple[str, tuple[int, list[tuple[str, str]], bytes]] | None:
        """Finds what answers a request.

        Returns how it may be used (`fresh`, `while-revalidating`, `if-error`), and status, header fields and body;
        None where nothing is kept, or the request may not be answered from a cache.
        """

    def begin(self) -> Fill:
        """Begins a fill: call it before the response is asked for."""

    def offer(
        self,
        host: str,
        path: str,
        query: str,
        headers: list[tuple[str, str]],
        status: int,
        response_headers: list[tuple[str, str]],
        body: bytes,
        fill: Fill,
    ) -> tuple[tuple[int, list[tuple[str, str]], bytes], bool]:
        """Keeps the whole response to a GET where that is allowed.

        Returns the response as it is sent, and whether it was kept.
        """

    def purge(self, purge: bytes) -> int:
        """Forgets what a purge, as JSON, names, and returns how many responses that removed at once."""

@final
class Written:
    """What a build wrote."""

    @property
    def id(self) -> str: ...
    @property
    def pack_bytes(self) -> int: ...
    @property
    def source_bytes(self) -> int: ...
    @property
    def files_written(self) -> int: ...
    @property
    def files_removed(self) -> int: ...

@final
class SiteWriter:
    """Writes one build. Until `finish` nothing of the last one changes.

    Args:
        dist: The folder to write to.
        previous: The pack unchanged responses are taken from.
        threads: Threads that minify and compress.
        large_file: The size over which a file stays a file, in bytes.
        targets: The browsers that styles in pages are lowered for.

    Raises:
        SourceError: Something cannot be written; every method may.
    """

    def __new__(
        cls, dist: str, previous: Pack | None, *, threads: int, large_file: int, targets: Targets
    ) -> SiteWriter: ...
    def has(self, path: str) -> bool:
        """Whether the previous pack has a response of this path."""

    def add(
        self,
        path: str,
        body: bytes,
        *,
        source: str,
        status: int,
        content_type: str,
        modified: int,
        headers: list[tuple[str, str]],
        tags: list[str],
        finish: str,
        best: bool,
        public: bool,
    ) -> None:
        """Adds a response. `source` is the file it comes from, relative to the site, for errors.

        `finish` names its minifier: none, html, xml, svg or json.
        """

    def add_file(
        self,
        path: str,
        source: str,
        *,
        name: str,
        content_type: str,
        modified: int,
        headers: list[tuple[str, str]],
        best: bool,
    ) -> None:
        """Adds a file as it is. `source` is where it stands, `name` its path relative to the site."""

    def reuse(self, path: str, *, public: bool = True, modified: int | None = None) -> None:
        """Takes a response over from the previous pack, with `modified` as of a change at that time (seconds)."""

    def finish(self, router: bytes, manifest: bytes, meta: bytes) -> Written:
        """Writes what is left and puts all of it in place."""

@disjoint_base
class MemoryCache:
    """A cache of Python objects in memory. `hyperweb.cache.Cache` says what its parts mean.

    Raises:
        ValueError: There is no such policy, a length of time is none, or `shards` is no power of two.
    """

    limit: int

    def __new__(
        cls,
        limit: int | None,
        *,
        policy: str,
        shards: int,
        largest_part: int,
        ttl: float | None,
        grace: float | None,
        share: int,
    ) -> Self: ...
    @property
    def policy(self) -> str:
        """The policy's name."""

    def __getitem__(self, key: Any, /) -> Any: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...
    def __delitem__(self, key: Any, /) -> None: ...
    def __contains__(self, key: Any, /) -> bool: ...
    def __len__(self) -> int: ...
    def get(self, key: Any, default: Any = None, /) -> Any:
        """Returns the fresh value of a key, or `default`."""

    def find(self, key: Any) -> tuple[Any, bool] | None:
        """Returns the value of a key and whether it is fresh, or None."""

    def find_again(self, key: Any, default: Any) -> Any:
        """Returns the fresh value of a key that was missed a moment ago, or `default`; both count as one miss."""

    def begin(self) -> Fill:
        """Begins a fill: call it before a value is asked for."""

    def set(
        self,
        key: Any,
        value: Any,
        *,
        ttl: float | None = None,
        grace: float | None = None,
        tags: list[str] = ...,
        weight: int | None = None,
        fill: Fill | None = None,
    ) -> bool:
        """Keeps a value. Returns whether it is kept."""

    def _purge(self, *, keys: list[Any], tags: list[str], prefixes: list[str], all: bool, soft: bool) -> int: ...
    def _purge_tags_where(self, condition: Callable[[str], bool]) -> int: ...
    def hottest(self, most: int) -> list[tuple[Any, int]]:
        """Returns the keys asked for most and how often, roughly (15 at most), the most first."""

    def reclaim(self) -> None:
        """Gives the memory of what is over or purged back at once, and not in the background."""

    def _stats(self) -> dict[str, int]: ...

@final
class BufferPool:
    """A pool of buffers. `hyperweb.cache.BufferPool` says what its parts mean."""

    def __new__(cls, classes: list[int], *, thread_bytes: int, reserve_bytes: int) -> BufferPool: ...
    def take(self, size: int) -> PooledBuffer: ...
    def allocate(self, size: int, count: int) -> int: ...
    def stats(self) -> tuple[int, int, int, int, int]: ...

@final
class PooledBuffer(Buffer):
    """A buffer of a pool: bytes that can be read and written by the buffer protocol.

    It goes back to its pool at the end of a `with` block, by `release`, or when it is forgotten. Until something is
    written it has whatever an earlier user left there.
    """

    def __len__(self) -> int: ...
    def __enter__(self) -> PooledBuffer: ...
    def __exit__(self, *raised: object) -> None: ...
    def release(self) -> None:
        """Gives it back. It has no bytes from then on.

        Raises:
            BufferError: Views of it are in use.
        """

@final
class Flights:
    """Single flight by key, for threads and tasks."""

    def __new__(cls) -> Flights: ...
    def join(
        self,
        key: Any,
        callback: Callable[[str, Any], None],
        *,
        age: float | None,
        wait: float | None,
        retries: int,
    ) -> tuple[str, Any]:
        """Joins the flight of a key.

        Returns what to do: `lead` with a `Lead`, `value` with it, `failed` with an exception, `uncacheable`,
        `timed-out`, or `waiting` with a `Waiting`; then `callback` is called with one of the others, from any thread.
        """

    def try_lead(self, key: Any) -> Lead | None:
        """Leads where nobody does."""

    def stats(self) -> dict[str, int]:
        """Returns how joins ended."""

@final
class Lead:
    """The right and the duty to make a value. Dropped, it goes to the next who waits."""

    def complete(self, value: Any) -> None:
        """Gives the value to all who wait."""

    def fail(self, error: BaseException) -> None:
        """Tells all who wait of an error, or lets the next one try."""

    def uncacheable(self, seconds: float) -> None:
        """Lets all who wait work for themselves, and all who come within `seconds`."""

    def leave(self) -> None:
        """Gives the lead to the next who waits."""

@final
class Waiting:
    """A place among those who wait."""

    def leave(self) -> None:
        """Leaves the flight."""

@final
class Stamp:
    """What was purged in the tiers when a value was asked for."""

@final
class Tiers:
    """Tiers below a cache in memory."""

    def __new__(
        cls,
        memory: MemoryCache,
        *,
        shared: str | None,
        shared_limit: int,
        disk: str | None,
        disk_limit: int,
        redis: str | None,
        namespace: str,
        log: Callable[[str], object],
    ) -> Tiers:
        """Opens tiers. `log` is called with what goes wrong, from a thread of its own.

        Raises:
            FileExistsError: This process has a folder open already.
        """

    def stamp(self) -> Stamp:
        """Returns the purges known now."""

    def get(self, key: Any, *, remote: bool) -> tuple[bytes, float | None, float, list[str]] | None:
        """Returns the bytes of a key, the seconds they are fresh (None: for ever), their grace, and their tags."""

    def put(
        self,
        key: Any,
        value: bytes,
        *,
        ttl: float | None,
        grace: float | None,
        tags: list[str],
        stamp: Stamp,
    ) -> None:
        """Leaves bytes to be written to all tiers."""

    def purge(self, *, keys: list[Any], tags: list[str], prefixes: list[str], all: bool, soft: bool) -> list[str]:
        """Hides what is meant in all tiers, or softly makes it stale. Returns the tiers that could not be told yet."""

    def flush(self, seconds: float) -> bool:
        """Waits until all is written. Returns whether it is."""

    def close(self) -> None:
        """Gives folders and connections back. From then on nothing is found or kept."""

    def stats(self) -> dict[str, dict[str, int]]:
        """Returns the figures of each tier by its name."""

@final
class Router:
    """Finds the routes of paths.

    Raises:
        RouterError: A pattern is not well formed, or matches what another does.
    """

    def __new__(cls, patterns: list[str]) -> Router: ...
    def find(self, path: str) -> tuple[int, list[tuple[str, str]]] | None:
        """Returns the number of the pattern that matches, and the parameters."""

@final
class Edge:
    """A running edge.

    Args:
        config: Its settings as JSON.

    Raises:
        EdgeError: It cannot start.
    """

    def __new__(cls, config: bytes) -> Edge: ...
    def addresses(self) -> list[str]:
        """Returns the addresses it listens on."""

    def plain_addresses(self) -> list[str]:
        """Returns the addresses it listens on beside TLS, without it."""

    def reload_certificates(self) -> None:
        """Reads the certificates anew. Connections keep what they began with.

        Raises:
            EdgeError: One cannot be used; all stay what they were.
        """

    def set_upstreams(self, site: str, addresses: list[str]) -> None:
        """Sets the sockets of a site's workers."""

    def has_routes(self, site: str) -> bool:
        """Whether anything of a site is made at run time."""

    def reload(self, site: str) -> bytes:
        """Takes up a site's new build, and returns as JSON what changed: added, changed, removed, tags."""

    def set_version(self, site: str, version: str) -> None:
        """Says what a site's responses are made by from now on, after a new build was taken up and the old one purged.

        From `reload` until then its responses are kept in memory alone.
        """

    def purge(self, purge: bytes) -> int:
        """Forgets cached responses: JSON with tags, paths, prefix, all. Returns how many."""

    def stats(self) -> bytes:
        """Returns its figures as JSON."""

    def outstanding(self, site: str) -> int:
        """Returns the requests a site's workers have, or that wait for one."""

    def check(self) -> None:
        """Says what was found wrong with the packs it started with, whose bodies are checked while it serves.

        Raises:
            EdgeError: A pack is damaged; the message names the section.
        """

    def descriptors(self) -> list[int]:
        """The sockets it listens on, for a process that is to take them over; closed once it drains."""

    def drain(self, seconds: float, patience: float = 0.0) -> bool:
        """Stops accepting, lets what was begun be sent, and stops. Returns whether all was sent in time.

        Args:
            seconds: How long that may take.
            patience: How long, in seconds, connections without a request are kept: one that is on its way is answered.
        """

def self_signed(hosts: list[str]) -> tuple[str, str]:
    """Makes a certificate for host names and addresses that is valid for a year, and its key, both as PEM (RFC 7468).

    Raises:
        EdgeError: A host is none.
    """

def open_pack(path: str) -> Pack:
    """Opens a pack and checks all of it.

    Raises:
        PackError: It cannot be used; the message names the section.
    """

def read_log(path: str) -> tuple[list[tuple[str | None, str, int]], int, int]:
    """Reads an access log (common, combined, or JSON lines) or a list of URLs.

    Returns what was asked for, the most first (the host where the line names it, the path, how often), lines read, and
    lines that were none.

    Raises:
        OSError: It cannot be read.
    """

def warm_up(count: int, rate: float, load: Callable[[], float], fetch: Callable[[int], bool]) -> tuple[int, int, int]:
    """Calls `fetch` with each number below `count`, at most `rate` times a second, and slower the higher the `load`.

    Returns how many it said were fetched, how many were not, and how many were left because the time was over.
    """

def pack_id(path: str) -> str:
    """Returns what names a pack, from its header alone."""

def compile_routes(patterns: list[str]) -> bytes:
    """Returns the compiled router of some path patterns."""

def parse_documents(
    root: str, paths: list[str], *, threads: int, max_file: int, marked: bool = False
) -> list[Document | SourceError]:
    """Reads and renders files of content, several at a time; what is wrong with one stops no other.

    With `marked` there is a mark of the file and line (`source_mark`) in front of each element.
    """

def render_markdown(text: str) -> str:
    """Returns Markdown as HTML."""

def yaml_to_json(text: str, file: str) -> str:
    """Returns YAML as JSON."""

@final
class CheckedPage:
    """What was found in a page. A place is the line of its text, and, where that is marked, the source: `a.md:12`.

    Attributes:
        title: Its title, white space made one space.
        title_place: Where that stands.
        anchors: The names that a fragment may have.
        references: Its references: URL, what it is for (`link`, `form`, `image`, `style`, `script`, `other`), a number
            that those share of which a browser loads one, and the place.
        base: What relative references are relative to, where the page says so.
        canonical: The page that this one is a copy of, as it says.
        hidden: Whether it asks search engines to leave it out.
        problems: What is wrong: rule, message, hint, and the place.
    """

    @property
    def title(self) -> str: ...
    @property
    def title_place(self) -> tuple[int, str | None]: ...
    @property
    def anchors(self) -> list[str]: ...
    @property
    def references(self) -> list[tuple[str, str, int, tuple[int, str | None]]]: ...
    @property
    def base(self) -> str | None: ...
    @property
    def canonical(self) -> str | None: ...
    @property
    def hidden(self) -> bool: ...
    @property
    def problems(self) -> list[tuple[str, str, str, tuple[int, str | None]]]: ...

def check_pages(pages: list[str], *, threads: int = 0) -> list[CheckedPage]:
    """Checks pages as a browser's parser reads them, several at a time."""

def source_mark(source: str, line: int) -> str:
    """Returns the mark in a page's text that says from which line of which source comes what follows."""

@final
class Targets:
    """The browsers that stylesheets are lowered for.

    Args:
        queries: Browserslist queries; none means the browsers of the last two years.

    Raises:
        SourceError: A query is none.
    """

    def __new__(cls, queries: list[str]) -> Targets: ...

@final
class UsedStyles:
    """What of stylesheets pages use.

    Args:
        scripts: The texts of the site's scripts, whose words are names they may add to a page.
    """

    def __new__(cls, scripts: list[str]) -> UsedStyles: ...
    def of(self, page: str, sheets: list[tuple[str, str]], *, first: int | None = None) -> list[str]:
        """Returns the rules of stylesheets, by name and text, that a page uses, or so many elements of its body.

        Raises:
            SourceError: A stylesheet is not valid.
        """

def bundle(
    root: str,
    entries: list[tuple[str, str]],
    sheets: list[tuple[str, str]],
    urls: dict[str, str],
    texts: dict[str, str],
    *,
    define: list[tuple[str, str]],
    external: list[str],
    naming: str,
    minify_js: bool,
    minify_css: bool,
    source_maps: bool,
    licenses: str,
    targets: Targets | None,
    threads: int,
) -> Bundle:
    """Bundles scripts with what they import.

    Args:
        root: The site's folder.
        entries: The scripts pages load: their names in assets/, and where they are.
        sheets: The stylesheets that import from packages, likewise.
        urls: Where other files of assets/ are served from, by name.
        texts: The texts of assets that are in no file, or not as they are, by path.
        define: What names in scripts stand for, as JavaScript expressions.
        external: Packages that are left to the page.
        naming: `plain` names files by their names alone, `mapped` and `hashed` with a hash; what is mapped names its
            parts without, for an import map to lead on.
        minify_js: Whether scripts are minified.
        minify_css: Whether their stylesheets are minified.
        source_maps: Whether there are source maps.
        targets: The browsers that stylesheets are lowered for.
        threads: How many threads read and compile.
        licenses: `keep`, `drop` or `extern`: what becomes of comments that state a licence.

    Raises:
        SourceErrors: Files are not valid, or import what is not there.
        ValueError: An option is none of those named here.
    """

def css_names(source: str, filename: str) -> list[tuple[str, list[str], list[tuple[str, str]]]]:
    """Returns the names of a CSS module: each with its classes on a page, and what it is composed of elsewhere."""

def css_references(source: str, filename: str) -> list[str]:
    """Returns the URLs a stylesheet refers to."""

def transform_css(
    entry: str,
    sources: dict[str, str],
    urls: dict[str, str],
    *,
    minify: bool,
    bundle: bool = True,
    targets: Targets | None = None,
) -> str:
    """Bundles a stylesheet with what it imports; `urls` has where references lead, by file, NUL and reference."""

def script_aliases(folder: str, imports: list[tuple[str, str]]) -> list[str | None]:
    """Returns the file in a folder that each import of a script means by a name of `tsconfig.json`, or None."""

def js_imports(source: str, filename: str) -> list[str]:
    """Returns what a script imports."""

def transform_js(source: str, urls: dict[str, str], *, filename: str, minify: bool) -> str:
    """Compiles a script to a JavaScript module; `urls` has where its imports lead."""

def minify_js(
    source: str, filename: str, *, source_map: bool = False, licenses: str = "drop"
) -> tuple[str, str | None, list[str]]:
    """Returns a script, smaller, its source map, and the licences that go elsewhere.

    One without `import` and `export` shares its names with the page.
    """

def minify_css(
    source: str,
    filename: str,
    *,
    targets: Targets | None = None,
    source_map: bool = False,
    licenses: str = "keep",
) -> tuple[str, str | None, list[str]]:
    """Returns a stylesheet, smaller, its source map, and the licences that go elsewhere."""

def highlight_stylesheet() -> str:
    """Returns the stylesheet for highlighted code."""

def media_type(path: str) -> str | None:
    """Returns the media type of a file by its ending."""

def minify_html(text: str, *, targets: Targets | None = None) -> str:
    """Returns HTML, smaller."""

def minify_json(text: str) -> str | None:
    """Returns JSON, smaller, or None where it is not valid."""

def minify_xml(text: str) -> str:
    """Returns XML, smaller."""

def minify_svg(text: str, *, targets: Targets | None = None) -> str:
    """Returns SVG, smaller."""

def rewrite_urls(text: str, changes: dict[str, str]) -> str:
    """Returns a page with its references replaced."""

def page_parts(text: str, id: str) -> dict[str, Any]:
    """Returns the parts of a page: title, head, body, assets, lang."""
