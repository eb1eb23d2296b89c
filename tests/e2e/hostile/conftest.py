"""A built site with handlers, served by the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import Running, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDLERS = '''"""Handlers that say what reached them."""

from hyperweb import Request, get, post

seen: list[str] = []


@get("/api/up")
async def up() -> dict[str, bool]:
    """Says that it is there."""
    return {"up": True}


@get("/api/seen")
async def told() -> dict[str, list[str]]:
    """Says what was asked."""
    return {"seen": seen}


@post("/api/take")
async def take(request: Request) -> dict[str, int]:
    """Says how much it was sent."""
    seen.append("take")
    return {"length": len(await request.body())}


@get("/api/secret")
async def secret() -> dict[str, bool]:
    """Nobody asks for this but a smuggled request."""
    seen.append("secret")
    return {"secret": True}
'''

LIMITS = """
[serve]
max_body = 100000
[limits]
head_time = 1.0
body_time = 1.0
write_time = 1.0
"""


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile") / "site"
    made = make_site(
        root, **{"handlers.py": HANDLERS, "static__.dot": "dot\n", "static__plain.txt": "0123456789" * 100}
    )
    (made / "static" / "big.bin").write_bytes(bytes(range(256)) * 8192)
    settings = made / "site.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + LIMITS, encoding="utf-8")
    return made


@pytest.fixture(scope="package")
def server(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--metrics", "--workers", "1", wait_for="/api/up") as running:
        yield running
