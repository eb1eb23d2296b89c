"""Bytes sent to a server as they are, and what comes back."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import NamedTuple


class Reply(NamedTuple):
    """All that came back.

    Attributes:
        statuses: The status of each response, in order.
        bytes: All of it.
        closed: Whether the server closed the connection.
    """

    statuses: list[int]
    bytes: bytes
    closed: bool


def send(port: int, *parts: bytes, wait: float = 1.0, pause: float = 0.05) -> Reply:
    """Sends parts with pauses between them, and reads until the server closes or says nothing for `wait` seconds."""
    found, closed = b"", False
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
        with contextlib.suppress(OSError):
            for number, part in enumerate(parts):
                if number:
                    time.sleep(pause)
                stream.sendall(part)
        stream.settimeout(wait)
        try:
            while part := stream.recv(65536):
                found += part
            closed = True
        except TimeoutError:
            pass
        except OSError:
            closed = True
    return Reply(statuses(found), found, closed)


def statuses(answer: bytes) -> list[int]:
    """Returns the statuses of the responses in an answer, in which no body has a status line."""
    lines = answer.split(b"HTTP/1.1 ")[1:]
    return [int(line[:3]) for line in lines if line[:3].isdigit()]
