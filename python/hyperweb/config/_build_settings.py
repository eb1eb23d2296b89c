"""The settings of what is made before anybody asks: the build, its parts, and its checks."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hyperweb.config._section import Section, said


class BuildSettings(Section, frozen=True):
    """How the site is built."""

    concurrency: Annotated[
        int, said("Threads that transform and compress; 0 is one for each core.", unit="threads", ge=0, le=1024)
    ] = 0
    out: Annotated[str, said("The folder the built site is written to, in the site's folder.", min_length=1)] = "dist"
    minify: Annotated[bool, said("Minify HTML, CSS, JavaScript, JSON, XML and SVG.")] = True
    targets: Annotated[
        tuple[str, ...],
        said(
            "The browsers that stylesheets are lowered for, as browserslist queries; none means those of the last two "
            "years."
        ),
    ] = ()
    bundle: Annotated[bool, said("Put scripts together with what they import, from packages too.")] = True
    entries: Annotated[
        tuple[str, ...],
        said(
            "Scripts of assets/ that pages load although others import them, as names in which a star stands for "
            "anything; those that a template names need not be named here."
        ),
    ] = ()
    external: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        said("Packages that are not bundled, because pages have them from elsewhere."),
    ] = ()
    define: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*\Z")], str | bool | int | float],
        said("Values that names in scripts stand for."),
    ] = {}
    env: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[A-Za-z_$][\w$]*\Z")], str | bool | int | float],
        said("What scripts see as `import.meta.env`, beside variables of the environment named `PUBLIC_*`."),
    ] = {}
    import_map: Annotated[
        bool,
        said(
            "Lead scripts to the parts they share by an import map on the page, so that a changed part leaves the "
            "names of the others as they are. Without, and where a `content-security-policy` forbids inline scripts, "
            "they name each other with their hashes."
        ),
    ] = True
    integrity: Annotated[
        bool, said("Have browsers compare scripts and stylesheets with a hash on the page (Subresource Integrity).")
    ] = False
    source_maps: Annotated[bool, said("Write source maps beside scripts and stylesheets.")] = False
    drafts: Annotated[bool, said("Build pages marked as drafts too.")] = False
    plugins: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*\Z")], ...],
        said("Plugins, in the order they are called: `NAME` is `plugins/NAME.py`, or a module that is installed."),
    ] = ()
    compression: Annotated[
        Literal["fast", "best"],
        said("How hard pages are compressed. Assets, which are kept for ever by browsers, always get the best."),
    ] = "fast"
    large_file: Annotated[
        int,
        said("Files over this size stay files next to the pack and are sent from there.", unit="bytes", ge=4096),
    ] = 1_048_576
    max_file: Annotated[int, said("A source file over this size is refused.", unit="bytes", ge=1024)] = 268_435_456


class MinifySettings(Section, frozen=True):
    """What is minified where `build.minify` is on, and how."""

    html: Annotated[bool, said("Minify pages.")] = True
    css: Annotated[bool, said("Minify stylesheets, those in pages too.")] = True
    js: Annotated[bool, said("Minify scripts.")] = True
    json: Annotated[bool, said("Minify JSON.")] = True
    svg: Annotated[bool, said("Minify pictures in SVG.")] = True
    xml: Annotated[bool, said("Minify feeds, sitemaps and other XML.")] = True
    licenses: Annotated[
        Literal["keep", "drop", "extern"],
        said(
            "What becomes of the comments in scripts and stylesheets that state a licence (`/*! … */`, `@license`, "
            "`@preserve`): they stay, are dropped, or go into a file beside, `….LICENSE.txt`."
        ),
    ] = "extern"


class CssSettings(Section, frozen=True):
    """What is made of stylesheets."""

    inline: Annotated[
        Literal["none", "used", "critical"],
        said(
            "What of its stylesheets stands in a page: nothing; the rules the page uses, in place of the stylesheets; "
            "or those its first view uses, and the stylesheets are loaded without holding it up."
        ),
    ] = "none"
    first_view: Annotated[
        int, said("How many elements of the body count as its first view.", unit="elements", ge=1)
    ] = 150
    keep: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        said("Classes, ids and attributes that scripts add, where they are in no script of the site as a word."),
    ] = ()
    fonts: Annotated[
        bool,
        said("Cut the fonts of assets/ down to the letters the site has, and measure them for `hyperweb/fonts.css`."),
    ] = False
    tailwind: Annotated[
        tuple[str, ...], said("Stylesheets of assets/ that Tailwind's own program makes of what they say.")
    ] = ()
    tailwind_program: Annotated[
        str, said("That program: a path, or a name in `node_modules/.bin` or in PATH.", min_length=1)
    ] = "tailwindcss"


CheckRule = Literal[
    "alt",
    "budget",
    "charset",
    "dead-anchor",
    "dead-id",
    "dead-link",
    "doctype",
    "duplicate-id",
    "duplicate-title",
    "empty-link",
    "external-doubt",
    "external-link",
    "html",
    "insecure",
    "lang",
    "moved-link",
    "nesting",
    "obsolete",
    "orphan",
    "title",
    "unknown-element",
]
"""A rule of `hyperweb check`."""


class CheckSettings(Section, frozen=True):
    """What `hyperweb check` looks at."""

    disable: Annotated[tuple[CheckRule, ...], said("Rules that are not looked at.")] = ()
    ignore: Annotated[
        tuple[str, ...], said("Links that are not followed, as URLs or paths; a star stands for anything.")
    ] = ()
    budgets: Annotated[
        dict[Literal["html", "css", "js", "images", "file"], Annotated[int, Meta(ge=0)]],
        said(
            "The most that a page may have in all of `html`, `css`, `js` and `images`, and any one `file` of these, "
            "compressed as they are sent.",
            unit="bytes",
        ),
    ] = {}
    timeout: Annotated[float, said("How long another site may take to answer.", unit="seconds", gt=0, le=300)] = 10.0
    concurrency: Annotated[int, said("Links to other sites that are asked for at a time.", ge=1, le=128)] = 16
    external_limit: Annotated[int, said("The most links to other sites that are asked for in one check.", ge=1)] = 2000


class ImageSettings(Section, frozen=True):
    """What is made of pictures."""

    markdown: Annotated[bool, said("Make variants of the pictures of Markdown files too, not only of `image()`.")] = (
        True
    )
    formats: Annotated[
        tuple[Literal["avif", "webp"], ...],
        said("The formats that variants are made in, the best first, beside the picture's own for old browsers."),
    ] = ("avif", "webp")
    widths: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=16_384)], ...],
        said("How wide variants are; none is wider than the picture.", unit="pixels", min_length=1),
    ] = (480, 800, 1200, 1600)
    sizes: Annotated[str, said("How wide pictures are shown, as the `sizes` attribute says it.", min_length=1)] = (
        "(min-width: 48rem) 48rem, 100vw"
    )
    quality: Annotated[
        dict[Literal["avif", "webp", "jpeg"], Annotated[int, Meta(ge=1, le=100)]],
        said("How good variants are, from 1 to 100; by default 60 for `avif`, 78 for `webp` and 80 for `jpeg`."),
    ] = {}
    effort: Annotated[int, said("How hard encoders try, from 0 to 10: small files for long builds.", ge=0, le=10)] = 4
    placeholder: Annotated[
        Literal["color", "blur", "none"],
        said("What is shown until a picture has come: its mean colour, a tiny picture of it, or nothing."),
    ] = "color"
    max_pixels: Annotated[int, said("A picture of more is served as it is, without variants.", unit="pixels", ge=1)] = (
        64_000_000
    )
    folder: Annotated[
        str, said("The folder of pictures that come at run time, in the site's folder: for `image_url()`.")
    ] = ""
    secret: Annotated[
        str,
        said(
            "What the addresses of such pictures are signed with; best given as HYPERWEB_IMAGES_SECRET.",
            pattern=r"^([!-~]{16,})?\Z",
        ),
    ] = ""
    keep: Annotated[
        int, said("Variants that no build has used for so long are removed; 0 is never.", unit="days", ge=0)
    ] = 90
