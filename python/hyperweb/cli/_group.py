"""The commands, each loaded when it is run."""

from __future__ import annotations

import sys
from typing import Any

import rich_click as click

from hyperweb import __version__
from hyperweb.errors import HyperwebError

_COMMANDS = {
    "build": "hyperweb.cli.build:build",
    "check": "hyperweb.cli.check:check",
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


def run() -> Any:
    """Runs the command line; an error that a person can mend is shown without a traceback."""
    as_json = "--json" in sys.argv
    try:
        # What click itself says of wrong use is for a person.
        sys.exit(cli(standalone_mode=not as_json))
    except HyperwebError as error:
        _say(str(error), as_json=as_json)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _say(error.format_message(), as_json=as_json)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


def _say(what: str, *, as_json: bool) -> None:
    if not as_json:
        sys.stderr.write(f"error: {what}\n")
        return
    from hyperweb.cli._options import encode

    # A program reads one object, whatever happened.
    sys.stdout.write(encode({"error": what}) + "\n")
