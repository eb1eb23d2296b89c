"""Pictures in a build: their markup, what is made anew after an edit, and what a broken one does."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from hyperweb import _core
from hyperweb.build import BuildErrors, BuildReport, build_site
from hyperweb.check import check_site
from hyperweb.config import load_site
from hyperweb.serve._app import Templates
from tests.images.pictures import animation, bomb, colours, photo

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ page.title }}</title></head>
<body><main>{{ page.content }}{% block more %}{% endblock %}</main></body></html>
"""
SETTINGS = 'title = "T"\n[images]\neffort = 0\nwidths = [30, 60, 400]\n'


class Site:
    """A site with pictures."""

    def __init__(self, root: Path) -> None:
        self.root = root
        photo(root / "content/posts/cup.jpg", 120, 80)
        self.write("site.toml", SETTINGS)
        self.write("templates/page.html", PAGE)
        self.write("content/index.md", "+++\ntitle = 'Home'\n+++\n\n[cup](posts/tea.md)\n")
        self.write("content/posts/tea.md", '+++\ntitle = \'Tea\'\n+++\n\n![A "cup"](cup.jpg "Mine")\n')

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")

    def build(self, *, clean: bool = False, strict: bool = False) -> BuildReport:
        return build_site(load_site(self.root), clean=clean, strict=strict)

    def page(self, url: str) -> str:
        return (self.root / "dist/public" / url.strip("/") / "index.html").read_text(encoding="utf-8")

    def digest(self) -> dict[str, str]:
        public = self.root / "dist/public"
        files = {str(file.relative_to(public)): file for file in public.rglob("*") if file.is_file()}
        files["site.pack"] = self.root / "dist/site.pack"
        return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def urls(page: str) -> set[str]:
    return set(re.findall(r"/assets/[^ \"'>,]+", page))


def test_a_picture_of_markdown_is_offered_in_all_formats_and_widths(site: Site) -> None:
    site.build()
    page = site.page("/posts/tea/")
    assert '<picture><source type=image/avif srcset="/assets/posts/cup.30.' in page
    assert "alt='A \"cup\"' width=120 height=80 title=Mine" in page
    assert "fetchpriority=high" in page
    assert "lazy" not in page
    assert len(urls(page)) == 7
    for url in urls(page):
        with Image.open(site.root / "dist/public" / url[1:]) as image:
            assert f".{image.width}." in url


def test_only_the_first_picture_of_a_page_is_fetched_at_once(site: Site) -> None:
    site.write("content/posts/tea.md", "![a](cup.jpg)\n\n![b](cup.jpg)\n\n![c](cup.jpg)\n")
    site.build()
    assert re.findall(r"alt=(\w).*?(lazy|high)", site.page("/posts/tea/")) == [
        ("a", "high"),
        ("b", "lazy"),
        ("c", "lazy"),
    ]


def test_templates_place_pictures_by_function_and_by_tag(site: Site) -> None:
    colours(50, 40).save(site.root / "content/posts/wide.png")
    (site.root / "assets").mkdir()
    (site.root / "assets/leaf.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 6"></svg>')
    animation(site.root / "assets/go.gif")
    site.write(
        "templates/page.html",
        PAGE.replace(
            "{% block more %}",
            '{{ image("leaf.svg", "Leaf", class="x") }}{% picture "posts/cup.jpg", "Cup", width=20, loading="eager" %}'
            '{{ image("/posts/wide.png", "", sizes="50vw", widths=[25], style="margin: 0") }}'
            '{{ image("go.gif", "Go", width=10) }}{% block more %}',
        ),
    )
    site.build()
    page = site.page("/")
    assert re.search(r"<img src=/assets/leaf\.\w+\.svg alt=Leaf width=8 height=6 class=x ", page)
    assert re.search(r'srcset="/assets/posts/cup\.20\.\w+\.avif 1x, /assets/posts/cup\.40\.\w+\.avif 2x">', page)
    assert re.search(
        r"<img src=/assets/posts/cup\.40\.\w+\.jpg alt=Cup width=20 height=13 style=\S+ decoding=async>", page
    )
    assert re.search(r"srcset=\"?/assets/posts/wide\.25\.\w+\.webp 25w\"? sizes=50vw>", page)
    assert re.search(r'alt width=50 height=40 style="?background:#\w+;margin:\s*0', page)
    assert re.search(r"<img src=/assets/go\.\w+\.gif alt=Go width=10 height=5 ", page)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('image("posts/cup.jpg")', "the picture `posts/cup.jpg` has no text"),
        ('image("cub.jpg", "")', "there is no picture `cub.jpg`"),
        ('image("posts/cup.jpg", "", width="wide")', "the width of a picture is a number of pixels"),
        ('image("posts/cup.jpg", "", widths=[0])', "the width of a picture is a number of pixels"),
        ('image("posts/cup.jpg", "", **{"x>": "1"})', "`x>` is no name of an attribute"),
    ],
)
def test_a_wrong_call_names_the_template_and_the_line(site: Site, call: str, said: str) -> None:
    site.write("templates/page.html", PAGE.replace("{% block more %}", "\n{{ " + call + " }}{% block more %}"))
    with pytest.raises(BuildErrors) as raised:
        site.build()
    assert str(raised.value).startswith(f"site/templates/page.html:3: {said}")


