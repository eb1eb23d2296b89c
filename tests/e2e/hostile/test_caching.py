"""Attempts to have one client's answer, or an attacker's, served to others (RFC 9111, section 7)."""

from __future__ import annotations

import json
import socketserver
import threading
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hostile.raw import send
from tests.e2e.origin import Answer, Asked, Origin, edge, origin, wait_listening
from tests.e2e.site import Running, free_port, hyperweb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

KEPT = {"Cache-Control": "max-age=60"}


def answer(asked: Asked) -> Answer:
    """Reflects what it was asked, with the policy that the path names."""
    path = asked.target.split("?")[0]
    said = json.dumps({"method": asked.method, "target": asked.target, **asked.headers}).encode()
    if path.startswith("/account/"):
        return Answer(headers={"Cache-Control": "private, max-age=60"}, body=said)
    if path.startswith("/status/"):
        return Answer(int(path.split("/")[2]), KEPT, said)
    fields = {
        "/star": {**KEPT, "Vary": "*"},
        "/varied": {**KEPT, "Vary": "X-Kind"},
        "/cookie": {**KEPT, "Set-Cookie": "session=1"},
        "/no-store": {"Cache-Control": "no-store"},
        "/private": {"Cache-Control": "max-age=60, private"},
        "/no-cache": {"Cache-Control": "no-cache"},
        "/silent": {},
        "/future": {**KEPT, "Date": "Fri, 01 Jan 2100 00:00:00 GMT"},
        "/past": {"Cache-Control": "max-age=60", "Date": "Mon, 01 Jan 1990 00:00:00 GMT"},
        "/old": {**KEPT, "Age": "-5"},
        "/older": {**KEPT, "Age": "99999999999999999999"},
    }.get(path, KEPT)
    return Answer(headers=fields, body=said)


@pytest.fixture(scope="module")
def behind() -> Iterator[Origin]:
    with origin(answer) as made:
        yield made


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caching")


@pytest.fixture(scope="module")
def front(behind: Origin, state: Path) -> Iterator[Running]:
    options = ("--limit", "variants=20", "--threads", "2", "--metrics")
    with edge(state, *options, origins=(behind.url,)) as running:
        yield running


def is_shared(front: Running, path: str, first: dict[str, str] | None = None) -> bool:
    """Whether the second of two clients is answered with what the first was."""
    front.get(path, first)
    return front.get(path)[1]["cache-status"].startswith("hyperweb; hit")


def test_what_may_be_shared_is(front: Running) -> None:
    assert is_shared(front, "/plain")


@pytest.mark.parametrize(
    "path", ["/star", "/cookie", "/no-store", "/private", "/account/x.css", "/account/logo.png?v=1", "/past", "/older"]
)
def test_what_is_for_one_client_is_not_shared(front: Running, path: str) -> None:
    assert not is_shared(front, path)


def test_what_was_answered_to_credentials_is_not_shared(front: Running) -> None:
    assert not is_shared(front, "/with-credentials", {"authorization": "Basic eDp5"})


@pytest.mark.parametrize(
    "field",
    [
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-scheme",
        "x-forwarded-server",
        "x-forwarded-anything",
        "forwarded",
        "x-host",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
    ],
)
def test_what_a_client_claims_of_the_address_does_not_reach_a_shared_entry(front: Running, field: str) -> None:
    status, _, body = front.get(f"/claims/{field}", {field: "evil.example"})
    assert status == 200
    assert b"evil.example" not in body


@pytest.mark.parametrize("status", [400, 408, 413, 415, 416, 417, 421, 431, 429])
def test_an_error_about_one_request_is_not_kept(front: Running, status: int) -> None:
    assert front.get(f"/status/{status}", {"x-odd": "a" * 3000})[0] == status
    assert not is_shared(front, f"/status/{status}")


def test_other_methods_do_not_poison_a_get(front: Running) -> None:
    for method in ("HEAD", "POST", "PUT", "OPTIONS", "PROPFIND", "get", "PURGE"):
        path = f"/by/{method}"
        front.get(path, method=method, body=None if method == "HEAD" else b"")
        status, _, body = front.get(path)
        assert (status, json.loads(body)["method"]) == (200, "GET"), method
        assert json.loads(front.get(path)[2])["method"] == "GET"


def test_a_body_in_a_get_decides_nothing_for_others(front: Running) -> None:
    front.get("/fat", method="GET", body=b"x=evil")
    assert not front.get("/fat")[1]["cache-status"].startswith("hyperweb; hit")


def test_an_absolute_target_and_a_host_field_are_one_key(front: Running, behind: Origin) -> None:
    def ask(target: bytes, host: bytes) -> bytes:
        request = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
        return send(front.port, request % (target, host)).bytes

    assert b'"host": "one"' in ask(b"http://one/absolute", b"other")
    asked = len(behind.asked)
    assert b"cache-status: hyperweb; hit" in ask(b"/absolute", b"one")
    assert b"cache-status: hyperweb; hit" in ask(b"/absolute", b"ONE")
    assert b"cache-status: hyperweb; hit" in ask(b"http://oNe/absolute", b"other")
    assert len(behind.asked) == asked
    assert b'"host": "other"' in ask(b"/absolute", b"other")


def test_a_page_with_many_variants_is_kept_in_few(front: Running, state: Path) -> None:
    before = figures(state)["cache_entries"]
    for number in range(200):
        front.get("/varied", {"x-kind": f"made-up-{number}"})
    assert front.get("/varied", {"x-kind": "real"})[0] == 200
    assert front.get("/varied", {"x-kind": "real"})[1]["cache-status"].startswith("hyperweb; hit")
    found = [front.get("/varied", {"x-kind": f"made-up-{n}", "cache-control": "only-if-cached"})[0] for n in range(200)]
    assert found.count(200) <= 20
    assert figures(state)["cache_entries"] - before <= 210


def test_clocks_that_differ_make_no_negative_age(front: Running) -> None:
    for path in ("/future", "/past", "/old", "/older", "/plain"):
        for _ in range(2):
            headers = front.get(path)[1]
            assert int(headers.get("age", "0")) >= 0, path
            assert "-" not in headers.get("age", "0")


def test_what_is_made_twice_of_one_query_is_not_one(front: Running) -> None:
    first = front.get("/q?a=1&b=2")[2]
    assert front.get("/q?a=1%26b=2")[2] != first
    assert front.get("/q%3fa=1&b=2")[2] != first
    assert json.loads(front.get("/q?a=1&b=2")[2])["target"] == "/q?a=1&b=2"


def test_an_answer_cut_short_is_not_kept(tmp_path: Path) -> None:
    class Cutter(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1000\r\n\r\n"
            self.request.sendall(head + b"half")

    port = free_port()
    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Cutter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with edge(tmp_path, origins=(f"http://127.0.0.1:{port}",), ready="") as front:
            wait_listening(front)
            for _ in range(3):
                assert front.get("/cut")[0] == 502
        server.shutdown()


def figures(state: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(hyperweb("stats", state, "--json", check=True).stdout)
    return found
