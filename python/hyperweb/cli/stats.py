"""`hyperweb stats`: figures of a running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import rich_click as click

from hyperweb.cli._options import encode
from hyperweb.cli._running import running_servers
from hyperweb.serve._errors import ServeError

_SHOWN = (
    ("requests", "requests"),
    ("pack_hits", "from the pack"),
    ("cache_hits", "from the cache"),
    ("misses", "by Python"),
    ("bytes", "bytes sent"),
    ("connections", "connections"),
    ("http2", "of HTTP/2"),
    ("http3", "of HTTP/3"),
    ("handshakes", "TLS handshakes"),
    ("handshakes_resumed", "sessions resumed"),
    ("p50_us", "p50, µs up to"),
    ("p99_us", "p99, µs up to"),
    ("cache_entries", "cache entries"),
    ("cache_bytes", "cache bytes"),
    ("outstanding", "with workers"),
    ("workers", "workers"),
)


@click.command()
@click.argument("site", type=click.Path(path_type=Path), default=Path())
@click.option("--watch", is_flag=True, help="Show them again every second, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def stats(site: Path, *, watch: bool, as_json: bool) -> None:
    """Show live figures of the server of SITE; requests are counted when it was started with --metrics."""
    from hyperweb.serve._admin import ask

    server = running_servers(site)[0]
    if not Path(server.admin).exists():
        raise ServeError("this server has no edge to count requests", hint="start it without --direct")
    before: dict[str, Any] | None = None
    while True:
        found: dict[str, Any] = ask(server.admin, "GET", "/stats")
        if as_json:
            click.echo(encode(found))
        else:
            click.echo(_text(found, before))
        if not watch:
            return
        before = found
        time.sleep(1)


def _text(found: dict[str, Any], before: dict[str, Any] | None) -> str:
    lines = [f"{label:>16}  {found[name]:,}" for name, label in _SHOWN]
    statuses = "  ".join(f"{number}xx {count:,}" for number, count in enumerate(found["statuses"], start=1) if count)
    lines.append(f"{'statuses':>16}  {statuses or '-'}")
    refused = "  ".join(f"{name} {count:,}" for name, count in found["refused"].items() if count)
    lines.append(f"{'refused':>16}  {refused or '-'}")
    for one in found["tiers"]:
        did = f"{one['hits']:,} found, {one['misses']:,} not, {one['writes']:,} written, {one['faults']:,} faults"
        lines.append(f"{one['name']:>16}  {did}")
    if found["certificates_fetched"] or found["certificates_failed"]:
        did = f"{found['certificates_fetched']:,} fetched, {found['certificates_failed']:,} times none"
        lines.append(f"{'certificates':>16}  {did}")
    for one in found["origins"]:
        state = "up" if one["is_up"] else "down"
        lines.append(f"{'origin':>16}  {one['address']} {state}, {one['requests']:,} asked, {one['failures']:,} failed")
    if before is not None:
        lines.append(f"{'per second':>16}  {found['requests'] - before['requests']:,}\n")
    return "\n".join(lines)
