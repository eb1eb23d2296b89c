"""Certificates that the edge fetches and renews by itself (RFC 8555), from an authority that really looks."""

from __future__ import annotations

import contextlib
import json
import signal
import ssl
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.certificates import Pair, ask, connected, context
from tests.e2e.hostile.raw import send
from tests.e2e.origin import Answer, origin, wait_listening
from tests.e2e.pebble import Pebble, pebble
from tests.e2e.site import Running, environment, free_port, hyperweb, make_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

HOSTS = ("one.example", "two.example")
GET = b"GET %b HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n"


class Ports:
    """The ports of an edge: those where an authority looks have to be known before it starts."""

    def __init__(self) -> None:
        self.tls = free_port()
        self.http = free_port()


@contextlib.contextmanager
def running(command: list[str], ports: Ports, log: Path) -> Iterator[Running]:
    with log.open("a") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "hyperweb", *command],
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
    server = Running(process, ports.tls)
    try:
        wait_listening(server)
        yield server
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def fetching(
    state: Path, ports: Ports, authority: Pebble, proof: str, *options: str, hosts: tuple[str, ...] = HOSTS
) -> Iterator[Running]:
    state.mkdir(exist_ok=True)
    with origin(lambda _: Answer(body=b"made")) as behind:
        command = [
            *("edge", "--origin", behind.url, "--port", str(ports.tls), "--state", str(state)),
            *(word for host in hosts for word in ("--acme-domain", host)),
            *("--acme-agree", "--acme-directory", authority.directory, "--acme-root", str(authority.root)),
            *("--acme-challenge", proof, "--acme-contact", "mailto:you@example.org", *options),
        ]
        if proof == "http-01":
            command += ["--http-port", str(ports.http)]
        with running(command, ports, state / "edge.log") as server:
            yield server


def wait_for(what: Callable[[], Any], log: Path) -> Any:
    """Returns what comes to be, which is waited for."""
    for _ in range(600):
        with contextlib.suppress(OSError):
            found = what()
            if found:
                return found
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def served(server: Running, trusts: ssl.SSLContext, name: str) -> bytes | None:
    """The certificate for a host, which a client believes in."""
    with connected(server, trusts, name=name) as stream:
        return stream.getpeercert(binary_form=True)


def stats(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hyperweb("stats", state, "--json", check=True).stdout)
    return found


@pytest.mark.parametrize("proof", ["http-01", "tls-alpn-01"])
def test_certificates_are_fetched_and_kept(tmp_path: Path, proof: str) -> None:
    ports, state = Ports(), tmp_path / "state"
    log = state / "edge.log"
    with pebble(tmp_path / "authority", http=ports.http, tls=ports.tls) as authority:
        with fetching(state, ports, authority, proof) as server:
            wait_for(lambda: all(served(server, authority.trusts(), host) for host in HOSTS), log)
            first = [served(server, authority.trusts(), host) for host in HOSTS]
            assert first[0] != first[1], "each host has its own"
            if proof == "http-01":
                token = send(ports.http, GET % b"/.well-known/acme-challenge/other")
                assert token.statuses == [308], "what is no token of ours is answered as anything else"
            found = stats(state)
            assert (found["certificates_fetched"], found["certificates_failed"]) == (2, 0)
            names = sorted(name for one in found["certificates"] for name in one["names"])
            assert names == sorted(HOSTS)
        kept = sorted((state / ".hyperweb" / "acme").glob("*/*"))
        assert [file.name for file in kept] == ["account.json", "lock", "one.example.pem", "two.example.pem"]
        assert all(file.stat().st_mode & 0o777 == 0o600 for file in kept)
        assert kept[0].parent.stat().st_mode & 0o777 == 0o700
        # What is kept is used again, also where the authority is gone.
        trusts = authority.trusts()
        authority.kill()
        with fetching(state, ports, authority, proof) as server:
            assert [served(server, trusts, host) for host in HOSTS] == first
            assert stats(state)["certificates_fetched"] == 0


def test_certificates_are_renewed_in_time_and_kept_when_that_fails(tmp_path: Path) -> None:
    ports, state = Ports(), tmp_path / "state"
    log = state / "edge.log"
    hosts = HOSTS[:1]
    with (
        pebble(tmp_path / "authority", http=ports.http, tls=ports.tls, validity=20) as authority,
        fetching(state, ports, authority, "tls-alpn-01", "--acme-retry", "1", hosts=hosts) as server,
    ):
        trusts = authority.trusts()
        first = wait_for(lambda: served(server, trusts, HOSTS[0]), log)
        with connected(server, trusts, name=HOSTS[0]) as old:
            second = wait_for(lambda: (found := served(server, trusts, HOSTS[0])) != first and found, log)
            old.sendall(GET % b"/")
            assert old.recv(100).startswith(b"HTTP/1.1 200 OK\r\n"), "what was open goes on"
        # An authority that is gone: the old one stays, and is said to.
        authority.kill()
        wait_for(lambda: "the old one stays" in log.read_text(), log)
        with connected(server, context(), name=HOSTS[0]) as stream:
            assert stream.getpeercert(binary_form=True) == second
        # It comes back, and knows nothing: neither the account nor whom it issued to.
        authority.start()
        wait_for(lambda: served(server, authority.trusts(), HOSTS[0]), log)
        assert "accountDoesNotExist" in log.read_text()
        found = stats(state)
        assert found["certificates_fetched"] >= 3
        assert found["certificates_failed"] >= 2


