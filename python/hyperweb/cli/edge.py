"""`hyperweb edge`: the edge alone, in front of any HTTP origin."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

from hyperweb.cli._options import setting
from hyperweb.config._settings import ServeSettings


@click.command()
@click.option(
    "--origin",
    "origins",
    multiple=True,
    required=True,
    help="Where the origin is: http://HOST[:PORT] or unix:PATH. With several, each request goes to the least busy one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port to listen on.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the edge [default: the processors].")
@click.option("--memory", default="auto", show_default=True, help='What may be kept in memory: a size like "256MB".')
@setting("serve.max_body")
@click.option("--limit", "limits", multiple=True, metavar="NAME=VALUE", help="Another limit on what clients may ask.")
@click.option("--metrics", is_flag=True, help="Count requests, for `hyperweb stats`.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder to give to `hyperweb stats` and `hyperweb purge` [default: this folder].",
)
def edge(
    origins: tuple[str, ...],
    *,
    host: str,
    port: int,
    threads: int | None,
    memory: str,
    serve__max_body: int | None,
    limits: tuple[str, ...],
    metrics: bool,
    state: Path,
) -> None:
    """Cache what any HTTP/1.1 origin answers (RFC 9111), and pass on what may not be cached."""
    from hyperweb.serve._front import Front
    from hyperweb.serve._limits import edge_limits, read_limits
    from hyperweb.serve._supervisor import bracketed, cache_bytes, cores

    front = Front(
        origins,
        listen=f"{bracketed(host)}:{port}",
        threads=threads or cores(),
        cache_bytes=cache_bytes(memory, "`--memory`"),
        metrics=metrics,
        limits=edge_limits(
            read_limits(limits), ServeSettings().max_body if serve__max_body is None else serve__max_body
        ),
        state=state / ".hyperweb",
    )

    def started(addresses: list[str]) -> None:
        click.echo(f"caching {' and '.join(origins)} at " + " ".join(f"http://{address}" for address in addresses))

    sys.exit(front.run(started))
