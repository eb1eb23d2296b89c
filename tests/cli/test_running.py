"""Commands that talk to a server that really runs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import Running, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
HANDLERS = '''"""Handlers."""

from hyperweb import get

calls = {"count": 0}


@get("/kept/{name}", cache="60s", tags=["kept", "one:{name}"])
async def kept(name: str) -> int:
    """Counts the calls."""
    calls["count"] += 1
    return calls["count"]
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("running") / "site", **{"handlers.py": HANDLERS})


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--metrics", "--workers", "1", wait_for="/kept/first") as running:
        yield running


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        (["--tag", "one:a"], {"/kept/a", "/kept/a?x=1"}),
        (["--tag", "one:a", "--tag", "one:b"], {"/kept/a", "/kept/a?x=1", "/kept/b"}),
        (["--tag", "kept"], {"/kept/a", "/kept/a?x=1", "/kept/b", "/kept/bb"}),
        (["--tag", "nobody"], set()),
        (["--path", "/kept/b"], {"/kept/b"}),
        (["--path", "/kept/a"], {"/kept/a", "/kept/a?x=1"}),
        (["--prefix", "/kept/b"], {"/kept/b", "/kept/bb"}),
        (["--all"], {"/kept/a", "/kept/a?x=1", "/kept/b", "/kept/bb"}),
    ],
)
def test_purge_makes_a_server_forget_what_is_named_and_nothing_else(
    site: Path, server: Running, options: list[str], gone: set[str]
) -> None:
    hyperweb("purge", site, "--all", check=True)
    paths = ["/kept/a", "/kept/a?x=1", "/kept/b", "/kept/bb"]
    before = {path: server.get(path)[2] for path in paths}
    found = hyperweb("purge", site, *options)
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"{len(gone)} responses forgotten\n"
    assert {path for path in paths if server.get(path)[2] != before[path]} == gone


def test_stats_count_what_is_served(site: Path, server: Running) -> None:
    def figures() -> dict[str, int]:
        found = hyperweb("stats", site, "--json")
        assert found.stdout.count("\n") == 1
        counted: dict[str, int] = json.loads(found.stdout)
        return counted

    hyperweb("purge", site, "--all", check=True)
    before = figures()
    for _ in range(3):
        server.get("/posts/a/")
        server.get("/kept/a")
    server.get("/nope/")
    after = figures()
    assert after["requests"] - before["requests"] == 7
    assert after["cache_hits"] - before["cache_hits"] == 2
    assert after["misses"] - before["misses"] == 1
    assert after["pack_hits"] - before["pack_hits"] >= 3
    assert after["bytes"] > before["bytes"]
    text = hyperweb("stats", site, check=True).stdout
    assert re.search(r"requests  [\d,]+\n", text)
    assert "\x1b" not in text


def test_without_a_server_that_is_said(tmp_path: Path) -> None:
    idle = make_site(tmp_path / "idle")
    for command, *options in (["stats"], ["purge", "--all"]):
        found = hyperweb(command, idle, *options)
        assert found.returncode == 1
        assert "no server of idle is running" in found.stderr
        assert "hyperweb serve" in found.stderr


def test_a_server_that_died_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    dead = make_site(tmp_path / "dead")
    (dead / ".hyperweb").mkdir()
    for text in ('{"pid": 4194304, "admin": "/nowhere", "addresses": []}', "damaged", '{"pid": "x"}'):
        (dead / ".hyperweb/server.json").write_text(text, "utf-8")
        found = hyperweb("stats", dead)
        assert found.returncode == 1
        assert "no server of dead is running" in found.stderr
