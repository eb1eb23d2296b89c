"""How much the edge keeps in memory, and where else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hyperweb import _core
from hyperweb.serve._errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hyperweb.config._settings import CacheSettings
    from hyperweb.config._site import SiteConfig

_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30, "b": 1}
_AUTO = 10
# Built with others, a share of all memory would leave them none.
_MOST_SHARE = 90


def size(setting: str | int, name: str) -> int:
    """Returns the bytes of a size such as `256MB`.

    Args:
        setting: The size; a number is bytes.
        name: What it is the size of, as it is shown when it is none.

    Raises:
        ServeError: It is no size.
    """
    if isinstance(setting, int):
        return setting
    text = setting.strip().lower()
    for unit in sorted(_UNITS, key=len, reverse=True):
        number = text.removesuffix(unit)
        if number != text:
            try:
                return int(float(number) * _UNITS[unit])
            except (ValueError, OverflowError):
                break
    raise ServeError(f"{name} is no size: {setting!r}", hint='write it like "256MB"')


def memory_limit(setting: str | int, name: str = "`cache.memory`") -> dict[str, int]:
    """Returns what the cache may hold in memory, as the edge takes it: bytes, or a share that follows the machine.

    Raises:
        ServeError: The setting is neither a size nor a share.
    """
    if setting == "auto":
        return {"cache_share": _AUTO}
    if isinstance(setting, str) and setting.strip().endswith("%"):
        text = setting.strip().removesuffix("%").strip()
        if text.isdecimal() and 0 < int(text) <= _MOST_SHARE:
            return {"cache_share": int(text)}
        raise ServeError(f"{name} is no share: {setting!r}", hint=f"give 1% to {_MOST_SHARE}% of the memory there is")
    try:
        return {"cache_bytes": size(setting, name)}
    except ServeError as error:
        raise ServeError(error.message, hint='write it like "256MB", "25%", or "auto"') from None


def tiers(settings: CacheSettings, folder: Path, namespace: str) -> dict[str, Any]:
    """Returns the tiers below memory as the edge takes them; empty where there are none.

    Args:
        settings: The settings.
        folder: Where the disk's is.
        namespace: What keys on a server begin with, where it is not set.

    Raises:
        ServeError: A setting cannot be used.
    """
    found: dict[str, Any] = {}
    if settings.disk:
        found["disk"] = {"folder": str(folder), "bytes": size(settings.disk, "`cache.disk`")}
    if settings.redis and not re.fullmatch(r"(redis|unix)://\S+", settings.redis):
        raise ServeError(
            f"`cache.redis` is no address of a server: {settings.redis!r}",
            hint='write it like "redis://127.0.0.1:6379/0" or "unix:///run/redis.sock"',
        )
    if settings.redis:
        found["redis"] = {"url": settings.redis, "namespace": settings.namespace or f"hyperweb:{namespace}"}
    return found


def site_version(site: SiteConfig) -> str:
    """Returns a name for what makes a site's responses: its build, and the Python and templates beside it.

    Responses that another version made are not taken up again after a restart.
    """
    # It brings OpenSSL with it, which only a server with such tiers has a use for.
    import hashlib

    digest = hashlib.blake2b(digest_size=12)
    try:
        digest.update(_core.pack_id(str(site.pack)).encode())
    except _core.PackError:
        # It is refused when it is opened, and says why.
        digest.update(b"no pack")
    for path in _sources(site):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        digest.update(f"{path.relative_to(site.root)}\0{len(data)}\0".encode(errors="surrogatepass"))
        digest.update(data)
    return digest.hexdigest()


def _sources(site: SiteConfig) -> Iterator[Path]:
    """The files that responses are made with, in an order that does not change."""
    apart = {site.out, site.state}
    folders = [site.root]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(folder.iterdir(), reverse=True)
        except OSError:
            continue
        for path in entries:
            if path.is_dir() and not path.is_symlink():
                if path not in apart and not path.name.startswith((".", "__pycache__")) and path.name != "node_modules":
                    folders.append(path)
            elif (path.suffix == ".py" or "templates" in path.relative_to(site.root).parts) and path.is_file():
                yield path
