"""The limits on what clients may ask, as the edge takes them."""

from __future__ import annotations

import contextlib
import resource
from typing import Any, TypeVar

import msgspec

from hyperweb.config._section import Section
from hyperweb.config._settings import LimitSettings, TcpSettings
from hyperweb.serve._errors import ServeError

_S = TypeVar("_S", bound=Section)
_MILLISECONDS = {
    "handshake_time": "handshake_time",
    "head_time": "head_time",
    "body_time": "body_time",
    "idle_time": "idle_time",
    "write_time": "write_time",
    "answer_time": "worker_time",
    "tunnel_time": "tunnel_time",
}
_NUMBERS = {
    "target": "target_bytes",
    "head": "head_bytes",
    "fields": "fields",
    "handshakes": "handshakes",
    "connections": "connections",
    "address_connections": "address_connections",
    "outstanding": "outstanding",
    "requests": "requests",
    "variants": "variants",
    "streams": "streams",
    "resets": "resets",
    "control_frames": "control_frames",
}


def edge_limits(limits: LimitSettings, max_body: int) -> dict[str, int]:
    """Returns limits as the edge's configuration has them, times in milliseconds."""
    times = {theirs: max(1, round(getattr(limits, ours) * 1000)) for ours, theirs in _MILLISECONDS.items()}
    numbers = {theirs: getattr(limits, ours) for ours, theirs in _NUMBERS.items()}
    return {**times, **numbers, "body_bytes": max_body}


def read_limits(texts: tuple[str, ...]) -> LimitSettings:
    """Returns the limits that `NAME=VALUE` texts change.

    Raises:
        ServeError: One is no limit, or its value none for it.
    """
    return _read(texts, LimitSettings, "--limit", "limit")


def read_tcp(texts: tuple[str, ...]) -> TcpSettings:
    """Returns the settings of TCP that `NAME=VALUE` texts change.

    Raises:
        ServeError: One is no setting of TCP, or its value none for it.
    """
    return _read(texts, TcpSettings, "--tcp", "setting of TCP")


def _read(texts: tuple[str, ...], kind: type[_S], flag: str, noun: str) -> _S:
    names = kind.__struct_fields__
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in names or not equals:
            raise ServeError(f"`{flag} {text}` is no {noun}", hint=f"write NAME=VALUE; the names: {', '.join(names)}")
        found[name] = value
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ServeError(f"`{flag}`: {error}", hint=f"the settings reference tells what each {noun} may be") from None


def raise_descriptors() -> None:
    """Lets this process have as many open files as it may: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
