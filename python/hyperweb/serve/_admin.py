"""Talks to the admin socket of a running server, HTTP/1.1 over a Unix socket, or to its admin listener."""

from __future__ import annotations

import http.client
import socket
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hyperweb.serve._errors import ServeError


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connect(admin: str, timeout: float) -> http.client.HTTPConnection:
    if not admin.startswith("http://"):
        return _Connection(admin, timeout)
    try:
        address = urlsplit(admin)
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    except ValueError as error:
        raise ServeError(f"{admin} is no address of a server: {error}", hint="write http://HOST:PORT") from None


def ask(
    admin: str, method: str, path: str, body: object = None, *, timeout: float = 5.0, token: str | None = None
) -> Any:
    """Returns the JSON answer of the admin socket.

    Args:
        admin: The socket's path, or `http://HOST:PORT` of the admin listener.
        method: The HTTP method.
        path: The path, such as `/stats`.
        body: What is sent as JSON, or None.
        timeout: How long to wait, in seconds.
        token: What the admin listener has to be asked with.

    Raises:
        ServeError: There is no answer, or one that is no success.
    """
    connection = _connect(admin, timeout)
    try:
        payload = None if body is None else msgspec.json.encode(body)
        fields = {"content-type": "application/json"} if payload else {}
        if token:
            fields["authorization"] = f"Bearer {token}"
        connection.request(method, path, payload, fields)
        response = connection.getresponse()
        data = response.read()
    except OSError as error:
        raise ServeError(f"the server does not answer: {error}", file=admin, hint="is it still running?") from None
    finally:
        connection.close()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise ServeError(f"the server refused: {response.status} {data.decode(errors='replace')[:200]}")
    return msgspec.json.decode(data) if data else None
