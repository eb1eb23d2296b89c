"""HTTPS: the edge speaks TLS (RFC 8446) with certificates that change under it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest

from hyperweb import _core
from tests.e2e.certificates import Pair, ask, connected, context, wait_for_tls
from tests.e2e.hostile.raw import send, statuses
from tests.e2e.origin import Answer, Asked, Origin, edge, origin, wait_listening
from tests.e2e.site import Running, free_port, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LARGE = b"0123456789abcdef" * 40_000


def answer(asked: Asked) -> Answer:
    if asked.target.startswith("/kept"):
        return Answer(headers={"Cache-Control": "max-age=60"}, body=asked.headers["x-forwarded-proto"].encode())
    if asked.target == "/large":
        return Answer(body=LARGE)
    if asked.target == "/slow":
        time.sleep(1.5)
    return Answer(body=json.dumps({**asked.headers, "body": len(asked.body)}).encode())


@pytest.fixture(scope="module")
def behind() -> Iterator[Origin]:
    with origin(answer) as made:
        yield made


@contextlib.contextmanager
def secure(state: Path, behind: Origin, *options: str) -> Iterator[Running]:
    state.mkdir(exist_ok=True)
    with edge(state, *options, origins=(behind.url,), ready="") as running:
        wait_listening(running)
        yield running


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("pair"), "localhost", "one.example")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def plain_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def front(state: Path, behind: Origin, pair: Pair, plain_port: int) -> Iterator[Running]:
    options = ("--metrics", "--hsts", "60", "--http-port", str(plain_port), "--limit", "handshake_time=0.5")
    with secure(state, behind, *pair.options(), *options, "--limit", "body_time=1") as running:
        yield running


def exchange(stream: ssl.SSLSocket, request: bytes) -> bytes:
    stream.sendall(request)
    found = b""
    while part := stream.recv(65536):
        found += part
    return found


def stats(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hyperweb("stats", state, "--json", check=True).stdout)
    return found


def serial(stream: ssl.SSLSocket) -> bytes | None:
    return stream.getpeercert(binary_form=True)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken_and_the_end_is_said(front: Running, pair: Pair, version: ssl.TLSVersion) -> None:
    trusts = context(pair, most=version)
    trusts.minimum_version = version
    with connected(front, trusts) as stream:
        assert stream.version() == version.name.replace("_", ".")
        assert stream.selected_alpn_protocol() == "http/1.1"
        # Reading to the end raises an error where the end is not said (RFC 8446, section 6.1).
        assert exchange(stream, GET % b"/").startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_least_version_is_a_setting(pair: Pair, tmp_path: Path, behind: Origin) -> None:
    with secure(tmp_path / "strict", behind, *pair.options(), "--tls-least", "1.3") as strict:
        with (
            pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
            connected(strict, context(most=ssl.TLSVersion.TLSv1_2)),
        ):
            pass
        with connected(strict) as stream:
            assert stream.version() == "TLSv1.3"


def test_many_requests_go_over_one_connection(front: Running) -> None:
    with connected(front) as stream:
        request = b"GET /kept HTTP/1.1\r\nHost: localhost\r\n\r\n"
        stream.sendall(request * 3)
        found = b""
        while found.count(b"https") < 3:
            found += stream.recv(65536)
        assert statuses(found) == [200] * 3
        assert len(exchange(stream, GET % b"/large").split(b"\r\n\r\n", 1)[1]) == len(LARGE)


def test_bodies_come_whole(front: Running) -> None:
    status, _, body = ask(front, "/", method="POST", body=LARGE)
    assert (status, json.loads(body)["body"]) == (200, len(LARGE))
    with connected(front) as stream:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        stream.sendall(head)
        assert stream.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert b'"body": 4' in exchange(stream, b"body")


def test_a_body_that_stops_coming_is_not_waited_for(front: Running) -> None:
    with connected(front) as stream:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n"
        assert statuses(exchange(stream, head + b"some")) == [408]


def test_the_scheme_is_passed_on_and_keeps_responses_apart(front: Running, behind: Origin) -> None:
    assert ask(front, "/kept?apart")[2] == b"https"
    assert ask(front, "/kept?apart")[1]["cache-status"].startswith("hyperweb; hit")
    forwarded = json.loads(ask(front, "/", {"X-Forwarded-Proto": "ftp"})[2])
    assert forwarded["x-forwarded-proto"] == "https"


def test_a_purge_finds_what_was_asked_for_by_either_scheme(behind: Origin, pair: Pair, tmp_path: Path) -> None:
    port = free_port()
    state = tmp_path / "both"
    request = GET % b"/kept"
    with secure(state, behind, *pair.options(), "--http-port", str(port), "--http", "serve") as running:

        def ask_both() -> list[bytes]:
            with connected(running) as stream:
                return [exchange(stream, request), send(port, request).bytes]

        for status in (b"fwd=miss; stored", b"hit; ttl="):
            over_tls, plain = ask_both()
            assert over_tls.endswith(b"https")
            assert plain.endswith(b"http")
            assert status in over_tls
            assert status in plain
        found = hyperweb("purge", state, "--url", "https://localhost/kept", check=True)
        assert "2" in found.stdout
        assert all(b"fwd=miss; stored" in one for one in ask_both())


def test_browsers_are_told_to_come_by_tls_and_only_over_it(front: Running, plain_port: int) -> None:
    for path in ("/", "/kept?hsts", "/kept?hsts"):
        assert ask(front, path)[1]["strict-transport-security"] == "max-age=60"
    assert b"strict-transport" not in send(plain_port, GET % b"/").bytes.lower()


def test_who_comes_without_tls_is_sent_to_it(front: Running, plain_port: int) -> None:
    for port in (plain_port, front.port):
        reply = send(port, GET % b"/a?b=c")
        assert reply.statuses == [308]
        assert f"location: https://localhost:{front.port}/a?b=c\r\n".encode() in reply.bytes
    posted = send(plain_port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")
    assert posted.statuses == [308]
    assert send(plain_port, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n").statuses == [400]


def test_a_session_is_resumed(front: Running, state: Path) -> None:
    before = stats(state)
    trusts = context(most=ssl.TLSVersion.TLSv1_2)
    with connected(front, trusts) as stream:
        exchange(stream, GET % b"/")
        session = stream.session
    with connected(front, trusts, session=session) as stream:
        assert stream.session_reused
    modern = context()
    with connected(front, modern) as stream:
        exchange(stream, GET % b"/")
        session = stream.session
    with connected(front, modern, session=session) as stream:
        exchange(stream, GET % b"/")
        assert stream.session_reused
    after = stats(state)
    assert after["handshakes"] - before["handshakes"] == 4
    assert after["handshakes_resumed"] - before["handshakes_resumed"] == 2


@pytest.mark.parametrize(
    "begin", [b"\x16\x03\x01\x00\x05hello", b"\x00\x01\x02\x03", b"\x16\x03\x01\xff\xff" + b"x" * 70_000]
)
def test_what_is_no_handshake_is_counted_and_left(front: Running, state: Path, begin: bytes) -> None:
    before = stats(state)["refused"]["handshake"]
    assert send(front.port, begin).closed
    assert stats(state)["refused"]["handshake"] == before + 1


@pytest.mark.parametrize("begin", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_does_not_come_is_not_waited_for(front: Running, state: Path, begin: bytes) -> None:
    before = stats(state)["refused"]["slow_handshake"]
    reply = send(front.port, begin, wait=5)
    assert (reply.closed, statuses(reply.bytes)) == (True, [])
    assert stats(state)["refused"]["slow_handshake"] == before + 1
    assert "limits.handshake_time" in (state / "edge.log").read_text()


def test_who_only_looks_is_not_counted(front: Running, state: Path) -> None:
    before = stats(state)["refused"]
    for _ in range(5):
        socket.create_connection(("127.0.0.1", front.port), timeout=5).close()
    assert ask(front, "/")[0] == 200
    assert stats(state)["refused"] == before


def test_the_proxy_protocol_comes_before_tls(behind: Origin, pair: Pair, tmp_path: Path) -> None:
    line = b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n"
    with (
        secure(tmp_path / "proxied", behind, *pair.options(), "--proxy", "127.0.0.1") as running,
        connected(running, before=line) as stream,
    ):
        told = json.loads(exchange(stream, GET % b"/").split(b"\r\n\r\n", 1)[1])
        assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == ("192.0.2.7", "https")


def test_a_request_whose_client_went_is_given_up(behind: Origin, front: Running, state: Path) -> None:
    with connected(front) as stream:
        stream.sendall(GET % b"/slow")
        time.sleep(0.2)
    until = time.monotonic() + 10
    while stats(state)["outstanding"]:
        assert time.monotonic() < until
        time.sleep(0.05)


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(400):
        if what():
            return
        time.sleep(0.05)
    message = "it never came to be"
    raise AssertionError(message)


def served(running: Running, name: str = "localhost") -> bytes | None:
    with connected(running, name=name) as stream:
        return serial(stream)


def test_certificates_change_while_connections_go_on(behind: Origin, tmp_path: Path) -> None:
    pair = Pair(tmp_path / "pair", "localhost")
    state = tmp_path / "state"
    with secure(state, behind, *pair.options()) as running, connected(running) as old:
        first = serial(old)
        whole = pair.cert.read_bytes()
        log = state / "edge.log"

        # Half of a certificate, then one whose key is another: the old one stays.
        pair.cert.write_bytes(whole[: len(whole) // 2])
        wait_for(lambda: "no readable certificate" in log.read_text() or "no certificate" in log.read_text())
        assert served(running) == first
        pair.cert.write_text(_core.self_signed(["localhost"])[0])
        wait_for(lambda: "not the key of the certificate" in log.read_text())
        assert served(running) == first

        second = pair.renew()
        wait_for(lambda: served(running) == second)
        assert exchange(old, GET % b"/").startswith(b"HTTP/1.1 200 OK\r\n"), "what was open goes on"

        # By a signal it is done at once; a bad one is said.
        pair.key.write_text("nonsense")
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "there is no private key in it" in log.read_text())
        assert served(running) == second


def test_each_host_has_its_certificate(tmp_path: Path) -> None:
    one = Pair(tmp_path / "one", "one.example")
    two = Pair(tmp_path / "two", "two.example", "*.wild.example")
    site = make_site(tmp_path / "site")
    (site / "secret").mkdir()
    for file in (one.cert, one.key):
        file.rename(site / "secret" / file.name)
    certificate = (site / "secret" / "cert.pem").read_text()
    with (site / "site.toml").open("a") as settings:
        settings.write('[[serve.tls]]\ncert = "secret/cert.pem"\nkey = "secret/key.pem"\n')
        settings.write(f'[[serve.tls]]\ncert = "{two.cert}"\nkey = "{two.key}"\n')
        settings.write(f'[[serve.tls]]\ncert = "{two.cert}"\nkey = "{two.key}"\nhosts = ["forced.example"]\n')
        settings.write("[serve]\nhsts = 7\n")
    ders = [ssl.PEM_cert_to_DER_cert(text) for text in (certificate, two.cert.read_text())]
    with serving_tls(site, "--prod") as running:
        for name in ("one.example", "unknown.example", "a.b.wild.example"):
            assert served(running, name) == ders[0], name
        for name in ("two.example", "TWO.example", "a.wild.example", "forced.example"):
            assert served(running, name) == ders[1], name
        assert ask(running, "/")[1]["strict-transport-security"] == "max-age=7"
        assert ask(running, "/robots.txt", {"range": "bytes=0-2"})[1]["strict-transport-security"] == "max-age=7"
        assert ask(running, "/api/count")[1]["strict-transport-security"] == "max-age=7"
        assert ask(running, "/nothing")[1]["strict-transport-security"] == "max-age=7"
        # A host is asked for where its certificate is (RFC 9110, section 7.4).
        for name, host, status in (
            ("one.example", "ONE.example:443", 200),
            ("two.example", "a.wild.example", 200),
            ("unknown.example", "one.example", 200),
            ("one.example", "two.example", 421),
            ("a.wild.example", "one.example", 421),
            ("two.example", "unknown.example", 421),
        ):
            for path in (b"/", b"/api/pid"):
                request = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, host.encode())
                with connected(running, name=name) as stream:
                    assert exchange(stream, request).startswith(b"HTTP/1.1 %d " % status), (name, host)


@contextlib.contextmanager
def serving_tls(site: Path, *options: str) -> Iterator[Running]:
    port = free_port()
    with serving(site, *options, "--port", str(port), wait_for="") as started:
        running = Running(started.process, port)
        wait_for_tls(running)
        yield running


def test_a_certificate_is_made_for_development(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    made = site / ".hyperweb" / "tls"
    with serving_tls(site, "--prod", "--tls") as running:
        assert "strict-transport-security" not in ask(running, "/")[1], "it would outlast the development"
        assert made.joinpath("key.pem").stat().st_mode & 0o777 == 0o600
        trusts = ssl.create_default_context(cafile=str(made / "cert.pem"))
        with connected(running, trusts) as stream:
            first = serial(stream)
        found = hyperweb("stats", site, "--json", check=True)
        assert "localhost" in json.loads(found.stdout)["certificates"][0]["names"]
        urls = tmp_path / "urls.txt"
        urls.write_text("/api/count\n/posts/a/\n")
        assert "2 pages fetched" in hyperweb("warm", urls, site, check=True).stdout
    with serving_tls(site, "--tls") as running:
        assert b"_hyperweb/reload.js" in ask(running, "/")[2]
        assert served(running) == first, "it is kept"


def test_what_cannot_be_used_is_named(tmp_path: Path, pair: Pair) -> None:
    other = Pair(tmp_path / "other", "localhost")

    def refused(*options: str) -> str:
        found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--port", "0", "--state", tmp_path, *options)
        assert found.returncode in {1, 2}
        return " ".join(found.stderr.split())

    missing = refused("--tls-cert", str(tmp_path / "no.pem"), "--tls-key", str(pair.key))
    assert "no.pem" in missing
    assert "hint: give the path of a PEM file" in missing
    mixed = refused("--tls-cert", str(pair.cert), "--tls-key", str(other.key))
    assert "this is not the key of the certificate in" in mixed
    swapped = refused("--tls-cert", str(pair.key), "--tls-key", str(pair.cert))
    assert "there is no certificate in it" in swapped
    assert "give both" in refused("--tls-cert", str(pair.cert))
    direct = hyperweb("serve", make_site(tmp_path / "site"), "--prod", "--direct", "--tls")
    assert direct.returncode == 2
    assert "TLS is of the edge" in " ".join(direct.stderr.split())
    assert "there is no certificate" in refused("--http-port", "1")