def test_a_certificate_is_renewed_when_its_authority_says_so(tmp_path: Path) -> None:
    ports, state = Ports(), tmp_path / "state"
    log, hosts = state / "edge.log", HOSTS[:1]
    told = tmp_path / "authority"
    with pebble(told, http=ports.http, tls=ports.tls, validity=90 * 86_400, program="pebble-ari") as authority:

        def fetched() -> int:
            return int(stats(state)["certificates_fetched"])

        with fetching(state, ports, authority, "tls-alpn-01", "--acme-retry", "1", hosts=hosts) as server:
            trusts = authority.trusts()
            first = wait_for(lambda: served(server, trusts, HOSTS[0]), log)
            wait_for(lambda: "/renewalInfo/" in authority.log(), log)
        # It is asked each time: a month before the end is no time yet.
        asked = authority.log().count("/renewalInfo/")
        with fetching(state, ports, authority, "tls-alpn-01", "--acme-retry", "1", hosts=hosts) as server:
            wait_for(lambda: authority.log().count("/renewalInfo/") > asked, log)
            assert (served(server, trusts, HOSTS[0]), fetched()) == (first, 0)
        # One that was revoked is to be renewed at once (RFC 9773, section 4.1).
        (kept,) = (state / ".hyperweb" / "acme").glob("*/one.example.pem")
        authority.revoke(kept.read_bytes())
        with fetching(state, ports, authority, "tls-alpn-01", "--acme-retry", "1", hosts=hosts) as server:
            wait_for(lambda: served(server, trusts, HOSTS[0]) != first, log)
            assert fetched() == 1


def test_what_cannot_be_proved_is_said_and_the_rest_is_served(tmp_path: Path) -> None:
    ports, state = Ports(), tmp_path / "state"
    log = state / "edge.log"
    # The authority looks where nobody is.
    with (
        pebble(tmp_path / "authority", http=free_port(), tls=free_port()) as authority,
        fetching(state, ports, authority, "http-01", "--acme-retry", "3600", hosts=HOSTS[:1]) as server,
    ):
        wait_for(lambda: "no certificate for one.example was fetched, there is none" in log.read_text(), log)
        assert "Connection refused" in log.read_text() or "connection refused" in log.read_text()
        with pytest.raises(ssl.SSLError), connected(server, name=HOSTS[0]):
            pass
        assert send(ports.http, GET % b"/").statuses == [308]
        assert stats(state)["certificates_failed"] == 1


def test_an_authority_that_nobody_vouches_for_is_not_asked(tmp_path: Path) -> None:
    ports, state = Ports(), tmp_path / "state"
    log = state / "edge.log"
    with pebble(tmp_path / "authority", http=ports.http, tls=ports.tls) as authority:
        authority.root.write_text(Pair(tmp_path / "other", "localhost").cert.read_text())
        with fetching(state, ports, authority, "tls-alpn-01", hosts=HOSTS[:1]):
            wait_for(lambda: "cannot be asked" in log.read_text(), log)
            assert "invalid peer certificate" in log.read_text()


def test_a_site_has_certificates_beside_its_own(tmp_path: Path) -> None:
    ports = Ports()
    site = make_site(tmp_path / "site")
    with pebble(tmp_path / "authority", http=ports.http, tls=ports.tls) as authority:
        with (site / "site.toml").open("a") as settings:
            settings.write(f"[serve]\nport = {ports.tls}\nhttp_port = {ports.http}\n")
            settings.write(f'[acme]\ndomains = ["One.example"]\nagree = true\ndirectory = "{authority.directory}"\n')
            settings.write(f'root = "{authority.root}"\nstorage = "kept"\n')
        with running(["serve", str(site), "--prod"], ports, tmp_path / "log") as server:
            wait_for(lambda: served(server, authority.trusts(), "one.example"), tmp_path / "log")
            assert ask(server, "/")[1]["strict-transport-security"].startswith("max-age=")
            assert len(list((site / "kept").glob("*/one.example.pem"))) == 1


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    def refused(*options: str) -> str:
        found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--port", "0", "--state", tmp_path, *options)
        assert found.returncode in {1, 2}, found.stderr
        return " ".join(found.stderr.split())

    domain = ("--acme-domain", "one.example")
    assert "nobody agreed to the terms of service" in refused(*domain)
    agreed = (*domain, "--acme-agree")
    assert "there is no port for plain HTTP" in refused(*agreed, "--acme-challenge", "http-01")
    assert "without a star" in refused("--acme-domain", "*.example", "--acme-agree")
    assert "--acme-*" in refused(*agreed, "--acme-directory", "http://authority.example/dir")
    missing = refused(*agreed, "--acme-root", str(tmp_path / "no.pem"))
    assert "no.pem" in missing
    (tmp_path / "file").write_text("")
    assert "acme.storage" in refused(*agreed, "--acme-storage", str(tmp_path / "file"))
