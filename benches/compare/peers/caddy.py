"""Caddy of Debian: files, over TLS too, and as a proxy that passes on. It keeps nothing without a plugin.

As many processors for Go as the others have threads, no access log, no admin endpoint, connections to the origin kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benches.compare.client import HOST
from benches.compare.peers import origin
from benches.compare.peers.certificate import certificate
from benches.compare.peers.peer import Peer, Setup
from benches.compare.programs import find_program, version_of

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.process import Server

CADDYFILE = """\
{{
	admin off
	auto_https off
	log {{
		level ERROR
	}}
	servers {{
		protocols h1 h2
	}}
}}
{scheme}://:{port} {{
	bind {host}
{site}
}}
"""


def _start(setup: Setup, name: str, site: str, scheme: str, port: int) -> Server:
    folder = setup.folder(name)
    config = folder / "Caddyfile"
    config.write_text(CADDYFILE.format(scheme=scheme, host=HOST, port=port, site=site))
    places = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command: list[str | Path] = [find_program("caddy"), "run", "--config", config, "--adapter", "caddyfile"]
    return setup.server(name).start(command, env={**places, "GOMAXPROCS": str(setup.threads)})


def start_files(setup: Setup, port: int) -> Server:
    """Starts it serving the bodies from files."""
    return _start(setup, "caddy", f"\troot * {setup.files()}\n\tfile_server", "http", port)


def start_tls(setup: Setup, port: int) -> Server:
    """Starts it serving the bodies from files, over TLS and HTTP/2."""
    made = certificate(setup)
    site = f"\ttls {made.cert} {made.key}\n\troot * {setup.files()}\n\tfile_server"
    return _start(setup, "caddy-tls", site, "https", port)


def start_pass(setup: Setup, port: int) -> Server:
    """Starts it in front of the origin, passing on each request."""
    return _start(setup, "caddy-pass", f"\treverse_proxy unix/{origin.passed(setup)}", "http", port)


def _version() -> str:
    return f"Caddy {version_of([find_program('caddy'), 'version'])}"


CADDY_FILES = Peer("caddy", "Caddy, static files", start_files, _version)
CADDY_TLS = Peer("caddy", "Caddy, static files", start_tls, _version)
CADDY_PASS = Peer("caddy", "Caddy, reverse_proxy", start_pass, _version)
