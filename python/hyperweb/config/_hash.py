"""The hash of the settings that a built page can depend on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from hyperweb import __version__

if TYPE_CHECKING:
    from hyperweb.config._settings import Settings

# How a site is served and checked, and how fast it is built, is in none of its pages.
_NOT_IN_PAGES = {
    "check": None,
    "serve": None,
    "cache": None,
    "build": ("concurrency", "out", "max_file"),
    "images": ("keep",),
}


def settings_hash(settings: Settings) -> str:
    """Returns a hash of hyperweb's version and of all settings that decide what is built."""
    # It brings OpenSSL with it, which a server that does not look at its sources has no use for.
    import hashlib

    table = msgspec.to_builtins(settings)
    for section, names in _NOT_IN_PAGES.items():
        if names is None:
            del table[section]
        else:
            for name in names:
                del table[section][name]
    # The standard library's JSON takes every number TOML can say; dates are text by now.
    data = json.dumps([__version__, table], sort_keys=True, ensure_ascii=False).encode(errors="surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()
