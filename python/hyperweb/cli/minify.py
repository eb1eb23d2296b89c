"""`hyperweb minify`: makes files smaller."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

from hyperweb.build import minify_file
from hyperweb.site import SiteError


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The folder to write to.")
@click.option("--target", "targets", multiple=True, help="Browsers to lower stylesheets for, as a browserslist query.")
def minify(files: tuple[Path, ...], *, out: Path | None, targets: tuple[str, ...]) -> None:
    """Minify HTML, CSS, JavaScript, TypeScript, JSON, XML and SVG FILES, to standard output or into --out."""
    names = [file.name for file in files]
    if out is not None and len(set(names)) < len(names):
        raise click.UsageError("two of the files have one name, and would overwrite each other in --out")
    for file in files:
        made = minify_file(file, targets=targets or None)
        if out is None:
            sys.stdout.buffer.write(made)
            continue
        target = out / file.name
        try:
            out.mkdir(parents=True, exist_ok=True)
            target.write_bytes(made)
        except OSError as error:
            raise SiteError(f"cannot be written: {error.strerror}", file=target, hint="check its folder") from None
        click.echo(f"{file} → {target}: {file.stat().st_size:,} → {len(made):,} bytes")
