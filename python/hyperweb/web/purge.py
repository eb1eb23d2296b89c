"""Tells the edge to drop what it keeps: by tag, by path, by prefix, or everything."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Callable, Iterable

import msgspec

from hyperweb.web.errors import PurgeError
from hyperweb.web.tags import clean_tag

ADMIN_SOCKET_VARIABLE = "HYPERWEB_ADMIN_SOCKET"
"""The environment variable with the path of the edge's admin socket; the supervisor sets it for its workers."""

TIMEOUT = 5.0
"""How long to wait for the edge, in seconds."""

_MAX_ANSWER = 1 << 20
_URL = re.compile(r"(?:https?:)?//[^/?#\s]+(?:/[^#\s]*)?")


class Purge(msgspec.Struct, frozen=True):
    """What to drop.

    Attributes:
        tags: Cache tags; a response with any of them goes.
        paths: Exact paths, such as `/posts/hello/`.
        prefix: Every path that starts with this.
        all: Everything.
        urls: Exact addresses with host and query, such as `https://example.org/posts/?page=2`, in all variants.
        soft: Whether they become stale and are not dropped: used while new ones are made, and when nobody can be asked.
    """

    tags: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    prefix: str | None = None
    all: bool = False
    urls: tuple[str, ...] = ()
    soft: bool = False


class _Purged(msgspec.Struct):
    purged: int = 0


PurgeHook = Callable[[Purge], int]


class _Hook:
    """The in-process cache to purge, when there is one."""

    current: PurgeHook | None = None


def set_purge_hook(hook: PurgeHook | None) -> None:
    """Sends purges to a function of this process in place of the edge's socket; None takes it away.

    Args:
        hook: Drops what it is told and returns how many responses that were. It must not block.
    """
    _Hook.current = hook


async def purge(
    *,
    tags: Iterable[str] = (),
    paths: Iterable[str] = (),
    prefix: str | None = None,
    all: bool = False,  # noqa: A002 - the word for it in the admin protocol
    urls: Iterable[str] = (),
    soft: bool = False,
) -> int:
    """Drops responses from the cache, and returns how many; the event loop is not blocked meanwhile.

    Without an edge and without a hook nothing is kept, so there is nothing to drop and the answer is 0. With `soft`
    they are made stale, and used while new ones are made where they have time for that; how many those with a tag or
    an address are is not known then, and the answer is 0.

    Raises:
        PurgeError: The edge could not be reached, or refused.
    """
    order = make_purge(tags, paths, prefix, urls, everything=all, soft=soft)
    if (target := _target(order)) is None:
        return 0
    if callable(target):
        return target(order)
    try:
        async with asyncio.timeout(TIMEOUT):
            return _read_answer(target, await _exchange(target, _request(order)))
    except (OSError, TimeoutError) as error:
        raise _unreachable(target, error) from error


def purge_sync(
    *,
    tags: Iterable[str] = (),
    paths: Iterable[str] = (),
    prefix: str | None = None,
    all: bool = False,  # noqa: A002 - the word for it in the admin protocol
    urls: Iterable[str] = (),
    soft: bool = False,
) -> int:
    """Does what `purge` does for code that is not async, such as a handler in a thread.

    Raises:
        PurgeError: The edge could not be reached, or refused.
    """
    order = make_purge(tags, paths, prefix, urls, everything=all, soft=soft)
    if (target := _target(order)) is None:
        return 0
    if callable(target):
        return target(order)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(target)
            connection.sendall(_request(order))
            answer = b""
            while len(answer) <= _MAX_ANSWER and (chunk := connection.recv(65536)):
                answer += chunk
    except OSError as error:
        raise _unreachable(target, error) from error
    return _read_answer(target, answer)


def make_purge(
    tags: Iterable[str],
    paths: Iterable[str],
    prefix: str | None,
    urls: Iterable[str],
    *,
    everything: bool,
    soft: bool,
) -> Purge:
    """Returns a purge, its tags as they are in headers.

    Raises:
        PurgeError: A URL is none.
        TypeError: A text stands where a list should be.
    """
    if isinstance(tags, str) or isinstance(paths, str) or isinstance(urls, str):
        msg = "tags, paths and urls are lists: purge(tags=['posts'])"
        raise TypeError(msg)
    urls = tuple(urls)
    for url in urls:
        if not _URL.fullmatch(url):
            raise PurgeError(f"{url!r} is no URL to purge", hint="write it with its host: https://example.org/posts/")
    return Purge(tuple(map(clean_tag, tags)), tuple(paths), prefix, everything, urls, soft)


def _target(order: Purge) -> PurgeHook | str | None:
    if order in (Purge(), Purge(soft=True)):
        return None
    return _Hook.current or os.environ.get(ADMIN_SOCKET_VARIABLE) or None


def _request(order: Purge) -> bytes:
    body = msgspec.json.encode(order)
    head = (
        "POST /purge HTTP/1.1\r\nhost: edge\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


async def _exchange(target: str, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(target)
    try:
        writer.write(request)
        await writer.drain()
        answer = b""
        while len(answer) <= _MAX_ANSWER and (chunk := await reader.read(65536)):
            answer += chunk
        return answer
    finally:
        writer.close()


def _read_answer(target: str, answer: bytes) -> int:
    head, found, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ")
    if not found or len(status) < 2 or not status[1].isdigit():  # noqa: PLR2004 - version and code
        msg = "the edge's answer to a purge is not HTTP"
        raise PurgeError(msg, file=target)
    if not 200 <= int(status[1]) < 300:  # noqa: PLR2004 - the class of successes
        raise PurgeError(f"the edge refused a purge: {body[:200]!a}", file=target)
    if b"transfer-encoding: chunked" in head.lower():
        body = _join_chunks(body)
    try:
        return msgspec.json.decode(body, type=_Purged).purged if body.strip() else 0
    except (msgspec.DecodeError, ValueError) as error:
        msg = f"the edge's answer to a purge cannot be read: {error}"
        raise PurgeError(msg, file=target) from error


def _join_chunks(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        try:
            count = int(size.split(b";", 1)[0], 16)
        except ValueError:
            break
        if count == 0:
            break
        whole, body = whole + body[:count], body[count + 2 :]
    return whole


def _unreachable(target: str, error: Exception) -> PurgeError:
    return PurgeError(
        f"the edge's admin socket does not answer: {str(error) or type(error).__name__}",
        file=target,
        hint=f"is the server running? {ADMIN_SOCKET_VARIABLE} names the socket",
    )
