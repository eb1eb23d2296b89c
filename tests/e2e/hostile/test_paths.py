"""Paths that try to name another file, in all three ways a site is served."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hostile.raw import send
from tests.e2e.site import Running, environment, free_port, hyperweb, make_site, serving, wait_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

SECRET = "hyperweb-secret-text"
HOSTILE = [
    b"/../site.toml",
    b"/static/../../secret",
    b"/a/../robots.txt",
    b"/a/./b",
    b"/..",
    b"/%2e%2e/site.toml",
    b"/.%2e/site.toml",
    b"/%2E%2E%2Fsite.toml",
    b"/%2e/robots.txt",
    b"/..%5csite.toml",
    b"/a%5cb",
    b"/a\\b",
    b"/%00",
    b"/robots.txt%00.html",
    b"/%c0%ae%c0%ae/site.toml",
    b"/%e0%80%ae/x",
    b"/%ff",
    b"/%ed%a0%80",
    b"/a%0d%0aX:%20y",
    b"/a%0ab",
    b"/a%7fb",
]
# Granian hands a decoded path to Python, so that in these two cases it cannot be told what was sent.
AT_THE_EDGE = [b"/a%2fb", b"/posts%2Fa/", b"/%2frobots.txt", b"/%", b"/%zz", b"/%4", b"/a%"]
MISSING = [
    b"/%252e%252e/site.toml",
    b"/.hyperweb/graph",
    b"/.git/config",
    b"/site.toml",
    b"/handlers.py",
    b"//etc/passwd",
    b"/dist/site.pack",
]


@pytest.fixture(scope="module", params=["edge", "direct", "dev"])
def mode(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Running]]:
    kind: str = request.param
    site = make_site(tmp_path_factory.mktemp(kind) / "site")
    options = {"edge": ("--prod",), "direct": ("--prod", "--direct"), "dev": ()}[kind]
    workers = () if kind == "dev" else ("--workers", "1")
    with serving(site, *options, *workers, wait_for="/robots.txt") as running:
        yield kind, running


def ask(running: Running, path: bytes, method: bytes = b"GET") -> int:
    # A closed write side would stop what is asked of a slow server, so the server closes.
    request = method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    reply = send(running.port, request, wait=5)
    assert SECRET.encode() not in reply.bytes
    assert b"root:" not in reply.bytes
    assert b"title =" not in reply.bytes
    assert reply.closed, "it hangs"
    return reply.statuses[0]


@pytest.mark.parametrize("path", HOSTILE, ids=repr)
def test_a_hostile_path_is_no_request(mode: tuple[str, Running], path: bytes) -> None:
    _, running = mode
    assert ask(running, path) == 400
    assert ask(running, path, b"HEAD") == 400


@pytest.mark.parametrize("path", AT_THE_EDGE, ids=repr)
def test_what_is_encoded_in_two_meanings_is_refused_by_the_edge(mode: tuple[str, Running], path: bytes) -> None:
    kind, running = mode
    assert ask(running, path) in ({400} if kind == "edge" else {200, 404})


@pytest.mark.parametrize("path", MISSING, ids=repr)
def test_what_is_no_page_is_not_there(mode: tuple[str, Running], path: bytes) -> None:
    _, running = mode
    assert ask(running, path) == 404


@pytest.mark.parametrize("target", ["secret/secret.txt", "secret", "/dev/zero", "/etc/passwd"])
def test_a_link_out_of_the_site_is_not_built(tmp_path: Path, target: str) -> None:
    site = make_site(tmp_path / "site")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "secret.txt").write_text(SECRET)
    (site / "static" / "linked").symlink_to(tmp_path / target)
    built = hyperweb("build", site)
    assert built.returncode == 1
    assert "static/linked: this link leads out of the site" in built.stderr


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    os.mkfifo(site / "static" / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(site / "static" / "socket"))
    built = hyperweb("build", site)
    assert built.returncode in {0, 1}
    assert built.returncode == 0 or "static/pipe" in built.stderr


@pytest.mark.parametrize("put", ["pipe", "link", "shorter", "missing"])
def test_what_stands_in_place_of_a_large_file_is_not_sent(tmp_path: Path, put: str) -> None:
    site = make_site(tmp_path / "site")
    (site / "static" / "big.bin").write_bytes(os.urandom(3 << 20))
    hyperweb("build", site, check=True)
    (tmp_path / "secret").write_text(SECRET * 200_000)
    with serving(site, "--prod", "--no-build", wait_for="/robots.txt") as running:
        (large,) = (file for file in (site / "dist" / "large").iterdir() if file.stat().st_size == 3 << 20)
        large.unlink()
        if put == "pipe":
            os.mkfifo(large)
        elif put == "link":
            large.symlink_to(tmp_path / "secret")
        elif put == "shorter":
            large.write_bytes(b"x")
        assert ask(running, b"/big.bin") == 500
        assert ask(running, b"/robots.txt") == 200


def test_a_file_that_is_cut_short_while_it_is_sent_does_not_end_well(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    (site / "static" / "big.bin").write_bytes(os.urandom(40 << 20))
    hyperweb("build", site, check=True)
    port = free_port()
    command = [sys.executable, "-m", "hyperweb", "serve", str(site), "--prod", "--no-build", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True, env=environment())
    try:
        wait_up(Running(process, port), "/robots.txt")
        (large,) = (file for file in (site / "dist" / "large").iterdir() if file.stat().st_size == 40 << 20)
        with socket.socket() as stream:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            stream.connect(("127.0.0.1", port))
            stream.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            found = len(stream.recv(65536))
            os.truncate(large, 1000)
            stream.settimeout(5)
            try:
                while part := stream.recv(1 << 20):
                    found += len(part)
            except ConnectionResetError:
                pass
        assert found < 40 << 20
    finally:
        process.terminate()
        process.wait(30)
