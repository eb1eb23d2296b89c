"""`hyperweb serve`: serves sites, for development or, with --prod, for the world."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from hyperweb.cli._options import certificate, load_sites, overrides, setting

if TYPE_CHECKING:
    from hyperweb.config import SiteConfig


@click.command()
@click.argument("sites", nargs=-1, type=click.Path(path_type=Path))
@click.option("--prod", is_flag=True, help="Serve the built site by the edge; Python only where a page needs it.")
@setting("serve.host")
@setting("serve.port")
@setting("serve.workers")
@setting("serve.edge_threads")
@setting("serve.tls_self_signed", "--tls")
@click.option("--tls-cert", metavar="FILE", help="With --prod: speak TLS with the certificate in this PEM file.")
@click.option("--tls-key", metavar="FILE", help="The PEM file of its private key.")
@setting("serve.http3", "--http3")
@setting("serve.http_port")
@setting("serve.metrics")
@setting("log.access", "--access-log")
@setting("client.spa")
@click.option("--direct", is_flag=True, help="With --prod: no edge, Granian faces the clients.")
@click.option("--no-build", is_flag=True, help="With --prod: serve what is built, also when it is stale.")
def serve(
    sites: tuple[Path, ...],
    *,
    prod: bool,
    direct: bool,
    no_build: bool,
    tls_cert: str | None,
    tls_key: str | None,
    **given: Any,
) -> None:
    """Serve SITES (default: this folder).

    Without --prod this is the development server: pages are rendered from source on each request, the browser reloads
    itself on a change, and an error shows where it is.
    """
    logging.basicConfig(level=os.environ.get("HYPERWEB_LOG", "INFO"), format="%(levelname)s %(name)s: %(message)s")
    chosen = overrides(given)
    if tls_cert or tls_key:
        chosen["serve.tls"] = [certificate(tls_cert, tls_key)]
    configs = load_sites(sites or (Path(),), chosen)
    if not prod:
        if direct or no_build or tls_cert:
            raise click.UsageError("--direct, --no-build and --tls-cert are of --prod")
        if len(configs) != 1:
            raise click.UsageError("the development server serves one site at a time")
        from hyperweb.serve.dev import serve_dev

        sys.exit(serve_dev(configs[0], chosen))
    names = [config.name for config in configs]
    if len(set(names)) < len(names):
        raise click.UsageError("two sites have folders of one name; rename one of them")
    if direct and len(configs) != 1:
        raise click.UsageError("--direct serves one site at a time")
    if direct:
        _check_direct(configs[0], given)
    for config in configs:
        _build(config, chosen, no_build=no_build)
    from hyperweb.serve._supervisor import Supervisor

    def started(urls: list[str]) -> None:
        names = ", ".join(config.name for config in configs)
        click.echo(f"serving {names} at " + " ".join(urls))

    sys.exit(Supervisor(configs, chosen, direct=direct).run(started))


def _check_direct(config: SiteConfig, given: dict[str, Any]) -> None:
    """Refuses options that only the edge could obey; settings of the site only lead to a warning."""
    if config.settings.serve.tls or config.settings.serve.tls_self_signed:
        raise click.UsageError("TLS is of the edge, and with --direct there is none; leave one of the two out")
    for name, flag, value in (
        ("serve__metrics", "--metrics", config.settings.serve.metrics),
        ("log__access", "--access-log", config.settings.log.access),
    ):
        if given.get(name):
            raise click.UsageError(f"{flag} is of the edge, and with --direct there is none; leave one of the two out")
        if value:
            setting = name.replace("__", ".")
            logging.getLogger("hyperweb.serve").warning("`%s` is of the edge, and with --direct there is none", setting)


def _build(config: SiteConfig, chosen: dict[str, Any], *, no_build: bool) -> None:
    """Builds a site that needs it, in a process of its own: what building loads is not for the server to carry."""
    from hyperweb.serve._current import is_current

    if no_build:
        if not config.pack.is_file():
            raise click.UsageError(f"{config.name} is not built; leave out --no-build, or run hyperweb build")
        return
    if is_current(config):
        return
    command = [sys.executable, "-m", "hyperweb", "build", str(config.root)]
    if chosen.get("client.spa"):
        command.append("--spa")
    code = subprocess.run(command, check=False).returncode  # noqa: S603 - this very program
    if code != 0:
        sys.exit(code)
