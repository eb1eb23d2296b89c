"""`hyperweb check`: looks for what is wrong with built sites."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

from hyperweb.check._rules import RULES
from hyperweb.cli._options import encode, load_sites, only_json


@click.command()
@click.argument("sites", nargs=-1, type=click.Path(path_type=Path))
@click.option("--external", is_flag=True, help="Ask for links to other sites too.")
@click.option("--strict", is_flag=True, help="Fail on warnings as on errors.")
@click.option(
    "--disable",
    multiple=True,
    type=click.Choice(sorted(RULES)),
    metavar="RULE",
    help="Leave a rule out; may be given several times. `check.disable` does it for good.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def check(sites: tuple[Path, ...], *, external: bool, strict: bool, disable: tuple[str, ...], as_json: bool) -> None:
    """Build SITES (default: this folder) and check them: links, anchors, pictures, HTML, titles, orphans and sizes."""
    from hyperweb.check import check_site
    from hyperweb.cli._progress import progress
    from hyperweb.errors import HyperwebError

    failed = False
    reports: list[object] = []
    for config in load_sites(sites or (Path(),), {}):
        try:
            with only_json(wanted=as_json), progress(enabled=not as_json) as show:
                report = check_site(config, external=external, disable=disable, progress=show)
        except HyperwebError as error:
            failed = True
            reports.append({"site": config.name, "error": str(error)})
            if not as_json:
                click.echo(f"error: {error}", err=True)
            continue
        failed |= report.failed(strict=strict)
        reports.append(report)
        if not as_json:
            click.echo(report.text())
    if as_json:
        click.echo(encode({"sites": reports}))
    if failed:
        sys.exit(1)
