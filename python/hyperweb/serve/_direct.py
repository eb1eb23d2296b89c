"""Answers from the pack inside a worker, where Granian faces the clients and no edge stands in front."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hyperweb import _core
from hyperweb.serve._kept import Kept
from hyperweb.serve._path import is_hostile, refuse_path

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

    from hyperweb.config import SiteConfig
    from hyperweb.web.app import App
    from hyperweb.web.rsgi import Proto, Scope

# How often a worker looks whether a new build stands in place of its pack (seconds).
_BEAT = 0.25


class DirectApp:
    """An RSGI application: the site's own routes first, then the pack, and last the site's page for what is missing.

    Args:
        app: The site's handlers.
        config: The site.
        limit_bytes: The most bytes of handlers' responses that are kept.
    """

    def __init__(self, app: App, config: SiteConfig, limit_bytes: int) -> None:
        self._app = app
        self._file = str(config.pack)
        self._pack = _core.open_pack(self._file)
        self._stamp = self._look()
        patterns = app.patterns
        self._router = _core.Router(list(patterns))
        keeps = {route.path for route in app.routes if route.cache is not None and "GET" in route.methods}
        self._literal = {pattern: pattern in keeps for pattern in patterns if "{" not in pattern}
        self._keeps = [pattern in keeps for pattern in patterns]
        self._enter = app.__rsgi__
        self.kept = Kept(app.__rsgi__, limit_bytes)

    def __rsgi__(self, scope: Scope, proto: Proto) -> Awaitable[None]:
        """Answers a request."""
        keeps = self._literal.get(scope.path)
        if keeps is not None and scope.method != "HEAD":
            return self.kept.answer(scope, proto) if keeps and scope.method == "GET" else self._enter(scope, proto)
        return self._serve(scope, proto)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to look for new builds."""
        self._app.__rsgi_init__(loop)
        loop.call_later(_BEAT, self._refresh, loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends the application."""
        self._app.__rsgi_del__(loop)

    async def _serve(self, scope: Scope, proto: Proto) -> None:
        if is_hostile(scope.path):
            refuse_path(proto)
            return
        reads = scope.proto == "http" and scope.method in {"GET", "HEAD"}
        if reads and self._answer(scope, proto, missing=False):
            return
        found = self._router.find(scope.path)
        if found is not None and reads and self._keeps[found[0]]:
            await self.kept.answer(scope, proto)
        elif found is None and not reads and scope.proto == "http" and scope.path in self._pack:
            body = b"This address can only be read.\n"
            kind = ("content-type", "text/plain; charset=utf-8")
            proto.response_bytes(405, [kind, ("allow", "GET, HEAD"), ("x-content-type-options", "nosniff")], body)
        elif found is not None or not reads or not self._answer(scope, proto, missing=True):
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
