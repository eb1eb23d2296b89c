"""Proxies that are believed about whom a request is from, and what it was for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.origin import Answer, Asked, Origin, edge, origin
from tests.e2e.site import Running, hyperweb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

XFF = {
    "X-Forwarded-For": "6.6.6.6, 192.0.2.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
}
FORWARDED = {"Forwarded": 'for=6.6.6.6, for="[2001:db8::7]:80";proto=https;host=shop.example'}


@pytest.fixture(scope="module")
def behind() -> Iterator[Origin]:
    def answer(asked: Asked) -> Answer:
        kept = "max-age=60" if "/kept" in asked.target else "no-store"
        return Answer(headers={"cache-control": kept}, body=json.dumps(asked.headers).encode())

    with origin(answer) as running:
        yield running


def told(front: Running, headers: dict[str, str], path: str = "/", method: str = "GET") -> dict[str, Any]:
    status, _, body = front.get(path, headers, method=method, body=b"x" if method == "POST" else None)
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_trusted_proxy_is_believed(behind: Origin, tmp_path: Path, method: str) -> None:
    options = ("--trust", "127.0.0.0/8", "--access-log", str(tmp_path / "access"), "--limit", "address_connections=1")
    with edge(tmp_path, *options, origins=(behind.url,)) as front:
        found = told(front, XFF, method=method)
        assert (found["x-forwarded-for"], found["x-forwarded-proto"]) == ("192.0.2.7", "https")
        assert (found["x-forwarded-host"], found["host"]) == ("shop.example", "shop.example")
        # What the proxy does not say it by is the client's own claim.
        found = told(front, FORWARDED, method=method)
        assert (found["x-forwarded-for"], found["x-forwarded-proto"]) == ("127.0.0.1", "http")
        assert "forwarded" not in found
        found = told(front, {"X-Forwarded-For": "6.6.6.6, nonsense"}, method=method)
        assert found["x-forwarded-for"] == "127.0.0.1"
    lines = (tmp_path / "access").read_text().splitlines()
    assert [line.split()[0] for line in lines if "192.0.2.7" in line] == ["192.0.2.7"]


def test_the_standard_field_is_believed_where_it_is_set(behind: Origin, tmp_path: Path) -> None:
    options = ("--trust", "127.0.0.1", "--trust-field", "forwarded")
    with edge(tmp_path, *options, origins=(behind.url,)) as front:
        found = told(front, {**FORWARDED, "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example"})
        assert (found["x-forwarded-for"], found["x-forwarded-proto"]) == ("2001:db8::7", "https")
        assert found["host"] == "shop.example"


def test_who_is_not_trusted_is_not_believed(behind: Origin, tmp_path: Path) -> None:
    for options in ((), ("--trust", "10.0.0.0/8")):
        with edge(tmp_path, *options, origins=(behind.url,)) as front:
            found = told(front, {**XFF, **FORWARDED})
            assert (found["x-forwarded-for"], found["x-forwarded-proto"]) == ("127.0.0.1", "http")
            assert found["host"] == f"127.0.0.1:{front.port}"
            # And never decides what others are answered.
            told(front, XFF, "/kept")
            found = told(front, {}, "/kept")
            assert found["host"] == f"127.0.0.1:{front.port}"


def test_what_is_kept_is_kept_for_the_scheme_and_host_it_was_for(behind: Origin, tmp_path: Path) -> None:
    with edge(tmp_path, "--trust", "127.0.0.1", origins=(behind.url,)) as front:
        secure = told(front, XFF, "/kept/one")
        assert secure["x-forwarded-proto"] == "https"
        assert told(front, {**XFF, "X-Forwarded-For": "192.0.2.8"}, "/kept/one") == secure
        plain = told(front, {**XFF, "X-Forwarded-Proto": "http"}, "/kept/one")
        assert plain["x-forwarded-proto"] == "http"
        assert told(front, {}, "/kept/one")["host"] != "shop.example"


def test_what_is_no_network_is_named(tmp_path: Path) -> None:
    found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--trust", "10.0.0.0/99", "--state", tmp_path)
    assert found.returncode == 1
    assert "10.0.0.0/99 is no network" in found.stderr
