"""A server is replaced by a new one, and no request fails: the sockets are handed over."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from tests.e2e.certificates import Pair, ask, context
from tests.e2e.origin import Answer, Origin, origin
from tests.e2e.site import Running, environment, free_port, hyperweb, make_site, wait_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def behind() -> Iterator[Origin]:
    with origin(lambda asked: Answer(headers={"Cache-Control": "max-age=1"}, body=asked.target.encode())) as made:
        yield made


class Server:
    """A server whose process is followed by others; its notes say which there are."""

    def __init__(self, command: list[str], state: Path, log: Path, port: int, **more: str) -> None:
        self.notes = state
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            self.first = subprocess.Popen(
                [sys.executable, "-m", "hyperweb", *command],
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                env={**environment(), **more},
            )
        self.running = Running(self.first, port)

    def processes(self) -> set[int]:
        found = {int(note.name.split(".")[1]) for note in self.notes.glob("server.*.json")}
        return {pid for pid in found if os.path.exists(f"/proc/{pid}")}  # noqa: PTH110 - a number is no path

    def replace(self) -> int:
        """Has the server be replaced; returns the new process once it is alone."""
        (old,) = self.processes()
        os.kill(old, signal.SIGUSR2)
        for _ in range(600):
            found = self.processes() - {old}
            if old == self.first.pid:
                self.first.poll()
            if found and not _lives(old):
                (new,) = found
                return new
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGTERM)
        for _ in range(400):
            self.first.poll()
            if not self.processes():
                return
            time.sleep(0.05)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        raise AssertionError(self.log.read_text())


def _lives(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def served(command: list[str], state: Path, port: int, **more: str) -> Iterator[Server]:
    server = Server(command, state, state.parent / "server.log", port, **more)
    try:
        yield server
    finally:
        server.stop()


class Load:
    """Clients that ask again and again, some on one connection and some on a new one each time."""

    def __init__(self, make: Callable[[], http.client.HTTPConnection], path: str = "/{}") -> None:
        self._path = path
        self.failures: list[str] = []
        self.count = 0
        self._make = make
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number % 2 == 0,)) for number in range(8)]

    def _run(self, keeps: bool) -> None:  # noqa: FBT001 - it is told by a thread
        connection = self._make()
        while not self._over.is_set():
            try:
                connection.request(
                    "GET", self._path.format(self.count % 50), headers={} if keeps else {"Connection": "close"}
                )
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.failures.append(str(response.status))
                self.count += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                connection = self._make()
            time.sleep(0.002)
        connection.close()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def plain(port: int) -> Callable[[], http.client.HTTPConnection]:
    return lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=15)


def secure(port: int) -> Callable[[], http.client.HTTPConnection]:
    trusts = context()
    return lambda: http.client.HTTPSConnection("127.0.0.1", port, timeout=15, context=trusts)


def wait_for(what: Callable[[], object], log: Path) -> None:
    for _ in range(400):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def edge_command(state: Path, behind: Origin, port: int, *options: str) -> list[str]:
    return ["edge", "--origin", behind.url, "--port", str(port), "--state", str(state), *options]


def test_an_edge_is_replaced_under_load_and_nothing_fails(tmp_path: Path, behind: Origin) -> None:
    port, admin = free_port(), free_port()
    command = edge_command(tmp_path / "state", behind, port, "--admin", f"127.0.0.1:{admin}")
    with served(command, tmp_path / "state" / ".hyperweb", port) as server:
        wait_up(server.running, "/")
        with Load(plain(port)) as load:
            wait_for(lambda: load.count > 100, server.log)
            first = server.replace()
            before = load.count
            wait_for(lambda: load.count > before + 200, server.log)
            assert server.replace() != first, "and once more"
            before = load.count
            wait_for(lambda: load.count > before + 200, server.log)
        assert load.failures == []
        assert server.first.wait(30) == 0
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", admin, timeout=10)) as connection:
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200


def test_with_tls_too(tmp_path: Path, behind: Origin) -> None:
    port = free_port()
    pair = Pair(tmp_path / "pair", "localhost")
    command = edge_command(tmp_path / "state", behind, port, *pair.options(), "--http3")
    with served(command, tmp_path / "state" / ".hyperweb", port) as server:
        wait_for(server.processes, server.log)
        with Load(secure(port)) as load:
            wait_for(lambda: load.count > 50, server.log)
            server.replace()
            before = load.count
            wait_for(lambda: load.count > before + 50, server.log)
        assert load.failures == []
        assert "HTTP/3 is not served" not in server.log.read_text()


def test_a_site_with_workers_is_replaced(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    port = free_port()
    hyperweb("build", site, check=True)
    with served(["serve", str(site), "--prod", "--port", str(port)], site / ".hyperweb", port) as server:
        wait_up(server.running, "/api/pid")
        old = json.loads(server.running.get("/api/pid")[2])["pid"]
        with Load(plain(port), "/api/pid?{}") as load:
            wait_for(lambda: load.count > 20, server.log)
            server.replace()
            before = load.count
            wait_for(lambda: load.count > before + 20, server.log)
        assert load.failures == []
        assert json.loads(server.running.get("/api/pid")[2])["pid"] != old


def test_a_new_one_that_cannot_start_changes_nothing(tmp_path: Path, behind: Origin) -> None:
    port = free_port()
    pair = Pair(tmp_path / "pair", "localhost")
    command = edge_command(tmp_path / "state", behind, port, *pair.options())
    with served(command, tmp_path / "state" / ".hyperweb", port) as server:
        wait_for(server.processes, server.log)
        (old,) = server.processes()
        pair.key.write_text("nonsense")
        os.kill(old, signal.SIGUSR2)
        wait_for(
            lambda: "the new server ended before it served, this one goes on" in server.log.read_text(), server.log
        )
        assert ask(server.running, "/")[0] == 200
        assert server.processes() == {old}
        pair.renew()
        assert server.replace() != old, "and can be tried again"
        assert ask(server.running, "/")[0] == 200


ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "hyperweb", *sys.argv[2:]])
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_socket_of_systemd_is_used(tmp_path: Path, behind: Origin, threads: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # Who comes before the server does waits for it.
        early = socket.create_connection(("127.0.0.1", port), timeout=20)
        early.sendall(b"GET /early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        command = edge_command(tmp_path, behind, port, "--threads", threads)
        with (
            (tmp_path / "log").open("w") as log,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told,
        ):
            told.bind(str(tmp_path / "notify"))
            told.settimeout(20)
            process = subprocess.Popen(
                [sys.executable, "-c", ACTIVATED, str(listener.fileno()), *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                env={**environment(), "NOTIFY_SOCKET": str(tmp_path / "notify")},
            )
            try:
                assert early.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
                assert told.recv(1000) == f"READY=1\nMAINPID={process.pid}".encode()
                for number in range(20):
                    assert Running(process, port).get(f"/{number}")[0] == 200  # type: ignore[arg-type]
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
            finally:
                process.kill()
                process.wait()
                early.close()


def test_a_socket_that_nobody_asked_for_is_named(tmp_path: Path, behind: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = edge_command(tmp_path, behind, free_port())
        found = subprocess.run(
            [sys.executable, "-c", ACTIVATED, str(listener.fileno()), *command],
            check=False,
            capture_output=True,
            text=True,
            pass_fds=[listener.fileno()],
            env=environment(),
            timeout=60,
        )
    assert found.returncode == 1
    assert "was passed on, and no setting listens there" in " ".join(found.stderr.split())
