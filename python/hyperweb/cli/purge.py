"""`hyperweb purge`: makes a running server forget cached responses."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from hyperweb.cli._running import running_servers


@click.command()
@click.argument("site", type=click.Path(path_type=Path), default=Path())
@click.option("--tag", "tags", multiple=True, help="Responses that have this tag.")
@click.option("--path", "paths", multiple=True, help="Responses at this path, whatever their queries.")
@click.option("--prefix", help="Responses whose path begins so.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
def purge(site: Path, *, tags: tuple[str, ...], paths: tuple[str, ...], prefix: str | None, everything: bool) -> None:
    """Make the server of SITE forget what Python made: by tag, path or prefix."""
    from hyperweb.serve._admin import ask
    from hyperweb.serve._purge_mail import post_purge
    from hyperweb.web.purge import Purge
    from hyperweb.web.tags import clean_tag

    if not (tags or paths or prefix or everything):
        raise click.UsageError("say what to forget: --tag, --path, --prefix or --all")
    wanted = Purge(tuple(map(clean_tag, tags)), paths, prefix, everything)
    for server in running_servers(site):
        admin = Path(server.admin)
        if admin.exists():
            answer = ask(str(admin), "POST", "/purge", wanted)
            click.echo(f"{answer['purged']} responses forgotten")
        else:
            # Started with --direct: there is no edge, and each worker keeps its own.
            click.echo(f"{post_purge(admin.parent, wanted)} workers told")
