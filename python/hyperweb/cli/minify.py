"""`hyperweb minify`: makes files smaller."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import rich_click as click

from hyperweb.build._minify import Minified, minified
from hyperweb.site import SiteError


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The folder to write to.")
@click.option("--target", "targets", multiple=True, help="Browsers to lower stylesheets for, as a browserslist query.")
@click.option("--source-map", is_flag=True, help="Write FILE.map beside each script and stylesheet; needs --out.")
@click.option(
    "--licenses",
    type=click.Choice(["keep", "drop", "extern"]),
    help="What becomes of comments that state a licence: they stay, are dropped, or go into FILE.LICENSE.txt, which "
    "needs --out. By default they stay in stylesheets.",
)
def minify(
    files: tuple[Path, ...],
    *,
    out: Path | None,
    targets: tuple[str, ...],
    source_map: bool,
    licenses: Literal["keep", "drop", "extern"] | None,
) -> None:
    """Minify HTML, CSS, JavaScript, TypeScript, JSON, XML and SVG FILES, to standard output or into --out."""
    names = [file.name for file in files]
    if out is not None and len(set(names)) < len(names):
        raise click.UsageError("two of the files have one name, and would overwrite each other in --out")
    if out is None and (source_map or licenses == "extern"):
        raise click.UsageError("what goes into files beside needs a folder: say --out")
    for file in files:
        made = minified(file, targets=targets or None, source_map=source_map, licenses=licenses)
        if out is None:
            sys.stdout.buffer.write(made.code)
            continue
        target = out / file.name
        try:
            out.mkdir(parents=True, exist_ok=True)
            target.write_bytes(made.code + _reference(target, made))
            for ending, beside in ((".map", made.source_map), (".LICENSE.txt", made.licenses)):
                if beside is not None:
                    target.with_name(target.name + ending).write_bytes(beside)
        except OSError as error:
            raise SiteError(f"cannot be written: {error.strerror}", file=target, hint="check its folder") from None
        click.echo(f"{file} → {target}: {file.stat().st_size:,} → {len(made.code):,} bytes")


def _reference(target: Path, made: Minified) -> bytes:
    """Returns what leads from a file to its source map."""
    if made.source_map is None:
        return b""
    said = f"# sourceMappingURL={target.name}.map"
    return (f"\n/*{said} */\n" if target.suffix == ".css" else f"\n//{said}\n").encode()
