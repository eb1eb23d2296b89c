"""Answers from the pack inside a worker, where Granian faces the clients and no edge stands in front."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hyperweb import _core

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

    from hyperweb.config import SiteConfig
    from hyperweb.web.app import App
    from hyperweb.web.rsgi import Proto, Scope

# How often a worker looks whether a new build stands in place of its pack (seconds).
_BEAT = 0.25


class DirectApp:
    """An RSGI application: the site's own routes first, then the pack, and last the site's page for what is missing."""

    def __init__(self, app: App, config: SiteConfig) -> None:
        self._app = app
        self._file = str(config.pack)
        self._pack = _core.open_pack(self._file)
        self._stamp = self._look()
        self._literal = {route.path for route in app.routes if "{" not in route.path}
        self._router = _core.Router([route.path for route in app.routes])
        self._enter = app.__rsgi__

    def __rsgi__(self, scope: Scope, proto: Proto) -> Awaitable[None]:
        """Answers a request."""
        if scope.path in self._literal and scope.method != "HEAD":
            return self._enter(scope, proto)
        return self._serve(scope, proto)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to look for new builds."""
        self._app.__rsgi_init__(loop)
        loop.call_later(_BEAT, self._refresh, loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends the application."""
        self._app.__rsgi_del__(loop)

    async def _serve(self, scope: Scope, proto: Proto) -> None:
        reads = scope.proto == "http" and scope.method in {"GET", "HEAD"}
        if reads and self._answer(scope, proto, missing=False):
            return
        if not reads or self._router.find(scope.path) is not None or not self._answer(scope, proto, missing=True):
            await self._enter(scope, proto)

    def _answer(self, scope: Scope, proto: Any, *, missing: bool) -> bool:
        get = scope.headers.get
        path = quote(scope.path) if "%" in scope.path or not scope.path.isascii() else scope.path
        found = self._pack.answer(
            f"{path}?{scope.query_string}" if scope.query_string else path,
            is_head=scope.method == "HEAD",
            accept_encoding=get("accept-encoding"),
            if_none_match=get("if-none-match"),
            if_modified_since=get("if-modified-since"),
            range=get("range"),
            if_range=get("if-range"),
            missing=missing,
        )
        if found is None:
            return False
        status, headers, body, file = found
        if scope.method == "HEAD" or status == 304:  # noqa: PLR2004 - Not Modified
            proto.response_empty(status, headers)
        elif file is None:
            proto.response_bytes(status, headers, body)
        elif (file[1], status) == (0, 200):
            proto.response_file(status, headers, file[0])
        else:
            proto.response_file_range(status, headers, *file)
        return True

    def _refresh(self, loop: asyncio.AbstractEventLoop) -> None:
        stamp = self._look()
        if stamp is not None and stamp != self._stamp:
            self._stamp = stamp
            # One that is damaged is not taken up; the one that is open stays.
            with contextlib.suppress(_core.PackError):
                self._pack = _core.open_pack(self._file)
        loop.call_later(_BEAT, self._refresh, loop)

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file)  # noqa: PTH116 - several times a second
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns)
