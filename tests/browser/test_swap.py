"""The script that swaps pages, in a real browser against a server that really runs (`serve --prod --spa`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.site import Running, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

LONG = "\n\n".join(f"Paragraph {number} of a long page." for number in range(80))
FILES = {
    "templates/base.html": """<!doctype html><html lang="{{ page.extra.lang or 'en' }}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{{ page.title }} &amp; more</title>
<meta name="description" content="About {{ page.title }}">{% if page.extra.author %}
<meta name="author" content="{{ page.extra.author }}">{% endif %}
<link rel="canonical" href="{{ url(page.url) }}"><link rel="icon" href="data:,">
<link rel="stylesheet" href="{{ asset('app.css') }}">{% if page.extra.style %}
<link rel="stylesheet" href="{{ asset(page.extra.style) }}">{% endif %}{% if page.extra.script %}
<script type="module" src="{{ asset(page.extra.script) }}"></script>{% endif %}</head>
<body><nav><a href="/">Home</a> <a href="/posts/a/">To A</a> <a href="/posts/b/">To B</a></nav>
<main id="content"><h1>{{ page.title }}</h1>{% block content %}{{ page.content }}{% endblock %}</main></body></html>
""",
    "templates/greet.html": '<!doctype html><title>Greet</title><main id="content"><p>Hello {{ name }}</p></main>',
    "pages/index.html": """+++
title = "Front"
+++
{% extends "base.html" %}{% block content %}
<p><a href="/old/">An old address</a> <a href="/nothing/here/">Nowhere</a> <a href="/greet/you">A handler</a>
<a href="/robots.txt">A file</a> <a href="/posts/b/#far">Far down B</a> <a href="#below">Below</a>
<a href="/posts/a/" target="_blank">In a tab</a> <a href="/posts/a/" data-no-spa>Loaded whole</a>
<a href="/posts/script/">With a script</a> <a href="/posts/a">No slash</a></p>
<div style="height:3000px"></div><h2 id="below">Below this</h2><p><a href="/posts/b/">From far down</a></p>
<div style="height:3000px"></div>{% endblock %}""",
    "content/posts/a.md": f'+++\ntitle = "A"\nauthor = "Ada"\n+++\n\nText of A.\n\n{LONG}\n',
    "content/posts/b.md": f'+++\ntitle = "B"\nlang = "de"\nstyle = "b.css"\n+++\n\n{LONG}\n\n## Far\n\n{LONG}\n',
    "content/posts/script.md": """+++
title = "Script"
script = "page.ts"
+++