def test_an_edited_picture_makes_the_pages_anew_that_show_it(site: Site) -> None:
    site.build()
    before = urls(site.page("/posts/tea/"))
    assert site.build().unchanged
    photo(site.root / "content/posts/cup.jpg", 90, 80)
    report = site.build()
    assert (report.rendered, report.unchanged) == (1, False)
    after = urls(site.page("/posts/tea/"))
    assert not before & after
    assert not any((site.root / "dist/public" / url[1:]).exists() for url in before)
    incremental = site.digest()
    site.build(clean=True)
    assert site.digest() == incremental


def test_no_variant_is_made_twice(site: Site) -> None:
    site.build()
    kept = {file: file.stat().st_mtime_ns for file in (site.root / ".hyperweb/images").iterdir()}
    assert len(kept) == 7
    site.build(clean=True)
    site.write("content/index.md", "![again](posts/cup.jpg)\n")
    report = site.build()
    assert {file: file.stat().st_mtime_ns for file in (site.root / ".hyperweb/images").iterdir()} == kept
    assert report.rendered == 1


def test_a_variant_that_was_taken_away_is_made_again(site: Site) -> None:
    site.build()
    before = site.digest()
    for file in (site.root / ".hyperweb/images").iterdir():
        file.unlink()
    site.write("content/index.md", "+++\ntitle = 'Home'\n+++\n\n[cup](posts/tea.md)!\n")
    site.build()
    assert set(site.digest()) == set(before)
    site.build(clean=True)
    assert set(site.digest()) == set(before)


def test_a_broken_picture_is_named_and_the_rest_is_built(site: Site) -> None:
    whole = (site.root / "content/posts/cup.jpg").read_bytes()
    (site.root / "content/cut.jpg").write_bytes(whole[:600])
    bomb(site.root / "content/bomb.png")
    site.write("content/index.md", "![cut](cut.jpg) ![bomb](bomb.png) ![cup](posts/cup.jpg)\n")
    report = site.build()
    assert [one.splitlines()[0].partition(": ")[0] for one in report.warnings] == [
        "site/content/bomb.png",
        "site/content/cut.jpg",
    ]
    assert "100,000 by 100,000 pixels" in report.warnings[0]
    page = site.page("/")
    assert "<img src=/cut.jpg alt=cut" in page
    assert "<img src=/bomb.png alt=bomb" in page
    assert len(urls(page)) == 7
    with pytest.raises(BuildErrors, match="the picture cannot be used"):
        site.build(strict=True)


def test_many_pictures_are_read_at_once_and_the_page_is_the_same(site: Site) -> None:
    for number in range(6):
        photo(site.root / f"content/posts/{number}.jpg", 40 + number, 30)
    site.write("content/posts/tea.md", "\n".join(f"![x]({number}.jpg)" for number in range(6)))
    site.build()
    page = site.page("/posts/tea/")
    assert [f"width={40 + number} " in page for number in range(6)] == [True] * 6


def test_markdown_is_left_alone_where_the_settings_say_so(site: Site) -> None:
    site.write("site.toml", SETTINGS + "markdown = false\n")
    site.build()
    assert "<picture" not in site.page("/posts/tea/")
    assert "<img src=/posts/cup.jpg " in site.page("/posts/tea/")
    assert not (site.root / ".hyperweb/images").exists()


def test_settings_say_which_formats_and_what_is_shown_meanwhile(site: Site) -> None:
    site.write("site.toml", SETTINGS + 'formats = ["webp"]\nplaceholder = "blur"\nsizes = "10em"\n')
    site.build()
    page = site.page("/posts/tea/")
    assert "avif" not in page
    assert "url(data:image/webp;base64," in page
    assert "sizes=10em" in page
    site.write("site.toml", SETTINGS + 'placeholder = "none"\n')
    site.build()
    assert "background" not in site.page("/posts/tea/")


def test_variants_are_kept_by_browsers_for_ever(site: Site) -> None:
    site.build()
    pack = _core.open_pack(str(site.root / "dist/site.pack"))
    for url in urls(site.page("/posts/tea/")):
        answer = pack.answer(url)
        assert answer is not None
        assert dict(answer[1])["cache-control"].endswith("immutable")
        assert dict(answer[1])["content-type"] == f"image/{url.rpartition('.')[2].replace('jpg', 'jpeg')}"


def test_a_check_knows_the_variants(site: Site) -> None:
    site.write("site.toml", SETTINGS + "[check.budgets]\nimages = 100\n")
    report = check_site(load_site(site.root))
    assert [(one.rule, one.file) for one in report.findings] == [("budget", "site/content/posts/tea.md")]
    assert "bytes of pictures, and the budget is 100" in report.findings[0].message


def test_a_page_that_is_rendered_on_request_has_its_variants(site: Site) -> None:
    site.write("content/posts/tea.md", "+++\ntitle = 'Tea'\nrender = 'dynamic'\n+++\n\n![cup](cup.jpg)\n")
    site.build()
    templates = Templates(load_site(site.root))
    node = next(one for one in templates.runtime_pages() if one.url == "/posts/tea/")
    page = templates.renderer.render(node).text
    assert len(urls(page)) == 7
    assert all((site.root / "dist/public" / url[1:]).exists() for url in urls(page))
    # A picture that no build has seen is shown as it is.
    assert "<picture" not in str(templates.renderer.image("posts/cup.jpg", "", width=11))
