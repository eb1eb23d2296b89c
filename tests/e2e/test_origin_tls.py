"""TLS to origins: checked, by the authorities of the system or others, and with a certificate of its own."""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.certificates import Pair
from tests.e2e.origin import Answer, Asked, Origin, edge
from tests.e2e.site import Running, hyperweb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

LARGE = b"0123456789abcdef" * 40_000


class SecureOrigin(Origin):
    """An origin that speaks TLS.

    Args:
        pair: Its certificate.
        clients: Who it wants to be shown a certificate by; none wants none.
    """

    def __init__(self, pair: Pair, clients: Pair | None = None) -> None:
        super().__init__(self._answer)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(pair.cert, pair.key)
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self._context.sni_callback = self._named
        if clients is not None:
            self._context.load_verify_locations(clients.cert)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self.names: list[str | None] = []

    @staticmethod
    def _answer(asked: Asked) -> Answer:
        if asked.target == "/large":
            return Answer(body=LARGE)
        return Answer(body=json.dumps({"host": asked.headers["host"], "body": len(asked.body)}).encode())

    def _named(self, stream: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
        del stream, context
        self.names.append(name)

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://localhost:{self.port}"

    def start(self) -> None:
        """Listens, with TLS."""
        super().start()
        assert self._server is not None
        self._server.socket = self._context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )


@contextlib.contextmanager
def secure(pair: Pair, clients: Pair | None = None) -> Iterator[SecureOrigin]:
    made = SecureOrigin(pair, clients)
    made.start()
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path / "pair", "localhost")


def folder(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir()
    return made


def wait_for_line(log: Path, text: str) -> str:
    for _ in range(200):
        found = " ".join(log.read_text().split())
        if text in found:
            return found
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_an_origin_is_asked_by_tls_and_its_connection_kept(tmp_path: Path, pair: Pair) -> None:
    state = folder(tmp_path)
    with secure(pair) as behind, edge(state, "--origin-ca", str(pair.cert), origins=(behind.url,)) as front:
        asked = len(behind.names)
        for number in range(5):
            status, _, body = front.get(f"/{number}", {"host": "site.example"})
            assert (status, json.loads(body)["host"]) == (200, "site.example")
        assert front.get("/large")[2] == LARGE
        posted = front.get("/", method="POST", body=LARGE)
        assert json.loads(posted[2])["body"] == len(LARGE)
        assert set(behind.names) == {"localhost"}, "it is told which host is meant"
        assert len(behind.names) - asked <= 2, "connections are kept"


def test_origins_are_checked_by_the_authorities_of_the_system(
    tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pair.cert))
    with secure(pair) as behind, edge(folder(tmp_path), origins=(behind.url,)) as front:
        assert front.get("/")[0] == 200


@pytest.mark.parametrize("health", [(), ("--health-path", "/")])
def test_one_that_nobody_vouches_for_is_not_asked(tmp_path: Path, pair: Pair, health: tuple[str, ...]) -> None:
    other = Pair(tmp_path / "other", "localhost")
    state = folder(tmp_path)
    options = ("--origin-ca", str(other.cert), *health)
    with secure(pair) as behind, edge(state, *options, origins=(behind.url,), ready="") as front:
        _refused(front)
        found = wait_for_line(state / "edge.log", f"the origin {behind.url} cannot be asked: invalid peer certificate")
        assert "hint:" in found
        assert not behind.asked


def test_a_certificate_of_another_name_is_refused_unless_it_is_meant(tmp_path: Path) -> None:
    pair = Pair(tmp_path / "pair", "inner.example")
    state = folder(tmp_path)
    trusted = ("--origin-ca", str(pair.cert))
    with secure(pair) as behind:
        with edge(state, *trusted, origins=(behind.url,), ready="") as front:
            _refused(front)
            found = wait_for_line(state / "edge.log", "cannot be asked: invalid peer certificate")
            assert "--origin-name" in found
        with edge(state, *trusted, "--origin-name", "inner.example", origins=(behind.url,)) as front:
            assert front.get("/")[0] == 200
            assert behind.names[-1] == "inner.example"


def test_an_origin_is_shown_a_certificate(tmp_path: Path, pair: Pair) -> None:
    ours = Pair(tmp_path / "ours", "edge.example")
    state = folder(tmp_path)
    trusted = ("--origin-ca", str(pair.cert))
    shown = ("--origin-cert", str(ours.cert), "--origin-key", str(ours.key))
    with secure(pair, clients=ours) as behind:
        with edge(state, *trusted, *shown, origins=(behind.url,)) as front:
            assert front.get("/")[0] == 200
        with edge(state, *trusted, origins=(behind.url,), ready="") as front:
            _refused(front)


def test_one_that_speaks_no_tls_is_named(tmp_path: Path, pair: Pair) -> None:
    plain = Origin(lambda _: Answer())
    plain.start()
    state = folder(tmp_path)
    url = f"https://localhost:{plain.port}"
    with edge(state, "--origin-ca", str(pair.cert), origins=(url,), ready="") as front:
        _refused(front)
        assert "speaks TLS" in wait_for_line(state / "edge.log", "cannot be asked")
    plain.kill()


def test_what_cannot_be_used_is_refused(tmp_path: Path, pair: Pair) -> None:
    def refused(*options: str) -> str:
        found = hyperweb("edge", "--origin", "https://localhost:1", "--port", "0", "--state", tmp_path, *options)
        assert found.returncode in {1, 2}, found.stderr
        return " ".join(found.stderr.split())

    assert "no.pem" in refused("--origin-ca", str(tmp_path / "no.pem"))
    assert "there is no certificate in it" in refused("--origin-ca", str(pair.key))
    assert "give both" in refused("--origin-cert", str(pair.cert))
    assert "a b" in refused("--origin-ca", str(pair.cert), "--origin-name", "a b")


def _refused(front: Running) -> None:
    """A request for which no origin can be asked."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            assert front.get("/")[0] in {502, 503}
            return
        time.sleep(0.05)
    message = "it never listened"
    raise AssertionError(message)
