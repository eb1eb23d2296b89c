"""Whatever is edited, in whatever order: an incremental build leaves what a clean build of the same sources makes."""

from __future__ import annotations

import os
import random
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from hyperweb.build import build_site
from hyperweb.config import load_site
from hyperweb.errors import HyperwebError
from tests.e2e.site import make_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EDITS = 40
SOURCES = ("assets", "content", "data", "pages", "static", "templates", "site.toml")
FILES = {
    "site.toml": 'title = "T"\nbase_url = "https://example.org"\n[extra]\nmotto = "m"\n',
    "templates/page.html": """{% extends "base.html" %}{% block content %}{% include "parts/side.html" %}
{{ page.content }}{% if page.prev %}<a rel="prev" href="{{ page.prev.url }}">{{ page.prev.title }}</a>{% endif %}
{% if page.next %}<a rel="next" href="{{ page.next.url }}">{{ page.next.title }}</a>{% endif %}{% endblock %}""",
    "templates/parts/side.html": "<aside>{{ site.data.team.name }} {{ site.title }} {{ site.extra.motto }}</aside>",
    "templates/wide.html": '{% extends "base.html" %}{% block content %}<div>{{ page.content }}</div>{% endblock %}',
    "pages/feed.xml": """<rss>{% for post in site.section("posts") %}<item>{{ post.url | absurl }}
<b>{{ post.content }}</b></item>{% endfor %}</rss>""",
    "pages/all.html": """{% extends "base.html" %}{% block content %}{% for page in site.pages %}
<a href="{{ page.url }}">{{ page.title }} {{ page.words }} {{ page.date | isodate }}</a>{% endfor %}
{% for tag in site.tags %}<a href="{{ tag.url }}">{{ tag }}</a>{% endfor %}{% endblock %}""",
    "pages/sections/[section].html": """+++
each = "sections"
+++
{% extends "base.html" %}{% block content %}<h1>{{ section.name }}</h1>{{ section.pages | length }}{% endblock %}""",
    "pages/pictures.html": """{% extends "base.html" %}{% block content %}<img src="/assets/img/dot.svg" alt="">
<script type="module" src="{{ asset('app.ts') }}"></script>{% endblock %}""",
    "pages/lists.html": """{% extends "base.html" %}{% import "shared.html" as shared %}{% block content %}
{% for tag in site.tags %}<h2>{{ tag.name }}</h2>{% for page in tag.pages %}{{ page.minutes }} {{ page.description }}
{{ page.extra.mood or "" }}{{ page.updated | isodate }}{{ page.order }}{{ page.draft }}{% endfor %}{% endfor %}
{{ shared.newest }}{% set a = site.page("posts/a.md") %}{{ a.summary if a else "none" }}{% endblock %}""",
    "pages/contents.json": """{% for post in site.section("posts") %}
{{ post.toc | map(attribute="text") | list | tojson }}{{ post.tags | list | tojson }}{% endfor %}""",
    "templates/shared.html": """{% import "parts/names.html" as names %}
{% set newest = (site.section("posts") | first).title if site.section("posts") else "" %}{{ names.all }}""",
    "templates/parts/names.html": "{% set all = site.pages | map(attribute='title') | join %}",
    "templates/narrow.html": """{% extends "base.html" %}{% import "shared.html" as shared %}{% block content %}
{{ shared.newest }}{{ page.summary }}{{ page.toc | length }}{% endblock %}""",
    "data/team.toml": 'name = "The team"\n',
    "assets/img/dot.svg": '<svg xmlns="http://www.w3.org/2000/svg"><circle r="1"/></svg>',
    "assets/app.css": "@import './parts/_p.css';\nbody { background: url(./img/dot.svg) }\n",
    "content/posts/c.md": '+++\ntitle = "C"\ndate = 2026-01-03\n+++\n\n![dot](../../assets/img/dot.svg)\n',
    "content/notes/n.md": "# Note\n\nTo [C](../posts/c.md) and [a file](data.txt).\n",
    "content/notes/o.md": '+++\ntemplate = "narrow.html"\n+++\n\n[Note](n.md).\n\n## Part\n\n[B](../posts/b.md)\n',
    "content/notes/data.txt": "data\n",
}


