"""Edits a site at random, as its authors would: what they write, move, remove, break and take back."""

from __future__ import annotations

import os
import random
import re
import shutil
from typing import TYPE_CHECKING

from PIL import Image

from tests.e2e.site import FILES as BEGUN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PHOTO, OTHER_PHOTO = "assets/photos/one.png", "assets/photos/two.png"
COUNTED_ON = (
    "content/posts/a.md",
    "content/posts/b.md",
    "content/posts/c.md",
    "content/notes/n.md",
    "content/notes/o.md",
)
SOURCES = (".buildignore", "assets", "content", "data", "handlers.py", "pages", "static", "templates", "site.toml")
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
    "pages/photos.html": """{% extends "base.html" %}{% block content %}
{{ image("photos/one.png", "One", widths=[8, 16]) }}
{% include "parts/maybe.html" ignore missing %}{% endblock %}""",
    "assets/app.css": "@import './parts/_p.css';\nbody { background: url(./img/dot.svg) }\n",
    "content/posts/c.md": '+++\ntitle = "C"\ndate = 2026-01-03\n+++\n\n![dot](../../assets/img/dot.svg)\n',
    "content/notes/n.md": "# Note\n\nTo [C](../posts/c.md) and [a file](data.txt).\n",
    "content/notes/o.md": '+++\ntemplate = "narrow.html"\n+++\n\n[Note](n.md).\n\n## Part\n\n[B](../posts/b.md)\n',
    "content/notes/data.txt": "data\n",
}
# What breaks a build, by file: each is taken back after the build that it broke.
BROKEN = {
    "templates/page.html": "{% extends 'base.html' %}{% block content %}{{ page.nothing.at_all }}{% endblock %}",
    "templates/base.html": "{% if %}",
    "templates/parts/side.html": "{% include 'parts/nowhere.html' %}",
    "data/team.toml": "name = \n",
    "site.toml": 'titel = "T"\n',
    "assets/app.css": "@import './nowhere.css';\n",
    "assets/lib.ts": "export const one: = ;\n",
    "handlers.py": "def\n",
    "content/posts/a.md": "+++\ntitle = 5\n+++\n",
    "content/notes/n.md": "---\ntitle: [\n---\n",
    "content/posts/b.md": "![gone](nowhere.png)\n",
    "pages/all.html": "+++\nrender = 'never'\n+++\n",
}


