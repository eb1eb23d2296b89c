from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hyperweb import Purge, PurgeError, purge, purge_sync, set_purge_hook
from hyperweb.web.purge import ADMIN_SOCKET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OK = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{"purged":3}'
CHUNKED = b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{"purg\r\n6;x=1\r\ned":3}\r\n0\r\n\r\n'


class Edge:
    """Listens where the edge's admin socket would be, and answers what it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answer = OK
        self.requests: list[tuple[bytes, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
                while len(body) < length:
                    body += connection.recv(65536)
                self.requests.append((head.split(b"\r\n")[0], msgspec.json.decode(body)))
                connection.sendall(self.answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edge]:
    made = Edge(tmp_path / "admin.sock")
    monkeypatch.setenv(ADMIN_SOCKET_VARIABLE, str(made.path))
    yield made
    made.close()


def both(**order: Any) -> list[int]:
    return [asyncio.run(purge(**order)), purge_sync(**order)]


def test_a_purge_is_posted_to_the_edge(edge: Edge) -> None:
    assert both(tags=["posts", "post:a, b"], paths=["/x/"]) == [3, 3]
    body = {
        "tags": ["posts", "post:a%2C%20b"],
        "paths": ["/x/"],
        "prefix": None,
        "all": False,
        "urls": [],
        "soft": False,
    }
    assert edge.requests == [(b"POST /purge HTTP/1.1", body)] * 2


def test_a_prefix_or_everything_can_be_purged(edge: Edge) -> None:
    both(prefix="/api/")
    both(all=True)
    assert [body["prefix"] for _, body in edge.requests] == ["/api/", "/api/", None, None]
    assert [body["all"] for _, body in edge.requests] == [False, False, True, True]


def test_an_answer_in_chunks_is_read(edge: Edge) -> None:
    edge.answer = CHUNKED
    assert both(all=True) == [3, 3]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\nno such tag", "refused.*no such tag"),
        (b"hello", "not HTTP"),
        (b"", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\n{", "cannot be read"),
    ],
)
def test_an_edge_that_does_not_do_it_is_an_error_that_names_the_socket(edge: Edge, answer: bytes, why: str) -> None:
    edge.answer = answer
    with pytest.raises(PurgeError, match=why) as raised:
        asyncio.run(purge(all=True))
    assert raised.value.file == str(edge.path)
    with pytest.raises(PurgeError, match=why) as raised:
        purge_sync(all=True)
    assert raised.value.file == str(edge.path)


def test_an_edge_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADMIN_SOCKET_VARIABLE, str(tmp_path / "none.sock"))
    with pytest.raises(PurgeError, match="does not answer"):
        asyncio.run(purge(tags=["a"]))
    with pytest.raises(PurgeError, match="does not answer"):
        purge_sync(tags=["a"])


def test_with_nothing_to_drop_or_nothing_that_keeps_there_is_nothing_to_do(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert both() == [0, 0]
    monkeypatch.delenv(ADMIN_SOCKET_VARIABLE)
    assert both(tags=["a"]) == [0, 0]
    assert edge.requests == []


def test_a_hook_takes_the_place_of_the_edge(edge: Edge) -> None:
    seen: list[Purge] = []

    def hook(order: Purge) -> int:
        seen.append(order)
        return 2

    set_purge_hook(hook)
    try:
        assert both(tags=["a b"]) == [2, 2]
    finally:
        set_purge_hook(None)
    assert seen == [Purge(tags=("a%20b",))] * 2
    assert edge.requests == []


def test_one_text_is_not_a_list_of_tags() -> None:
    with pytest.raises(TypeError, match="lists"):
        both(tags="posts")
