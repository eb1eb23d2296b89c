"""Which URL a source file has."""

from __future__ import annotations

import re
import unicodedata


def content_url(path: str, slug: str | None = None) -> str:
    """Returns the URL path of a content file: `posts/a.md` is `/posts/a/`, `posts/index.md` is `/posts/`.

    Args:
        path: The file in content/, with forward slashes.
        slug: What stands instead of the file's name, from the front matter.
    """
    stem = path.rsplit(".", 1)[0]
    folder, _, name = stem.rpartition("/")
    base = f"/{folder}/" if folder else "/"
    if slug is not None:
        return f"{base}{slug}/"
    if name == "index":
        return base
    return f"{base}{name}/"


def page_url(path: str) -> str:
    """Returns the URL path of a file in pages/: `about.html` is `/about/`, `feed.xml` is `/feed.xml`."""
    if not path.endswith(".html"):
        return f"/{path}"
    stem = path.removesuffix(".html")
    if stem == "404":
        return "/404.html"
    folder, _, name = stem.rpartition("/")
    base = f"/{folder}/" if folder else "/"
    return base if name == "index" else f"{base}{name}/"


_BRACKET = re.compile(r"\[([A-Za-z_][A-Za-z0-9_]*)\]")


def parameters(path: str) -> list[str]:
    """Returns the names in brackets of a file in pages/: `tags/[tag].html` has `tag`."""
    return _BRACKET.findall(path)


def fill(path: str, values: dict[str, str]) -> str:
    """Returns `path` with each bracket replaced by its value."""
    return _BRACKET.sub(lambda found: values[found[1]], path)


def pattern(path: str) -> str:
    """Returns the route pattern of a parameterised page: `tags/[tag].html` is `/tags/{tag}/`."""
    return _BRACKET.sub(lambda found: "{" + found[1] + "}", page_url(path))


def slugify(text: str) -> str:
    """Returns `text` in lower case with every run of other than letters and digits made one hyphen."""
    text = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"[\W_]+", "-", text).strip("-")
