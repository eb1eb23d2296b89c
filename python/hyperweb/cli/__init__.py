"""The command line: one file for each command."""

from __future__ import annotations

import sys
from typing import Any

import rich_click as click

from hyperweb import __version__
from hyperweb.errors import HyperwebError

_COMMANDS = {
    "build": "hyperweb.cli.build:build",
    "serve": "hyperweb.cli.serve:serve",
    "edge": "hyperweb.cli.edge:edge",
    "stats": "hyperweb.cli.stats:stats",
    "routes": "hyperweb.cli.routes:routes",
    "purge": "hyperweb.cli.purge:purge",
    "warm": "hyperweb.cli.warm:warm",
    "minify": "hyperweb.cli.minify:minify",
    "new": "hyperweb.cli.new:new",
}


class _Lazy(click.RichGroup):
    """Loads the module of a command when the command is run, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        import importlib

        module, _, name = where.partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hyperweb")
def cli() -> None:
    """Build a folder of content, templates, scripts and images into a packed site, and serve it."""


def main() -> Any:
    """Runs the command line; an error that a person can mend is shown without a traceback."""
    try:
        return cli()
    except HyperwebError as error:
        if "--json" in sys.argv:
            from hyperweb.cli._options import encode

            # A program reads one object, whatever happened.
            sys.stdout.write(encode({"error": str(error)}) + "\n")
        else:
            sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
