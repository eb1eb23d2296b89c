"""A built site, served by the edge with workers behind it."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import brotli
import pytest

from tests.e2e.site import Running, environment, free_port, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("prod") / "site")


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--metrics", "--workers", "2", wait_for="/api/pid") as running:
        yield running


def test_each_encoding_gives_the_same_page(server: Running) -> None:
    status, headers, plain = server.get("/posts/a/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"Text of A" in plain
    assert headers["vary"] == "accept-encoding"
    tags = {headers["etag"]}
    for field, decode in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        status, headers, body = server.get("/posts/a/", {"accept-encoding": field})
        assert headers["content-encoding"] == field
        assert decode(body) == plain
        tags.add(headers["etag"])
    assert len(tags) == 3
    assert server.get("/posts/a/", {"accept-encoding": "br;q=0.1, gzip;q=0.9"})[1]["content-encoding"] == "gzip"
    assert "content-encoding" not in server.get("/posts/a/", {"accept-encoding": "br;q=0"})[1]
    assert server.get("/posts/a/", {"accept-encoding": "*;q=0"})[0] == 406


def test_conditions_ranges_and_heads(server: Running) -> None:
    _, headers, body = server.get("/posts/a/")
    status, short, nothing = server.get("/posts/a/", {"if-none-match": headers["etag"]})
    assert (status, nothing, short["etag"]) == (304, b"", headers["etag"])
    assert server.get("/posts/a/", {"if-modified-since": headers["last-modified"]})[0] == 304
    assert server.get("/posts/a/", {"if-none-match": '"other"'})[0] == 200
    status, partial, part = server.get("/posts/a/", {"range": "bytes=2-5"})
    assert (status, part, partial["content-range"]) == (206, body[2:6], f"bytes 2-5/{len(body)}")
    assert server.get("/posts/a/", {"range": "bytes=999999-"})[0] == 416
    assert server.get("/posts/a/", {"range": "bytes=0-1", "if-range": '"no"'})[0] == 200
    status, head, nothing = server.get("/posts/a/", method="HEAD")
    assert (status, nothing, head["content-length"]) == (200, b"", str(len(body)))


def test_redirects_and_what_is_not_there(server: Running) -> None:
    status, headers, _ = server.get("/posts/a?x=1")
    assert (status, headers["location"]) == (308, "/posts/a/?x=1")
    status, headers, _ = server.get("/old/")
    assert (status, headers["location"]) == (308, "/posts/a/")
    status, _, body = server.get("/nope/")
    assert status == 404
    assert b"Nothing here" in body
    status, headers, _ = server.get("/posts/a/", method="DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert server.get("//example.org/posts/a")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../site.toml",
        "/%2e%2e/site.toml",
        "/a%2fb",
        "/a%5cb",
        "/a%00b",
        "/%c0%ae%c0%ae/x",
        "/.hyperweb/graph",
        "/a\\b",
    ],
)
def test_hostile_paths_lead_to_no_file(server: Running, path: str) -> None:
    answer = server.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ", 2)[1] in {b"400", b"404"}
    assert b"title =" not in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /posts/a/#x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        # This one would go to a worker, by way of hyper.
        b"GET /api/pid#x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"POST /api/pid#x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(server: Running, request_bytes: bytes) -> None:
    answer = server.raw(request_bytes)
    assert answer == b"" or answer.split(b" ", 2)[1] == b"400"


def test_a_request_in_single_bytes_and_two_at_once(server: Running) -> None:
    one = b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert server.raw(one + last).count(b"User-agent: *") == 2
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stream:
        for byte in last:
            stream.sendall(bytes([byte]))
        found = b""
        while part := stream.recv(65536):
            found += part
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")


def test_security_headers_are_there(server: Running) -> None:
    for path in ("/posts/a/", "/api/pid"):
        headers = server.get(path)[1]
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors" in headers["content-security-policy"]
        assert "cache-tag" not in headers
        assert "server" not in headers


def test_many_at_once_on_a_cold_page_ask_python_once(server: Running) -> None:
    server.get("/api/forget", method="POST", body=b"")
    before = json.loads(server.get("/api/count")[2])["count"]
    server.get("/api/forget", method="POST", body=b"")
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(lambda _: server.get("/api/count"), range(64)))
    bodies = {body for _, _, body in answers}
    assert len(bodies) == 1
    assert {status for status, _, _ in answers} == {200}
    statuses = {headers["cache-status"].split(";")[1].strip() for _, headers, _ in answers}
    assert statuses <= {"hit", "fwd=miss"}
    again = json.loads(server.get("/api/count")[2])
    assert again["count"] <= before + 1
    _, headers, _ = server.get("/api/count")
    assert headers["cache-status"].startswith("hyperweb; hit")
    assert server.get("/api/count", {"if-none-match": headers["etag"]})[0] == 304


def test_handlers_take_bodies_and_render_templates(server: Running) -> None:
    status, _, body = server.get("/greet/you")
    assert status == 200
    assert b"<p>Hello you</p>" in body
    status, _, body = server.get("/api/echo", {"content-type": "application/json"}, "POST", b'{"a": [1, 2]}')
    assert (status, json.loads(body)) == (200, {"a": [1, 2]})
    assert server.get("/api/echo", {"content-type": "application/json"}, "POST", b"{")[0] == 400
    assert server.get("/api/echo")[0] == 405


def test_a_killed_worker_is_replaced_and_nobody_notices(server: Running) -> None:
    server.get("/api/count")
    failures: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for path in ("/posts/a/", "/api/count", "/api/pid"):
                status = server.get(path)[0]
                if status != 200:
                    failures.append(status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    victim = json.loads(server.get("/api/pid")[2])["pid"]
    os.kill(victim, signal.SIGKILL)
    seen = set()
    for _ in range(200):
        seen.add(json.loads(server.get("/api/pid")[2])["pid"])
        if len(seen - {victim}) >= 2:
            break
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen - {victim}) >= 2, "the killed worker was not replaced"


def test_a_new_build_is_taken_up_under_load(site: Path, server: Running) -> None:
    bodies: set[bytes] = set()
    failures: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            status, _, body = server.get("/posts/b/")
            if status != 200 or not body.endswith(b"</main>"):
                failures.append(status)
            bodies.add(body)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    post = site / "content" / "posts" / "b.md"
    text = post.read_text(encoding="utf-8")
    for number in range(3):
        post.write_text(f"{text}\nBuild {number}.\n", encoding="utf-8")
        hyperweb("build", site, check=True)
        for _ in range(100):
            if f"Build {number}." in server.get("/posts/b/")[2].decode():
                break
            time.sleep(0.05)
        else:
            pytest.fail("the new build was not taken up")
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(bodies) >= 4


def test_a_damaged_pack_is_refused_and_the_old_one_stays(site: Path, server: Running) -> None:
    pack = site / "dist" / "site.pack"
    good = pack.read_bytes()
    aside = site / "dist" / "bad"
    aside.write_bytes(good[:-50])
    aside.replace(pack)
    time.sleep(0.5)
    assert server.get("/posts/a/")[0] == 200
    assert server.get("/robots.txt")[2] == b"User-agent: *\n"


def test_a_pack_damaged_before_the_start_ends_it(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    hyperweb("build", site, check=True)
    pack = site / "dist" / "site.pack"
    damaged = bytearray(pack.read_bytes())
    at = damaged.index(b"Text of A")
    damaged[at] ^= 1
    pack.write_bytes(damaged)
    # It answers before all bodies are checked, and ends as soon as they are.
    found = hyperweb("serve", site, "--prod", "--no-build", "--port", "0")
    assert found.returncode == 1
    assert "BODIES" in found.stderr
    assert "build the site again" in found.stderr
    # Without an edge it does not begin.
    found = hyperweb("serve", site, "--prod", "--no-build", "--port", "0", "--direct")
    assert found.returncode == 1
    assert "BODIES" in found.stderr
    # What is damaged is not sent in between.
    port = free_port()
    command = [sys.executable, "-m", "hyperweb", "serve", str(site), "--prod", "--no-build", "--port", str(port)]
    process: subprocess.Popen[str] = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, env=environment()
    )
    answers = set()
    while process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answers.add(Running(process, port).get("/posts/a/")[0])
    assert process.returncode == 1
    assert answers <= {500}


def test_a_site_is_served_from_where_nothing_can_be_written(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    hyperweb("build", site, check=True)
    # A file where a folder should be: as good as a file system that is read only.
    shutil.rmtree(site / ".hyperweb")
    (site / ".hyperweb").write_text("")
    with serving(site, "--prod", "--no-build") as running:
        assert running.get("/posts/a/")[0] == 200


def test_the_name_of_a_host_is_led_to_its_address(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    with serving(site, "--prod", "--host", "localhost") as running:
        assert running.get("/posts/a/")[0] == 200


def test_stats_show_what_was_served(site: Path, server: Running) -> None:
    assert server.get("/robots.txt")[0] == 200
    found = json.loads(hyperweb("stats", site, "--json", check=True).stdout)
    assert found["pack_hits"] > 10
    assert found["misses"] > 0
    assert sum(found["threads"]) == found["requests"]
    assert "requests" in hyperweb("stats", site, check=True).stdout
