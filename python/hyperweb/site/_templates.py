"""The site's Jinja2 environment: its loader, its functions and its filters."""

from __future__ import annotations

import datetime
import email.utils
from typing import TYPE_CHECKING, Any, Protocol

import jinja2
from jinja2.utils import Namespace
from markupsafe import Markup

from hyperweb.site._development import Development
from hyperweb.site._errors import SiteError
from hyperweb.site._fence import fenced
from hyperweb.site._marks import Marks
from hyperweb.site._picture_tag import Picture
from hyperweb.site._record import record, record_all, recording
from hyperweb.site._urls import encoded_reference, slugify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from pathlib import Path

    from hyperweb.config import Settings

PAGES = "pages/"
"""Template names that begin so are files of pages/; all others are files of templates/."""


class Context(Protocol):
    """What the environment asks of whoever renders."""

    def asset_url(self, name: str) -> str:
        """Returns the URL of a file of assets/."""

    def css_module(self, name: str) -> dict[str, str]:
        """Returns the names of a CSS module."""

    def page_url(self, path: str) -> str:
        """Returns the URL of a file of content/."""

    def image(self, name: str, alt: str | None = None, **options: Any) -> Markup:
        """Returns the markup of a picture."""

    def image_url(self, path: str, width: int, form: Any = "webp") -> str:
        """Returns the address of a picture that comes at run time."""

    def markdown(self, text: str) -> str:
        """Returns Markdown as HTML."""


class SiteUndefined(jinja2.Undefined):
    """A missing value: false in a test, an error wherever it would be printed, looped over or reckoned with."""

    __slots__ = ()
    __iter__ = __str__ = __len__ = jinja2.Undefined._fail_with_undefined_error  # noqa: SLF001 - jinja2's own way

    def __bool__(self) -> bool:
        return False


class SiteLoader(jinja2.BaseLoader):
    """Reads templates/ and pages/ of one site."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path_of(self, name: str) -> Path:
        """Returns the file of a template's name."""
        return self._root / name if name.startswith(PAGES) else self._root / "templates" / name

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool] | None]:
        """Returns the template's text, its file, and nothing to ask whether it is current: the build knows."""
        del environment
        if any(part in {"", ".", ".."} for part in template.split("/")):
            raise jinja2.TemplateNotFound(template)
        file = self.path_of(template)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise SiteError("this is not UTF-8 text", file=file, line=line, hint="save the file as UTF-8") from None
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise jinja2.TemplateNotFound(template) from None
        except OSError as error:
            raise SiteError(f"cannot be read: {error.strerror}", file=file, hint="check its permissions") from None
        if template.startswith(PAGES):
            text = hide_front_matter(text)
        return text, str(file), None


def hide_front_matter(text: str) -> str:
    """Returns a page's text with its front matter in a template comment, so that line numbers stay right."""
    try:
        front = fenced(text)
    except ValueError:
        return text
    return text if front is None else "{#" + "\n" * text.count("\n", 0, front.end) + "#}" + text[front.end :]


class Template(jinja2.Template):
    """Jinja2's template that records what an import of it read when it was first made.

    What a template sets and defines is made once and then shared by all that import it; each of these depends on what
    that read.
    """

    _module_reads: set[str] | None = None
    _flat: dict[str, Any] | None = None

    def new_context(
        self,
        vars: dict[str, Any] | None = None,  # noqa: A002 - jinja2's name
        shared: bool = False,  # noqa: FBT001, FBT002 - jinja2's way
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - jinja2's name
    ) -> jinja2.runtime.Context:
        """Returns a context, made from a dictionary: jinja2's own chain of two is slow to walk, for each page."""
        if self._flat is None:
            self._flat = dict(self.globals)
        return jinja2.runtime.new_context(self.environment, self.name, self.blocks, vars, shared, self._flat, locals)

    def _get_default_module(self, ctx: jinja2.runtime.Context | None = None) -> Any:
        if self._module_reads is not None:
            record_all(self._module_reads)
            return super()._get_default_module(ctx)
        with recording() as reads:
            module = super()._get_default_module(ctx)
        if self._module is not None:
            self._module_reads = reads
        return module

    def forget(self) -> None:
        """Lets go of what imports share, for it was made from sources that changed."""
        self._module = None
        self._module_reads = None
        self._flat = None


class Environment(jinja2.Environment):
    """Jinja2's environment that records which templates a render loads, those that are missing too."""

    template_class = Template
    development = False
    """Whether what is for development only is rendered."""

    def forget(self, *, templates: bool) -> None:
        """Lets go of what was made from sources that changed; with `templates` of the templates too."""
        if self.cache is None:
            return
        if templates:
            self.cache.clear()
        for template in self.cache.values():
            if isinstance(template, Template):
                template.forget()

    def _load_template(
        self,
        name: str,
        globals: MutableMapping[str, Any] | None,  # noqa: A002 - jinja2's name
    ) -> jinja2.Template:
        record(f"template:{name}")
        return super()._load_template(name, globals)


def make_environment(
    root: Path, settings: Settings, context: Context, *, development: bool, marked: bool = False
) -> Environment:
    """Returns the environment of the site in the folder `root`; with `marked` tags say which line they come from."""
    environment = Environment(
        loader=SiteLoader(root),
        autoescape=jinja2.select_autoescape(("html", "htm", "xml", "svg"), default=False),
        undefined=SiteUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        extensions=[
            "jinja2.ext.do",
            "jinja2.ext.loopcontrols",
            "jinja2.ext.i18n",
            Development,
            Picture,
            *([Marks] if marked else []),
        ],
    )
    environment.development = development
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    base = settings.base_url.rstrip("/")

    def absolute(path: str) -> str:
        return encoded_reference(path if "://" in path else f"{base}/{path.lstrip('/')}")

    environment.globals.update(
        asset=context.asset_url,
        css_module=context.css_module,
        image=context.image,
        image_url=context.image_url,
        page_url=context.page_url,
        url=absolute,
        now=lambda: datetime.datetime.now(datetime.UTC),
        namespace=Namespace,
    )
    environment.filters.update(
        date=_date,
        isodate=_isodate,
        rfc822=_rfc822,
        slugify=slugify,
        absurl=absolute,
        markdown=lambda text: Markup(context.markdown(str(text))),  # noqa: S704 - made from the site's own Markdown
    )
    return environment


def _date(value: datetime.date | None, pattern: str = "%Y-%m-%d") -> str:
    return "" if value is None else value.strftime(pattern)


def _isodate(value: datetime.date | None) -> str:
    return "" if value is None else value.isoformat()


def _rfc822(value: datetime.date | None) -> str:
    """Returns the date as RSS 2.0 wants it (RFC 822, in UTC, at the start of the day)."""
    if value is None:
        return ""
    moment = datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)
    return email.utils.format_datetime(moment, usegmt=True)
