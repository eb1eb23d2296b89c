"""Answers for pictures that come at run time, such as those that visitors send: made when they are asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

from hyperweb.images._encode import folder_of
from hyperweb.images._images import is_raster
from hyperweb.images._pool import Pool
from hyperweb.images._signed import ROUTE, asked_for
from hyperweb.images._variant import one_variant
from hyperweb.images._worker import Job
from hyperweb.web.response import Response

if TYPE_CHECKING:
    from pathlib import Path

    from hyperweb.config import SiteConfig
    from hyperweb.images import Variant
    from hyperweb.images._signed import Asked
    from hyperweb.web.app import App
    from hyperweb.web.request import Request

_DAY = 86_400
# A picture may be replaced by another of its name: then the old one is shown so long at most.
_CACHING = "public, max-age=3600, stale-while-revalidate=86400"
_TAG = "images"


def add_images(app: App, config: SiteConfig) -> None:
    """Adds the route of pictures that come at run time, where the site has a folder of them.

    Raises:
        RouteError: A handler has its path.
    """
    if not config.settings.images.folder:
        return
    maker = _Maker(config)

    async def answer(request: Request) -> Response:
        return await maker.answer(request)

    app.add_page(ROUTE, answer, cache="1h", tags=[_TAG])
    app.on_shutdown(maker.close)


class _Maker:
    """Makes variants, one at a time: a worker has requests to answer too."""

    def __init__(self, config: SiteConfig) -> None:
        self._settings = config.settings.images
        self._folder = (config.root / self._settings.folder).resolve()
        self._kept = folder_of(config.state)
        self._pool: Pool | None = None
        self._busy = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """Answers one request."""
        query = request.query
        asked = asked_for(self._settings.secret, {name: query[name] for name in query})
        if asked is None or any(len(query.all(name)) > 1 for name in query):
            return _said("this address is not signed by the site", 403)
        file = await asyncio.to_thread(self._file, asked)
        if file is None:
            return _said("there is no such picture", 404)
        async with self._busy:
            made = await asyncio.to_thread(self._made, file, asked)
        if isinstance(made, str):
            return _said(f"the picture cannot be used: {made}", 422)
        body = await asyncio.to_thread((self._kept / made.file).read_bytes)
        return Response(body, headers={"content-type": made.media_type, "cache-control": _CACHING})

    def close(self) -> None:
        """Ends the process that makes variants."""
        if self._pool is not None:
            self._pool.close()

    def _file(self, asked: Asked) -> Path | None:
        """Returns the picture that is meant, if it is one of the folder's own: links lead nowhere else."""
        try:
            file = (self._folder / asked.path).resolve()
            is_one = file.is_relative_to(self._folder) and is_raster(file.name) and file.is_file()
        except (OSError, ValueError):
            return None
        return file if is_one else None

    def _made(self, file: Path, asked: Asked) -> Variant | str:
        """Returns the variant, which is made if it is not kept, or what is wrong with the picture."""
        found = file.stat()
        named = f"{asked.path}\0{found.st_mtime_ns}\0{found.st_size}"
        variant = one_variant(asked.path, named, asked.width, asked.format, self._settings)
        kept = self._kept / variant.file
        with contextlib.suppress(OSError):
            # What is used is not swept away by a build.
            if time.time() - kept.stat().st_mtime > _DAY:
                os.utime(kept)
            return variant
        if self._pool is None:
            self._pool = Pool(1)
        # In a process of its own: a visitor may have sent anything.
        job = Job(str(file), max_pixels=self._settings.max_pixels, variants=[variant], folder=str(self._kept))
        done = next(iter(self._pool.work([job])))
        return done.trouble or variant


def _said(text: str, status: int) -> Response:
    headers = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}
    return Response(text + "\n", status, headers)
