"""The blog as a reader meets it: on a phone and on a desk, with its buttons, and from page to page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from hyperweb._core import open_pack
from tests.e2e.site import Running, hyperweb, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.e2e]
BLOG = Path(__file__).resolve().parents[2] / "sites" / "blog"
WIDTHS = (390, 1280)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("blog") / "blog"
    shutil.copytree(BLOG, site, ignore=shutil.ignore_patterns("dist", ".hyperweb", "__pycache__", "var"))
    hyperweb("build", site, "--spa", check=True)
    return site


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--spa", "--workers", "1", wait_for="/now/") as running:
        yield running


@pytest.fixture(scope="module")
def paths(site: Path) -> list[str]:
    pack = open_pack(str(site / "dist/site.pack"))
    pages = [path for path in pack.paths() if path.endswith("/") and not path.startswith("/api/")]
    answers = {path: pack.answer(path) for path in pages}
    return [path for path, found in answers.items() if found is not None and found[0] == 200]


@pytest.fixture
def home(page: Page, server: Running) -> str:
    return f"http://127.0.0.1:{server.port}"


def failed(page: Page, request: Request) -> list[str]:
    """What is to be said of a request that came to nothing: one that the browser gave up with its page did not fail."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"{page.url}: {request.url} {request.failure}"]


def first_post(paths: list[str]) -> str:
    return next(path for path in paths if path.startswith("/posts/") and path != "/posts/")


def test_every_page_fits_its_window_and_says_nothing_on_the_console(page: Page, home: str, paths: list[str]) -> None:
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(f"{page.url}: {message.text}") if is_bad(message.type) else None)
    page.on("pageerror", lambda error: trouble.append(f"{page.url}: {error}"))
    page.on("requestfailed", lambda request: trouble.extend(failed(page, request)))
    page.on("response", lambda found: trouble.append(f"{found.url}: {found.status}") if found.status >= 400 else None)
    assert len(paths) > 5
    for path in [*paths, "/now/", "/echo/"]:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if width == WIDTHS[0]:
                page.goto(home + path)
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if over > 0:
                trouble.append(f"{path}: {over} px too wide at {width} px")
        if page.locator("main h1").count() != 1:
            trouble.append(f"{path}: not exactly one heading of the first level")
        assert page.title(), path
    assert trouble == []


def is_bad(kind: str) -> bool:
    return kind in {"error", "warning"}


def test_the_pages_are_swapped_and_the_menu_follows(page: Page, home: str, paths: list[str]) -> None:
    page.goto(home + "/")
    page.evaluate("window.mark = 1")
    page.locator(".nav").get_by_role("link", name="Posts", exact=True).click()
    expect(page).to_have_url(home + "/posts/")
    expect(page.locator(".nav a[aria-current]")).to_have_text("Posts")
    page.locator(f'main a[href="{first_post(paths)}"]').first.click()
    expect(page).to_have_url(home + first_post(paths))
    expect(page.locator("main h1")).to_be_focused()
    assert page.evaluate("window.mark") == 1
    for _ in range(2):
        page.go_back()
    expect(page).to_have_url(home + "/")
    assert page.evaluate("window.mark") == 1


def test_the_theme_is_chosen_and_kept(page: Page, home: str) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(home + "/")
    button = page.locator("[data-theme-toggle]")
    light = background(page)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    dark = background(page)
    assert light != dark
    page.locator(".nav").get_by_role("link", name="About").click()
    expect(page).to_have_url(home + "/about/")
    assert background(page) == dark
    page.reload()
    assert background(page) == dark
    button.click()
    assert background(page) == light


def background(page: Page) -> str:
    found: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    if found == "rgba(0, 0, 0, 0)":
        found = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


def test_the_search_finds_a_post_and_leads_there(page: Page, home: str, paths: list[str]) -> None:
    page.goto(home + first_post(paths))
    title = page.locator("main h1").inner_text()
    page.goto(home + "/")
    page.keyboard.press("/")
    dialog = page.locator("dialog.search")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.locator("[data-search]").click()
    page.get_by_role("combobox").fill("no such words anywhere")
    expect(dialog.locator(".search-hint")).to_contain_text("Nothing about")
    page.get_by_role("combobox").fill(title)
    expect(page.get_by_role("option").first).to_contain_text(title)
    page.keyboard.press("Enter")
    expect(page).to_have_url(home + first_post(paths))
    expect(dialog).to_be_hidden()


def test_code_is_copied_also_on_a_page_that_was_swapped_in(
    context: BrowserContext, page: Page, home: str, paths: list[str]
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=home)
    for path in paths:
        page.goto(home + path)
        if path != "/live/" and page.locator("pre.code").count():
            break
    check_copy(page)
    page.goto(home + "/")
    page.locator(".nav").get_by_role("link", name="Live").click()
    expect(page).to_have_url(home + "/live/")
    check_copy(page)


def check_copy(page: Page) -> None:
    box = page.locator(".codebox").first
    box.hover()
    box.get_by_role("button").click()
    expect(box.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == box.locator("pre").text_content()


def test_the_form_says_what_is_wrong_and_then_thanks(page: Page, home: str) -> None:
    page.goto(home + "/contact/")
    form = page.locator("main form")
    form.evaluate("form => { form.noValidate = true; form.requestSubmit() }")
    expect(page.locator("main")).to_contain_text("A name is missing")
    form.locator("[name=name]").fill("A reader")
    form.locator("[name=email]").fill("reader@example.org")
    form.locator("[name=message]").fill("Good day.")
    form.locator("button[type=submit], button:not([type])").last.click()
    expect(page).to_have_url(home + "/contact/thanks/")