class Editor:
    """Edits a site at random; every change is one of bytes, as an editor's would be."""

    def __init__(self, site: Path, seed: int) -> None:
        self.site = site
        self.chance = random.Random(seed)
        self.count = 0
        # Every text that a file had, so that it can be taken back to one of them.
        self.history: dict[str, list[bytes]] = {}
        # What a file was before it was broken.
        self.broken: dict[str, bytes | None] = {}
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
            self.edit_include,
            self.edit_inheritance,
            self.edit_ignored,
            self.edit_photo,
            self.show_photo,
            self.move_folder,
            self.remove_folder,
            self.take_back,
            self.take_back,
            self.break_one,
        ]

    def edit(self) -> str:
        """Makes one edit; returns what it was."""
        self.count += 1
        self.remember()
        return self.chance.choice(self.edits)()

    def sources(self) -> list[Path]:
        """Returns all files of the site that are its author's."""
        every = (file for file in self.site.rglob("*") if file.is_file())
        return sorted(file for file in every if file.relative_to(self.site).parts[0] in SOURCES)

    def remember(self) -> None:
        for file in self.sources():
            texts = self.history.setdefault(str(file.relative_to(self.site)), [])
            text = file.read_bytes()
            if text not in texts:
                texts.append(text)

    def mend(self) -> None:
        """Puts back what was broken, and the files that links and templates count on."""
        for path, before in self.broken.items():
            if before is None:
                (self.site / path).unlink(missing_ok=True)
            else:
                (self.site / path).parent.mkdir(parents=True, exist_ok=True)
                (self.site / path).write_bytes(before)
        self.broken.clear()
        for path in COUNTED_ON:
            file = self.site / path
            if not file.exists() or "draft = true" in file.read_text("utf-8"):
                self.write(path, f"# Back\n\nAgain {path}, {self.count}.\n")
        for path, text in FILES.items():
            if not path.startswith("content/") and not (self.site / path).exists():
                self.write(path, text)
        for path in (PHOTO, OTHER_PHOTO):
            if not (self.site / path).exists():
                self.draw(path, 3)
        (self.site / ".buildignore").unlink(missing_ok=True)

    def begin_anew(self) -> None:
        """Gives the site the files that it had in the beginning, and no others."""
        for file in self.sources():
            file.unlink()
        for path, text in {**BEGUN, **FILES}.items():
            self.write(path, text)
        self.broken.clear()
        self.mend()

    def draw(self, path: str, shade: int) -> str:
        """Writes a picture."""
        file = self.site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").resize((16, 12)).point(lambda value: (value + shade) % 256).save(file)
        return f"drew {path} in shade {shade}"

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
        file = self.chance.choice(self.sources())
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

    def edit_include(self) -> str:
        """Writes, or removes, a template that others include where it is there."""
        file = self.site / "templates/parts/maybe.html"
        if file.exists() and self.chance.random() < 0.5:
            file.unlink()
            return "removed parts/maybe.html"
        inner = self.chance.choice(["", '{% include "parts/side.html" %}', "{{ site.pages | length }}"])
        return self.write("templates/parts/maybe.html", f"<b>{self.count}</b>{inner}")

    def edit_inheritance(self) -> str:
        """Leads a template to another one that it extends."""
        self.write("templates/other.html", '{% extends "base.html" %}{% block content %}other{% endblock %}')
        parent = self.chance.choice(["base.html", "other.html"])
        path = self.chance.choice(["templates/wide.html", "templates/narrow.html", "templates/greet.html"])
        return self.write(path, re.sub(r'{% extends "[a-z]+\.html" %}', f'{{% extends "{parent}" %}}', self.read(path)))

    def edit_ignored(self) -> str:
        rule = self.chance.choice(["", "static/f1.txt\n", "content/posts/p*.md\n", "content/notes/data.txt\n"])
        return self.write(".buildignore", rule)

    def edit_photo(self) -> str:
        return self.draw(self.chance.choice([PHOTO, OTHER_PHOTO]), self.count % 7)

    def show_photo(self) -> str:
        """Shows a picture in a page."""
        path = str(self.chance.choice(self.posts()).relative_to(self.site))
        name = self.chance.choice(["one", "two"])
        return self.write(path, f"{self.read(path)}\n![Photo](/assets/photos/{name}.png)\n")

    def move_folder(self) -> str:
        """Moves a section, as a change of the site's order does."""
        there = sorted(file for file in (self.site / "content").iterdir() if file.is_dir() and file.name != "posts")
        if not there:
            return self.add_post()
        folder = self.chance.choice(there)
        folder.rename(folder.with_name(f"n{self.count}"))
        return f"moved {folder.name}/ to n{self.count}/"

    def remove_folder(self) -> str:
        folder = self.site / self.chance.choice(["static", "assets/photos", "content/notes", "pages/sections"])
        shutil.rmtree(folder, ignore_errors=True)
        return f"removed {folder.name}/"

    def take_back(self) -> str:
        """Gives a file a text that it had before, as a switch of branches does."""
        path = self.chance.choice(sorted(self.history))
        file = self.site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        text = self.chance.choice(self.history[path])
        file.write_bytes(text)
        return f"took back {path}: {text[-60:]!r}"

    def break_one(self) -> str:
        path = self.chance.choice(sorted(BROKEN))
        file = self.site / path
        self.broken.setdefault(path, file.read_bytes() if file.exists() else None)
        return self.write(path, BROKEN[path])