<p id="made">not run</p><script>document.getElementById("made").textContent = "run once";</script>
""",
    "assets/b.css": "h1 { color: rgb(1, 2, 3) }\n",
    "assets/page.ts": "document.documentElement.dataset['module'] = 'run';\n",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("swap") / "site", **FILES)


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--spa", "--workers", "1", wait_for="/api/pid") as running:
        yield running


@pytest.fixture
def front(page: Page, server: Running) -> Page:
    """The front page, marked so that a full load shows."""
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.evaluate("window.mark = 1")
    return page


def is_same_document(page: Page) -> bool:
    return page.evaluate("window.mark === 1") is True


def shown(page: Page, heading: str) -> None:
    expect(page.locator("#content h1")).to_have_text(heading)


def test_a_click_swaps_the_page_and_all_that_belongs_to_it(front: Page) -> None:
    front.get_by_role("link", name="To A").click()
    shown(front, "A")
    assert is_same_document(front)
    assert front.url.endswith("/posts/a/")
    assert front.title() == "A & more"
    assert front.locator("meta[name=description]").get_attribute("content") == "About A"
    assert front.locator("meta[name=author]").get_attribute("content") == "Ada"
    assert front.locator("link[rel=canonical]").get_attribute("href") == "https://example.org/posts/a/"
    assert front.evaluate("document.activeElement.textContent") == "A"
    front.get_by_role("link", name="To B").click()
    shown(front, "B")
    assert is_same_document(front)
    assert front.locator("meta[name=author]").count() == 0
    assert front.locator("meta[name=description]").count() == 1
    assert front.locator("html").get_attribute("lang") == "de"
    expect(front.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")
    front.reload()
    shown(front, "B")


def test_what_is_pointed_at_is_fetched_before_the_click_and_once(front: Page) -> None:
    asked: list[str] = []
    front.on("request", lambda request: asked.append(request.url))
    link = front.get_by_role("link", name="To A")
    with front.expect_response("**/api/content/posts/a/"):
        link.hover()
    link.click()
    shown(front, "A")
    assert [url for url in asked if url.endswith("/posts/a/")] == [front.url.replace("/posts/", "/api/content/posts/")]


def test_a_new_page_begins_at_its_top_and_history_returns_to_the_place(front: Page) -> None:
    front.evaluate("scrollTo(0, 3000)")
    front.get_by_role("link", name="From far down").click()
    shown(front, "B")
    assert front.evaluate("scrollY") == 0
    front.evaluate("scrollTo(0, 700)")
    front.go_back()
    shown(front, "Front")
    front.wait_for_function("Math.abs(scrollY - 3000) < 2")
    front.go_forward()
    shown(front, "B")
    front.wait_for_function("Math.abs(scrollY - 700) < 2")
    front.go_back()
    shown(front, "Front")
    assert is_same_document(front)
    assert front.url.endswith("/")


def test_a_place_outlives_a_full_load(front: Page) -> None:
    front.evaluate("scrollTo(0, 2500)")
    front.get_by_role("link", name="Loaded whole").evaluate("link => link.click()")
    shown(front, "A")
    assert not is_same_document(front)
    front.go_back()
    shown(front, "Front")
    front.wait_for_function("Math.abs(scrollY - 2500) < 2")


def test_anchors_are_led_to_in_this_page_and_in_another(front: Page) -> None:
    front.get_by_role("link", name="Below").click()
    front.wait_for_function("Math.abs(document.getElementById('below').getBoundingClientRect().top) < 2")
    assert front.url.endswith("/#below")
    front.go_back()
    front.wait_for_function("scrollY === 0")
    assert is_same_document(front)
    front.get_by_role("link", name="Far down B").click()
    shown(front, "B")
    assert front.url.endswith("/posts/b/#far")
    front.wait_for_function("Math.abs(document.getElementById('far').getBoundingClientRect().top) < 2")
    assert is_same_document(front)


@pytest.mark.parametrize(
    ("link", "path", "heading"), [("An old address", "/posts/a/", "A"), ("No slash", "/posts/a/", "A")]
)
def test_a_redirect_ends_at_its_target(front: Page, link: str, path: str, heading: str) -> None:
    front.get_by_role("link", name=link).click()
    shown(front, heading)
    expect(front).to_have_url(re.compile(re.escape(path) + "$"))
    front.go_back()
    shown(front, "Front")


def test_a_page_that_is_not_there_is_loaded_whole(front: Page) -> None:
    front.get_by_role("link", name="Nowhere").click()
    expect(front.locator("h1").last).to_have_text("Nothing here")
    assert front.url.endswith("/nothing/here/")
    assert not is_same_document(front)
    front.go_back()
    shown(front, "Front")


def test_what_python_makes_is_loaded_whole(front: Page) -> None:
    front.get_by_role("link", name="A handler").click()
    expect(front.locator("#content")).to_contain_text("Hello you")
    assert front.url.endswith("/greet/you")


def test_a_file_is_left_to_the_browser(front: Page) -> None:
    front.get_by_role("link", name="A file").click()
    expect(front.locator("body")).to_contain_text("User-agent")


@pytest.mark.parametrize("key", ["Control", "Shift"])
def test_a_click_with_a_key_held_is_the_browsers(front: Page, context: BrowserContext, key: str) -> None:
    with context.expect_page() as opened:
        front.get_by_role("link", name="To A").click(modifiers=[key])  # type: ignore[list-item]
    shown(opened.value, "A")
    shown(front, "Front")
    assert is_same_document(front)


def test_a_link_to_a_tab_of_its_own_opens_one(front: Page, context: BrowserContext) -> None:
    with context.expect_page() as opened:
        front.get_by_role("link", name="In a tab").click()
    shown(opened.value, "A")
    shown(front, "Front")


def test_the_scripts_of_a_page_run_when_it_is_swapped_in(front: Page) -> None:
    front.get_by_role("link", name="With a script").click()
    expect(front.locator("#made")).to_have_text("run once")
    expect(front.locator("html")).to_have_attribute("data-module", "run")
    assert is_same_document(front)


def test_the_sites_own_scripts_are_told(front: Page) -> None:
    front.evaluate("window.told = []; document.addEventListener('hyperweb:navigate', e => told.push(e.detail))")
    front.get_by_role("link", name="To B").click()
    shown(front, "B")
    front.go_back()
    shown(front, "Front")
    front.wait_for_function("told.length === 2")
    told = front.evaluate("told")
    assert [one["title"] for one in told] == ["B & more", "Front & more"]
    assert told[0]["url"].endswith("/posts/b/")


def test_of_two_clicks_in_a_row_the_last_wins(front: Page) -> None:
    def late(route: Route) -> None:
        front.wait_for_timeout(300)
        route.continue_()

    front.route("**/api/content/posts/a/", late)
    front.evaluate("document.querySelectorAll('nav a')[1].click(); document.querySelectorAll('nav a')[2].click()")
    shown(front, "B")
    front.wait_for_timeout(500)
    shown(front, "B")
    assert front.url.endswith("/posts/b/")
    front.go_back()
    shown(front, "Front")


def test_a_server_in_trouble_is_met_by_a_full_load(front: Page) -> None:
    front.route("**/api/content/**", lambda route: route.fulfill(status=500, body="no"))
    front.get_by_role("link", name="To A").click()
    shown(front, "A")
    assert not is_same_document(front)


def test_another_build_is_loaded_whole(site: Path, front: Page) -> None:
    (site / "assets/app.css").write_text("body { color: rgb(9, 9, 9) }\n", "utf-8")
    hyperweb("build", site, "--spa", check=True)
    front.wait_for_function(
        "async () => (await (await fetch('/api/content/posts/a/', {cache: 'reload'})).json()).build !=="
        " document.querySelector('meta[name=hyperweb-build]').content"
    )
    front.get_by_role("link", name="To A").click()
    expect(front.locator("body")).to_have_css("color", "rgb(9, 9, 9)")
    shown(front, "A")
    assert not is_same_document(front)
    front.evaluate("window.mark = 1")
    front.get_by_role("link", name="To B").click()
    shown(front, "B")
    assert is_same_document(front)
