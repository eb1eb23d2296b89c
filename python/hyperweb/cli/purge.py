"""`hyperweb purge`: makes a running server forget cached responses."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from hyperweb.cli._running import running_server


@click.command()
@click.argument("site", type=click.Path(path_type=Path), default=Path())
@click.option("--tag", "tags", multiple=True, help="Responses that have this tag.")
@click.option("--path", "paths", multiple=True, help="Responses at this path, whatever their queries.")
@click.option("--prefix", help="Responses whose path begins so.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
def purge(site: Path, *, tags: tuple[str, ...], paths: tuple[str, ...], prefix: str | None, everything: bool) -> None:
    """Make the server of SITE forget what Python made: by tag, path or prefix."""
    from hyperweb.serve._admin import ask

    if not (tags or paths or prefix or everything):
        raise click.UsageError("say what to forget: --tag, --path, --prefix or --all")
    wanted = {"tags": tags, "paths": paths, "prefix": prefix, "all": everything}
    answer = ask(running_server(site).admin, "POST", "/purge", wanted)
    click.echo(f"{answer['purged']} responses forgotten")
