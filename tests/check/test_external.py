"""Links to other sites, asked for at a server that answers as servers do."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NoReturn

import pytest

from hyperweb.check import check_site
from hyperweb.config import load_site
from tests.check.test_check import FILES, Made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

asked: Counter[tuple[str, str]] = Counter()
LOCK = threading.Lock()


class Other(BaseHTTPRequestHandler):
    """Another site: `/404` says so, `/get` has no HEAD, `/403` is for readers only, `/moved` leads on."""

    def do_HEAD(self) -> None:
        self._answer(405 if self.path == "/get" else 200)

    def do_GET(self) -> None:
        self._answer(200)

    def _answer(self, status: int) -> None:
        with LOCK:
            asked[self.command, self.path] += 1
        name = self.path.strip("/")
        status = int(name) if name.isdigit() else status
        if name == "moved":
            self.send_response(301)
            self.send_header("location", "/fine")
        elif name == "slow":
            threading.Event().wait(1.5)
            self.send_response(200)
        else:
            self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        del format, args


@pytest.fixture
def other() -> Iterator[str]:
    asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def _site(tmp_path: Path, links: str, settings: str = "") -> Made:
    files = {**FILES, "content/b.md": f"+++\ntitle = 'B'\n+++\n\n{links}\n"}
    files["site.toml"] += f"[check]\ntimeout = 0.5\n{settings}"
    return Made(tmp_path / "site").write(**files)


def test_links_to_other_sites_are_asked_for_when_that_is_wanted(tmp_path: Path, other: str) -> None:
    names = ("404", "410", "get", "403", "500", "fine", "moved", "slow", "fine#part")
    site = _site(tmp_path, "\n".join(f"[{name}]({other}/{name})" for name in names))
    assert site.found() == []
    assert not asked
    report = site.report(external=True)
    found = {one.message.partition(other)[2].partition(" ")[0]: one.rule for one in report.findings}
    assert found == {
        "/404": "external-link",
        "/410": "external-link",
        "/403": "external-doubt",
        "/500": "external-doubt",
        "/slow": "external-doubt",
    }
    assert {one.line for one in report.findings if "/410" in one.message} == {6}
    assert (report.external, report.unasked) == (8, 0)
    assert (asked["HEAD", "/fine"], asked["HEAD", "/get"], asked["GET", "/get"]) == (1, 1, 1)
    # Where /moved leads is read there, and the link itself is not asked for again.
    assert asked["GET", "/fine"] == 1


def test_a_host_that_has_no_address_is_gone_and_one_that_is_not_asked_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(host: str, *_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME if host == "gone.invalid" else socket.EAI_AGAIN, "said by the resolver")

    site = _site(tmp_path, "[a](https://gone.invalid/) [b](https://later.invalid/)")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = {one.rule: one.message for one in site.report(external=True).findings}
    assert found == {
        "external-link": "the link https://gone.invalid/ to another site: no host of that name",
        "external-doubt": "the link https://later.invalid/ to another site: said by the resolver",
    }


def test_the_number_of_links_that_are_asked_for_is_bounded(tmp_path: Path, other: str) -> None:
    site = _site(tmp_path, f"[a]({other}/x1) [b]({other}/x2) [c]({other}/x3)", "external_limit = 2\n")
    report = site.report(external=True)
    assert (report.external, report.unasked) == (2, 1)
    assert {path for _, path in asked} == {"/x1", "/x2"}


def test_a_link_that_is_ignored_is_not_asked_for(tmp_path: Path, other: str) -> None:
    site = _site(tmp_path, f"[a]({other}/404)", 'ignore = ["*/404"]\n')
    assert check_site(load_site(site.root), external=True).findings == []
    assert not asked
