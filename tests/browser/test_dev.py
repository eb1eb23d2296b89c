"""The development server in a real browser: what is saved is shown, and so is what is wrong."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, Page, expect

from tests.e2e.site import Running, environment, free_port, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.e2e]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_site(tmp_path / "site")


@pytest.fixture
def server(site: Path) -> Iterator[Running]:
    with serving(site) as running:
        yield running


@pytest.fixture
def shown(server: Running, page: Page) -> Page:
    """A post, shown and listening for changes."""
    with page.expect_response("**/_hyperweb/reload"):
        page.goto(f"http://127.0.0.1:{server.port}/posts/a/")
    return page


def test_an_edit_reloads_the_page_at_the_same_place(site: Path, shown: Page) -> None:
    post = site / "content/posts/a.md"
    text = post.read_text("utf-8") + "\n" + "line\n\n" * 200
    post.write_text(text, "utf-8")
    expect(shown.locator("#content")).to_contain_text("line")
    shown.evaluate("scrollTo(0, 900)")
    post.write_text(text + "\nSaved again.\n", "utf-8")
    expect(shown.locator("#content")).to_contain_text("Saved again.")
    shown.wait_for_function("Math.abs(scrollY - 900) < 2")


def test_a_stylesheet_is_exchanged_without_a_reload(site: Path, shown: Page) -> None:
    shown.evaluate("window.mark = 1")
    (site / "assets/app.css").write_text("body { color: rgb(1, 2, 3) }\n", "utf-8")
    expect(shown.locator("body")).to_have_css("color", "rgb(1, 2, 3)")
    assert shown.evaluate("window.mark") == 1


def test_an_error_is_shown_with_its_line_and_goes_when_it_is_mended(site: Path, shown: Page) -> None:
    template = site / "templates/base.html"
    good = template.read_text("utf-8")
    template.write_text(good.replace("</title>", "</title>\n{{ nothing.at_all }}"), "utf-8")
    expect(shown.locator(".where").first).to_have_text("site/templates/base.html:2")
    expect(shown.locator("mark").first).to_contain_text("nothing.at_all")
    template.write_text(good, "utf-8")
    expect(shown.locator("#content")).to_contain_text("Text of A")


@pytest.mark.parametrize(
    ("path", "text", "where"),
    [
        ("content/posts/a.md", '+++\ntitle = "A"\ndate = "when"\n+++\n', "site/content/posts/a.md:3"),
        ("handlers.py", "x = 1\nimport nothing_like_it\n", "site/handlers.py:2"),
        ("site.toml", 'title = "T"\ntitel = "U"\n', "site.toml:2"),
        ("assets/app.ts", "export const a = 1;\nlet = ;\n", "site/assets/app.ts:2"),
    ],
)
def test_whatever_is_broken_is_shown_and_recovered_from(
    site: Path, shown: Page, path: str, text: str, where: str
) -> None:
    file = site / path
    good = file.read_text("utf-8")
    file.write_text(text, "utf-8")
    expect(shown.locator(".where").first).to_contain_text(where)
    file.write_text(good, "utf-8")
    expect(shown.locator("#content")).to_contain_text("Text of A")


def test_a_server_that_is_started_again_is_found_again(site: Path, page: Page) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}/posts/a/"
    with started(site, port):
        for _ in range(100):
            with contextlib.suppress(Error):
                with page.expect_response("**/_hyperweb/reload"):
                    page.goto(address)
                break
            page.wait_for_timeout(50)
    (site / "content/posts/a.md").write_text("While nobody served.\n", "utf-8")
    with started(site, port):
        expect(page.locator("#content")).to_contain_text("While nobody served.")


@contextlib.contextmanager
def started(site: Path, port: int) -> Iterator[None]:
    """A server that is killed in the end, without a word to the browser."""
    command = [sys.executable, "-m", "hyperweb", "serve", str(site), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()) as process:
        try:
            yield
        finally:
            process.kill()
