"""`hyperweb minify`: makes files smaller."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

from hyperweb import _core
from hyperweb.build import minify_file
from hyperweb.site import SiteError


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The folder to write to.")
def minify(files: tuple[Path, ...], *, out: Path | None) -> None:
    """Minify HTML, CSS, JavaScript, TypeScript, JSON, XML and SVG FILES, to standard output or into --out."""
    names = [file.name for file in files]
    if out is not None and len(set(names)) < len(names):
        raise click.UsageError("two of the files have one name, and would overwrite each other in --out")
    for file in files:
        try:
            made = minify_file(file)
        except _core.SourceError as error:
            raise SiteError(
                error.message, file=error.file, line=error.line, hint=error.hint, frame=error.frame
            ) from None
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
