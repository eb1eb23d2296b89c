"""What connections cost that are open and ask for nothing."""

from __future__ import annotations

import resource
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.client import HOST, TIMEOUT
from benches.compare.errors import CompareError
from benches.compare.throughput import KEPT_KIB, kept, up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benches.compare.peers.peer import Peer, Setup
    from benches.compare.throughput import Running

# Descriptors that a client needs beside its connections.
SPARE = 256
# How long memory that was needed only for a moment is waited for to be given back.
REST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Idle:
    """The memory of a server, in bytes, before and with so many connections that each asked once and stay."""

    title: str
    connections: int
    before: int
    after: int


def possible(wanted: int) -> int:
    """Returns how many connections this process may open, at most `wanted`, and raises its limit for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, wanted + SPARE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(wanted, hard - SPARE)


def idle(
    peers: Sequence[Peer], caches: Sequence[Peer], setup: Setup, wanted: int, say: Callable[[str], None]
) -> list[Idle]:
    """Opens connections to each peer in turn, asks for a small body over each, and looks at the memory."""
    count = possible(wanted)
    body = next(body for body in bodies() if body.kib == KEPT_KIB)
    result = []
    for is_cache, some in ((False, peers), (True, caches)):
        for peer in some:
            with ExitStack() as stack:
                one = kept(stack, [peer], setup, body)[0] if is_cache else up(stack, peer, setup, body.path)
                time.sleep(REST_SECONDS)
                before = one.server.proportional_memory()
                for connection in _asked(one, body.path, len(body.content), count):
                    stack.enter_context(connection)
                time.sleep(REST_SECONDS)
                after = one.server.proportional_memory()
                result.append(Idle(peer.title, count, before, after))
                say(f"{count:,} connections idle: {peer.title} {before / 1e6:.1f} MB, then {after / 1e6:.1f} MB")
    return result


def _asked(one: Running, path: str, size: int, count: int) -> list[socket.socket]:
    """Connections that have asked for a path once."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{one.port}\r\n\r\n".encode()
    connections = []
    for _ in range(count):
        connection = socket.create_connection((HOST, one.port), TIMEOUT)
        connections.append(connection)
        connection.sendall(request)
        read = b""
        while len(read) - read.find(b"\r\n\r\n") - 4 < size or b"\r\n\r\n" not in read:
            if not (piece := connection.recv(65536)):
                message = f"{one.server.name} closed a connection after {read[:100]!r}"
                raise CompareError(message)
            read += piece
        if not read.startswith(b"HTTP/1.1 200"):
            message = f"{one.server.name} answered {read[:100]!r}"
            raise CompareError(message)
    return connections
