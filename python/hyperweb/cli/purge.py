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
@click.option("--url", "urls", multiple=True, help="Responses at this very address, with host and query.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@click.option("--soft", is_flag=True, help="Make them stale; they are used while new ones are made.")
@click.option("--server", metavar="URL", help="The admin listener of a server elsewhere, in place of SITE's.")
@click.option("--token", envvar="HYPERWEB_SERVE_ADMIN_TOKEN", help="Its token [env: HYPERWEB_SERVE_ADMIN_TOKEN].")
def purge(
    site: Path,
    *,
    tags: tuple[str, ...],
    paths: tuple[str, ...],
    prefix: str | None,
    urls: tuple[str, ...],
    everything: bool,
    soft: bool,
    server: str | None,
    token: str | None,
) -> None:
    """Make the server of SITE forget what Python made: by tag, path, prefix or address."""
    from hyperweb.serve._admin import ask
    from hyperweb.serve._purge_mail import post_purge
    from hyperweb.web.purge import make_purge

    if not (tags or paths or prefix or urls or everything):
        raise click.UsageError("say what to forget: --tag, --path, --prefix, --url or --all")
    wanted = make_purge(tags, paths, prefix, urls, everything=everything, soft=soft)
    done = "softened" if soft else "forgotten"
    if server is not None:
        click.echo(f"{ask(server, 'POST', '/purge', wanted, token=token)['purged']} responses {done}")
        return
    for running in running_servers(site):
        admin = Path(running.admin)
        if admin.exists():
            answer = ask(str(admin), "POST", "/purge", wanted)
            click.echo(f"{answer['purged']} responses {done}")
        else:
            # Started with --direct: there is no edge, and each worker keeps its own.
            click.echo(f"{post_purge(admin.parent, wanted)} workers told")
