"""A browser that is told which page mostly comes next fetches it before its link is clicked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import hyperweb, make_site, serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

SETTINGS = 'title = "T"\n[log]\naccess = "access.log"\nformat = "combined"\n[learning]\ncontrol = 0\n'


def test_a_browser_learns_the_edge_its_ways_and_fetches_ahead(page: Page, tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", **{"site.toml": SETTINGS})
    hyperweb("build", site, check=True)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if "peculation" in message.text else None)

    def asked() -> list[str]:
        log = site / "access.log"
        return log.read_text().splitlines() if log.exists() else []

    with serving(site, "--prod", "--workers", "1") as server:
        home = f"http://127.0.0.1:{server.port}"
        for _ in range(12):
            page.goto(home + "/")
            page.locator('a[href="/posts/a/"]').click()
            page.wait_for_url(home + "/posts/a/")
            page.goto("about:blank")
        found = page.request.get(home + "/api/content/next-likely-page?page=/").json()
        assert found["next"][0]["page"] == "/posts/a/"
        response = page.goto(home + "/")
        assert response is not None
        assert response.headers["speculation-rules"] == '"/api/content/speculation-rules?page=/"'
        for _ in range(100):
            if any("GET /api/content/speculation-rules?page=/ " in line for line in asked()):
                break
            time.sleep(0.1)
        rules = [line for line in asked() if "GET /api/content/speculation-rules?page=/ " in line]
        assert rules
        assert '" 200 ' in rules[0]
        # The page is there already, or comes now: the click asks for it no second time.
        page.wait_for_timeout(1000)
        page.locator('a[href="/posts/a/"]').click()
        page.wait_for_url(home + "/posts/a/")
        delivery = page.evaluate("performance.getEntriesByType('navigation')[0].deliveryType")
        assert delivery == "navigational-prefetch"
    assert trouble == []
