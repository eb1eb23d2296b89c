"""Generated sites, the same on every run: many pages for builds and starts, a few exact files for throughput."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PAGES_PER_SECTION = 100
MARKDOWN_BYTES = 2048
WORDS = (  # noqa: SIM905 - words read best as a text
    "anchor basin candle drift ember fallow gather harbour inlet juniper kettle lantern meadow northern orchard "
    "pebble quarry river saffron timber upland valley willow yarrow almost because careful during either further "
    "heavy indeed kindly lately measure nearly often perhaps quietly rather seldom towards under various within"
).split()

SITE_TOML = """\
title = "A generated site"
base_url = "https://example.org"
description = "Pages made to be built and served."
"""

BASE_HTML = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{% block title %}{{ page.title }}{% endblock %} · {{ site.title }}</title>
</head>
<body>
  <!-- The frame of every page. -->
  <header><a href="/">{{ site.title }}</a></header>
  <main>
    {% block main %}{% endblock %}
  </main>
  <footer>Made to be measured.</footer>
</body>
</html>
"""

PAGE_HTML = """\
{% extends "base.html" %}
{% block main %}
<article>
  <h1>{{ page.title }}</h1>
  {% if page.tags %}
  <ul>
    {% for tag in page.tags %}
    <li>{{ tag }}</li>
    {% endfor %}
  </ul>
  {% endif %}
  {{ page.content }}
</article>
{% endblock %}
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A site as written: its folder, the URL of every page, and one content file to edit."""

    root: Path
    urls: tuple[str, ...]
    example: Path


def make_site(root: Path, pages: int) -> Made:
    """Writes a site of `pages` Markdown pages of about 2 KB, with a list, code and links, in a two-level layout."""
    write(root, {"site.toml": SITE_TOML, "templates/base.html": BASE_HTML, "templates/page.html": PAGE_HTML})
    urls = ["/"]
    write(root, {"content/index.md": _page(0, "/", "/")})
    for number in range(1, pages):
        urls.append(_url(number))
        before, after = _url(number - 1), _url((number + 1) % pages)
        write(root, {f"content{urls[-1].rstrip('/')}.md": _page(number, before, after)})
    example = root / "content" / f"{_url(pages // 2).strip('/')}.md" if pages > 1 else root / "content/index.md"
    return Made(root, tuple(urls), example)


def make_files_site(root: Path, files: dict[str, bytes], handlers: str | None = None) -> Made:
    """Writes a site of one page whose `static/` holds the files given, and whose handlers are the code given."""
    made = make_site(root, 1)
    write(root, {f"static/{name}": content for name, content in files.items()})
    if handlers is not None:
        write(root, {"handlers.py": handlers})
    return made


def write(root: Path, files: dict[str, str | bytes] | dict[str, str] | dict[str, bytes]) -> None:
    """Writes files, by path relative to the root, making their folders."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def _url(number: int) -> str:
    if number == 0:
        return "/"
    return f"/section-{number // PAGES_PER_SECTION:03}/page-{number:05}/"


def _page(number: int, before: str, after: str) -> str:
    choose = random.Random(number)
    front = (
        f"---\ntitle: Page {number} of {choose.choice(WORDS)}\ndate: 2024-{number % 12 + 1:02}-{number % 28 + 1:02}\n"
        f"tags: [{choose.choice(WORDS)}, {choose.choice(WORDS)}]\n---\n\n"
    )
    where = f"Back to [the one before]({before}), on to [the next]({after})."
    code = (
        f"```python\ndef {choose.choice(WORDS)}(count: int) -> list[str]:\n"
        f'    """Returns {choose.choice(WORDS)} by number."""\n'
        f'    return [f"{choose.choice(WORDS)} {{n}}" for n in range(count)]\n```\n\n'
    )
    parts = [
        front,
        f"{_sentences(choose, 3)}\n\n## Where to go\n\n{where}\n\n",
        "".join(f"- **{choose.choice(WORDS)}** {_sentences(choose, 1)}\n" for _ in range(4)),
        f"\n## In code\n\n{code}## At length\n\n",
    ]
    size = sum(map(len, parts))
    while size < MARKDOWN_BYTES:
        paragraph = f"{_sentences(choose, 3)} See `{choose.choice(WORDS)}`.\n\n"
        parts.append(paragraph)
        size += len(paragraph)
    return "".join(parts)


def _sentences(choose: random.Random, count: int) -> str:
    return " ".join(" ".join(choose.choices(WORDS, k=9)).capitalize() + "." for _ in range(count))
