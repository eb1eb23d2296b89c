"""A real server for tests: Granian on a free port of this machine, in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from granian.constants import Interfaces
from granian.server.embed import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT = 30.0


class TestServer:
    """A server that is running.

    Attributes:
        host: The address it listens on.
        port: The port, or 0 on a Unix socket.
        uds: The Unix socket, or None.
    """

    __test__ = False

    def __init__(self, host: str, port: int, uds: Path | None) -> None:
        self.host = host
        self.port = port
        self.uds = uds

    @property
    def url(self) -> str:
        """The address requests go to, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """Returns a new connection to it."""
        if self.uds is not None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(_WAIT)
                connection.connect(str(self.uds))
            except OSError:
                connection.close()
                raise
            return connection
        return socket.create_connection((self.host, self.port), timeout=_WAIT)


@contextlib.contextmanager
def serve(app: Any, *, uds: str | Path | None = None, asgi: bool = False) -> Iterator[TestServer]:
    """Serves an application over real sockets while the block runs.

    Args:
        app: An application, or any RSGI one.
        uds: Listen on this Unix socket in place of a port of 127.0.0.1.
        asgi: Speak ASGI to the application in place of RSGI.

    Raises:
        RuntimeError: The server did not start; the cause is what it raised.
    """
    path = None if uds is None else Path(uds)
    # The port stays bound here while the server takes it too, so that no other process can be given it.
    with _reserved() as port:
        running = TestServer("127.0.0.1", 0 if path else port, path)
        thread = _ServerThread(app, running, port, Interfaces.ASGI if asgi else Interfaces.RSGI)
        thread.start()
        try:
            thread.wait_until_listening()
            yield running
        finally:
            thread.stop()


class _ServerThread(threading.Thread):
    def __init__(self, app: Any, running: TestServer, port: int, interface: Interfaces) -> None:
        super().__init__(name="hyperweb-test-server", daemon=True)
        self._app = app
        self._running = running
        self._port = port
        self._interface = interface
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - the thread that waits raises it
            self._error = error

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        begin, end = getattr(self._app, "startup", None), getattr(self._app, "shutdown", None)
        if begin is not None and self._interface is Interfaces.RSGI:
            await begin()
        self._server = Server(
            self._app,
            self._running.host,
            self._port,
            uds=self._running.uds,
            interface=self._interface,
            log_enabled=False,
        )
        await self._server.serve()
        if end is not None and self._interface is Interfaces.RSGI:
            await end()

    def wait_until_listening(self) -> None:
        deadline = time.monotonic() + _WAIT
        while time.monotonic() < deadline:
            if not self.is_alive():
                raise RuntimeError("the server did not start") from self._error
            try:
                self._running.connect().close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise RuntimeError(f"the server did not listen within {_WAIT:.0f} s")

    def stop(self) -> None:
        if self._loop is not None and self._server is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._server.stop)
        self.join(_WAIT)


@contextlib.contextmanager
def _reserved() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
