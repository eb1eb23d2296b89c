"""`hyperweb routes`: what Python answers at run time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from hyperweb.cli._options import encode, only_json
from hyperweb.config import load_site


@click.command()
@click.argument("site", type=click.Path(path_type=Path), default=Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def routes(site: Path, *, as_json: bool) -> None:
    """List the routes of SITE's handlers, with their methods and how long they are kept."""
    from hyperweb.serve._handlers import load_handlers

    with only_json(wanted=as_json):
        app = load_handlers(load_site(site).root)
    found: list[dict[str, Any]] = [
        {
            "path": route.path,
            "methods": list(route.methods),
            "name": route.name,
            "cache": msgspec.to_builtins(route.cache) if route.cache else None,
            "tags": list(route.tags),
        }
        for route in (app.routes if app is not None else ())
    ]
    if as_json:
        click.echo(encode({"routes": found}))
        return
    for route in found:
        kept = "cached" if route["cache"] else ""
        click.echo(f"{'|'.join(route['methods']):<10} {route['path']:<32} {kept:<7} {' '.join(route['tags'])}".rstrip())
