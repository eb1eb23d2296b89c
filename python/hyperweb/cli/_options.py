"""Options made from the settings they set: name, type, default and help are said once, with the setting."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import rich_click as click

from hyperweb.config import ConfigError, Settings, load_site
from hyperweb.config._load import describe, variable_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hyperweb.config import SiteConfig

F = TypeVar("F", bound="Callable[..., Any]")


def setting(name: str, *flags: str) -> Callable[[F], F]:
    """Returns an option that sets the setting `name` (`serve.port`); without `flags` it is named after it."""
    section, _, key = name.partition(".")
    default: Any = getattr(getattr(Settings(), section), key)
    parameter = name.replace(".", "__")
    spelled = flags or (f"--{key.replace('_', '-')}",)
    about = describe(name) or ""
    kind = type(default)
    notes = [f"env var: {variable_of(name)}"]
    if kind is not bool and default != "":
        notes.append(f"default: {default}")
    options: dict[str, Any] = {"default": None, "help": f"{about} [{'; '.join(notes)}]"}
    options |= {"is_flag": True} if kind is bool else {"type": kind}
    return click.option(*spelled, parameter, **options)


def certificate(cert: str | None, key: str | None) -> dict[str, Any]:
    """Returns the setting that `--tls-cert` and `--tls-key` make; their paths are seen from here."""
    if not (cert and key):
        raise click.UsageError("--tls-cert and --tls-key belong together: give both")
    return {"cert": str(Path(cert).absolute()), "key": str(Path(key).absolute())}


def overrides(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings among a command's parameters that were given, by dotted name."""
    found = {name.replace("__", "."): value for name, value in values.items() if "__" in name}
    return {name: value for name, value in found.items() if value is not None and value is not False}


def load_sites(paths: tuple[Path, ...], given: dict[str, Any]) -> list[SiteConfig]:
    """Returns the sites in the folders `paths`; a folder that holds sites and is none itself means all of them."""
    found = []
    for path in paths:
        below = sorted(one.parent for one in path.glob("*/site.toml")) if not (path / "site.toml").exists() else []
        found += [load_site(one, given) for one in (below or [path])]
    _check_apart(found)
    return found


def _check_apart(sites: list[SiteConfig]) -> None:
    """Refuses sites that would be built one over the other."""
    by_out: dict[Path, SiteConfig] = {}
    for site in sites:
        other = by_out.setdefault(site.out.resolve(), site)
        if other.root != site.root:
            raise ConfigError(
                f"{other.root} and {site.root} would both be built into {site.out.resolve()}",
                hint="give each site a folder of its own: `build.out` in its site.toml",
            )


@contextlib.contextmanager
def only_json(*, wanted: bool) -> Iterator[None]:
    """Sends what a site's own code prints while it is loaded to standard error, where JSON is `wanted` on the other."""
    with contextlib.redirect_stdout(sys.stderr) if wanted else contextlib.nullcontext():
        yield


def encode(value: object) -> str:
    """Returns a value as JSON text."""
    return msgspec.json.encode(value).decode()
