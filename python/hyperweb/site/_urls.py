"""Which URL a source file has."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

# What may stand in a path as it is (RFC 3986, section 3.3), without what HTML, CSS or a `srcset` gives a meaning to.
_PLAIN = "/!$*+;=:@~"
# In a reference that somebody wrote, all that has a meaning keeps it.
_WRITTEN = "/%?#[]@!$&'()*+,;=:~"


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


def encoded(path: str) -> str:
    """Returns a URL path as it is written in a link: percent-encoded where that is needed (RFC 3986, section 2.1)."""
    return path if path.isascii() and _SIMPLE.fullmatch(path) else quote(path, safe=_PLAIN)


def encoded_reference(reference: str) -> str:
    """Returns a URL or path that somebody wrote, with what no URL may hold percent-encoded, and nothing else."""
    return quote(reference, safe=_WRITTEN)


_SIMPLE = re.compile(r"[A-Za-z0-9/._~-]*")
_SIGNS = re.compile(r"(?<=\w)[+#]+(?!\w)")


def slugify(text: str) -> str:
    """Returns `text` in lower case with every run of other than letters and digits made one hyphen.

    `+` and `#` at the end of a word are its own: `C++` is `c-plus-plus`, `C#` is `c-sharp`, and `C` is `c`.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    text = _SIGNS.sub(lambda found: found[0].replace("+", "-plus").replace("#", "-sharp"), text)
    return re.sub(r"[\W_]+", "-", text).strip("-")