class Editor:
    """Edits a site at random; every change is one of bytes, as an editor's would be."""

    def __init__(self, site: Path, seed: int) -> None:
        self.site = site
        self.chance = random.Random(seed)
        self.count = 0
        self.edits: list[Callable[[], str]] = [
            self.add_post,
            self.remove_content,
            self.edit_body,
            self.edit_body,
            self.edit_word,
            self.edit_front_matter,
            self.edit_front_matter,
            self.edit_template,
            self.edit_data,
            self.edit_asset,
            self.add_asset,
            self.edit_settings,
            self.edit_static,
            self.edit_page,
            self.edit_handlers,
            self.move_post,
            self.touch,
        ]

    def edit(self) -> str:
        """Makes one edit; returns what it was."""
        self.count += 1
        return self.chance.choice(self.edits)()

    def read(self, path: str) -> str:
        return (self.site / path).read_text("utf-8")

    def write(self, path: str, text: str) -> str:
        file = self.site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return f"wrote {path}: {text[-80:]!r}"

    def posts(self) -> list[Path]:
        return sorted((self.site / "content").rglob("*.md"))

    def add_post(self) -> str:
        number = self.count
        head = f'+++\ntitle = "Post {number}"\ndate = 2026-02-{number % 27 + 1:02}\ntags = ["x", "t{number % 3}"]\n'
        alias = f'aliases = ["/was/{number}/"]\n' if number % 2 else ""
        return self.write(f"content/posts/p{number}.md", f"{head}{alias}+++\n\nPost *{number}*, see [A](a.md).\n")

    def remove_content(self) -> str:
        file = self.chance.choice(self.posts())
        file.unlink()
        return f"removed {file.name}"

    def move_post(self) -> str:
        file = self.chance.choice(self.posts())
        file.rename(file.with_name(f"m{self.count}.md"))
        return f"moved {file.name} to m{self.count}.md"

    def edit_body(self) -> str:
        path = str(self.chance.choice(self.posts()).relative_to(self.site))
        heading = self.chance.choice(["", f"## Part {self.count}\n\n"])
        return self.write(path, f"{self.read(path)}\n{heading}Edit {self.count}, [B](/posts/b/).\n")

    def edit_word(self) -> str:
        """Changes a body and no count of it."""
        path = str(self.chance.choice(self.posts()).relative_to(self.site))
        return self.write(path, re.sub(r"Edit \d+", f"Edit {self.count}", self.read(path)))

    def edit_front_matter(self) -> str:
        path = str(self.chance.choice(self.posts()).relative_to(self.site))
        body = self.read(path).rpartition("+++\n")[2]
        keys = [
            f'title = "Title {self.count}"',
            f"date = 2025-0{self.chance.randint(1, 9)}-11",
            "tags = " + self.chance.choice(["[]", '["x"]', '["y", "Z z"]']),
            f"draft = {self.chance.choice(['true', 'false'])}",
            f"order = {self.chance.randint(-1, 1)}",
            f'slug = "s{self.count}"',
            f'aliases = ["/moved/{self.count}/"]',
            'template = "wide.html"',
            'template = "narrow.html"',
            f'description = "d{self.count}"',
            f'mood = "m{self.count}"',
        ]
        chosen = "\n".join({key.partition(" ")[0]: key for key in self.chance.sample(keys, 3)}.values())
        return self.write(path, f"+++\n{chosen}\n+++\n{body}\n")

    def touch(self) -> str:
        """Saves a file again as it is, at another time."""
        files = sorted(file for file in self.site.rglob("*.*") if file.relative_to(self.site).parts[0] in SOURCES)
        file = self.chance.choice(files)
        seconds = 1_500_000_000 + self.count
        os.utime(file, (seconds, seconds))
        return f"touched {file.name}"

    def edit_template(self) -> str:
        path = self.chance.choice(
            [
                "templates/base.html",
                "templates/page.html",
                "templates/parts/side.html",
                "templates/wide.html",
                "templates/parts/names.html",
                "templates/shared.html",
            ]
        )
        return self.write(path, f"{self.read(path)}<!--{self.count}--><i>{self.count}</i>")

    def edit_data(self) -> str:
        return self.write("data/team.toml", f'name = "Team {self.count}"\n')

    def edit_asset(self) -> str:
        path, text = self.chance.choice(
            [
                ("assets/lib.ts", f"export const one: number = {self.count};\n"),
                ("assets/parts/_p.css", f"p {{ margin: {self.count}px }}\n"),
                ("assets/img/dot.svg", f'<svg xmlns="http://www.w3.org/2000/svg"><circle r="{self.count}"/></svg>'),
            ]
        )
        return self.write(path, text)

    def add_asset(self) -> str:
        return self.write(f"assets/extra{self.count % 3}.ts", f"import './app'; console.log({self.count});\n")

    def edit_settings(self) -> str:
        minify = self.chance.choice(["true", "false"])
        spa = self.chance.choice(["true", "false"])
        return self.write(
            "site.toml",
            f'title = "Title {self.count}"\nbase_url = "https://example.org"\n[aliases]\n"/old/{self.count}/" = "/"\n'
            f'[extra]\nmotto = "{self.count}"\n[build]\nminify = {minify}\n[client]\nspa = {spa}\n',
        )

    def edit_static(self) -> str:
        return self.write(f"static/f{self.count % 3}.txt", f"file {self.count}\n" * 50)

    def edit_page(self) -> str:
        head = f'+++\ntitle = "Page {self.count}"\n+++\n'
        return self.write(f"pages/more{self.count % 2}.html", head + "{% extends 'base.html' %}")

    def edit_handlers(self) -> str:
        return self.write(
            "handlers.py",
            f'from hyperweb import get\n\n\n@get("/api/h{self.count}")\nasync def h() -> str:\n    return ""\n',
        )


