"""`hyperweb build`: builds sites."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from hyperweb.cli._options import encode, load_sites, only_json, overrides, setting
from hyperweb.cli._quick import note_build

if TYPE_CHECKING:
    from hyperweb.build import BuildReport

# How long one site is waited for before the next one's turn, in seconds, all together.
_TURN = 0.5


@click.command()
@click.argument("sites", nargs=-1, type=click.Path(path_type=Path))
@setting("build.concurrency")
@setting("build.out")
@setting("build.drafts")
@setting("client.spa")
@click.option(
    "--best",
    "build__compression",
    flag_value="best",
    help="Compress pages as hard as assets; the same as `build.compression`.",
)
@click.option("--clean", is_flag=True, help="Forget what earlier builds know and make everything anew.")
@click.option("--strict", is_flag=True, help="Fail on what is otherwise a warning, such as a link that leads nowhere.")
@click.option("--explain", metavar="PATH", help="Say why a URL path was made anew, or what a source file reaches.")
@click.option("--report", is_flag=True, help="Say how large what was built is, and write it as a page with a map.")
@click.option("--watch", is_flag=True, help="Build again whenever a file changes, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def build(
    sites: tuple[Path, ...],
    *,
    clean: bool,
    strict: bool,
    explain: str | None,
    report: bool,
    watch: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Build SITES (default: this folder) into their dist folders, doing only what changed."""
    from hyperweb.build import build_site
    from hyperweb.cli._progress import progress
    from hyperweb.errors import HyperwebError

    failed = False
    reports: list[object] = []
    for config in load_sites(sites or (Path(),), overrides(given)):
        try:
            with only_json(wanted=as_json), progress(enabled=not as_json) as show:
                made = build_site(
                    config,
                    clean=clean,
                    strict=strict,
                    explain=explain,
                    sizes=report or as_json or sys.stdout.isatty(),
                    page=report,
                    progress=show,
                )
        except HyperwebError as error:
            failed = True
            reports.append({"site": config.name, "error": str(error)})
            if not as_json:
                click.echo(f"error: {error}", err=True)
            continue
        reports.append(made)
        note_build(config, is_plain=not (overrides(given) or strict))
        if not as_json:
            _show(made)
    if as_json:
        click.echo(encode({"sites": reports}))
    if failed and not watch:
        sys.exit(1)
    if watch:
        _watch(sites or (Path(),), strict=strict, given=overrides(given))


def _show(made: BuildReport) -> None:
    for warning in made.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(made.text())
    if made.explained is not None:
        click.echo(made.explained.text())
    if made.sizes is not None:
        click.echo(made.sizes.text())
    if made.page is not None:
        click.echo(f"the whole report: {made.page}")


def _watch(sites: tuple[Path, ...], *, strict: bool, given: dict[str, Any]) -> None:
    from hyperweb.build._watch import Watched
    from hyperweb.errors import HyperwebError

    watched = [Watched(config, strict=strict, overrides=given) for config in load_sites(sites, given)]
    click.echo("watching for changes; Ctrl+C ends it")
    begun = False
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for site in watched:
                if begun and not site.wait(_TURN / len(watched)):
                    continue
                try:
                    made = site.build()
                except HyperwebError as error:
                    click.echo(f"error: {error}", err=True)
                    continue
                if made is not None:
                    _show(made)
            begun = True
