"""`hyperweb warm`: asks a running server for pages, so that its caches hold them."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import rich_click as click

from hyperweb.cli._running import running_servers
from hyperweb.config import load_site

if TYPE_CHECKING:
    from hyperweb.serve._runtime import Running

_TIMEOUT = 30.0
# What an ordinary browser accepts: the variants that are worth having.
_ACCEPTS = {"accept-encoding": "gzip, deflate, br, zstd", "user-agent": "hyperweb warm"}
# Requests that each worker may have before warming yields.
_AT_EASE = 2


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("site", type=click.Path(path_type=Path), default=Path())
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=200.0, help="Pages a second, at most.")
@click.option("--host", "name", help="The host to ask for, where SOURCE names none. [default: the one of base_url]")
@click.option("--most", type=click.IntRange(min=1), default=10_000, help="Pages, at most; those asked for most first.")
def warm(source: Path, site: Path, *, rate: float, name: str | None, most: int) -> None:
    """Ask the server of SITE for the pages in SOURCE, those asked for most often first.

    SOURCE is an access log (common or combined format, or JSON lines) or a list of URLs. The server's own visitors come
    first: warming goes slower when there are many, and stops while it has all it can do.
    """
    from hyperweb import _core

    pages, lines, bad = _core.read_log(str(source))
    if bad:
        click.echo(f"{bad} of {lines} lines are no requests", err=True)
    wanted = [(host, path) for host, path, _ in pages if path.startswith("/")][:most]
    if not wanted:
        raise click.UsageError(f"{source} names no pages; give an access log, or a list of URLs, one a line")
    server = running_servers(site)[0]
    # Responses are kept for the host they were asked for by.
    usual = name or urlsplit(load_site(site).settings.base_url).netloc or server.addresses[0]
    host, _, port = server.addresses[0].rpartition(":")
    connection = _connection(host.strip("[]"), int(port), is_secure=server.is_secure)

    def fetch(number: int) -> bool:
        named, path = wanted[number]
        try:
            connection.request("GET", path, headers={**_ACCEPTS, "host": named or usual})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return False
        return answer.status < http.client.BAD_REQUEST

    try:
        fetched, failed, left = _core.warm_up(len(wanted), rate, lambda: _load(server), fetch)
    finally:
        connection.close()
    click.echo(f"{fetched} pages fetched, {failed} failed, {left} left")


def _connection(host: str, port: int, *, is_secure: bool) -> http.client.HTTPConnection:
    if not is_secure:
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    # It is this machine's own server, by an address that its certificate hardly names.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)


def _load(server: Running) -> float:
    """How busy a server is, from 0 to 1: its requests under way, as a share of what its workers do at ease."""
    from hyperweb.serve._admin import ask

    admin = Path(server.admin)
    if not admin.exists():
        # Started with --direct: there is no edge that could say.
        return 0.0
    figures = ask(str(admin), "GET", "/stats")
    at_ease: int = max(1, figures["workers"] * _AT_EASE)
    return float(figures["outstanding"]) / at_ease