def outcome(site: Path, *, clean: bool) -> tuple[str, dict[str, bytes]]:
    """Builds; returns what was said and what was left."""
    said = ""
    try:
        build_site(load_site(site), clean=clean)
    except HyperwebError as error:
        said = str(error)
    dist = site / "dist"
    files = [dist / "site.pack", *(file for file in (dist / "public").rglob("*") if file.is_file())]
    return said, {str(file.relative_to(dist)): file.read_bytes() for file in files if file.exists()}


@pytest.mark.parametrize("seed", [1, 2])
def test_an_incremental_build_is_what_a_clean_one_is(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each site's folder goes first on the path when its handlers are loaded.
    monkeypatch.setattr(sys, "path", list(sys.path))
    site = make_site(tmp_path / "a" / "site", **FILES)
    editor = Editor(site, seed)
    assert outcome(site, clean=False)[0] == ""
    done: list[str] = []
    built = 0
    for number in range(EDITS):
        done += [editor.edit() for _ in range(editor.chance.choice([1, 1, 2]))]
        story = "\n".join(done)
        copy = tmp_path / str(number) / "site"
        shutil.copytree(site, copy, ignore=shutil.ignore_patterns("dist", ".hyperweb"))
        said, left = outcome(site, clean=False)
        wanted_said, wanted = outcome(copy, clean=True)
        assert said == wanted_said, story
        if said:
            # What was broken is taken back, as its author would.
            mend(site, number)
            continue
        built += 1
        assert left.keys() == wanted.keys(), story
        assert [name for name in wanted if left[name] != wanted[name]] == [], story
        shutil.rmtree(copy)
    assert built > EDITS // 3


def mend(site: Path, number: int) -> None:
    """Puts back the pages that links and templates count on."""
    for path in (
        "content/posts/a.md",
        "content/posts/b.md",
        "content/posts/c.md",
        "content/notes/n.md",
        "content/notes/o.md",
    ):
        if not (site / path).exists() or "draft = true" in (site / path).read_text("utf-8"):
            (site / path).write_text(f"# Back\n\nAgain {path}, {number}.\n", "utf-8")
