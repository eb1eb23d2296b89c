"""A build with nothing to do: what is certain without loading anything, and all that makes it uncertain."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hyperweb.cli._quick import nothing_to_build
from tests.e2e.site import hyperweb, make_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the commands under test have not, this process must not have either: settings come from it."""
    for name in [name for name in os.environ if name.startswith("HYPERWEB_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    made = make_site(tmp_path / "site")
    assert hyperweb("build", made).returncode == 0
    return made


def is_certain(site: Path) -> bool:
    return nothing_to_build(["build", str(site)]) is not None


def test_a_build_with_nothing_to_do_loads_nothing(site: Path) -> None:
    said = nothing_to_build(["build", str(site)])
    assert said is not None
    assert said.startswith("site: nothing changed (")
    assert hyperweb("build", site).stdout.startswith("site: nothing changed (")
    code = (
        "import sys\nfrom hyperweb.cli import main\nsys.argv = ['hyperweb', 'build', sys.argv[1]]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({'click', 'msgspec', 'jinja2', 'typing'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, site], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_folder_at_hand_is_a_site_too(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)
    assert nothing_to_build(["build"]) is not None
    assert nothing_to_build(["build", "."]) is not None


def test_only_a_plain_build_is_answered_so(site: Path) -> None:
    for words in (["build", "--json"], ["build", str(site), "--clean"], ["serve", str(site)], [], ["build", "-h"]):
        assert nothing_to_build(words) is None


def _edit(site: Path) -> None:
    (site / "content/posts/a.md").write_text("# Another\n", encoding="utf-8")


def _set(site: Path) -> None:
    file = site / "site.toml"
    file.write_text(file.read_text("utf-8") + "\n# Said.\n", encoding="utf-8")


def _add(site: Path) -> None:
    (site / "content/new.md").write_text("# New\n", encoding="utf-8")


def _touch_pack(site: Path) -> None:
    os.utime(site / "dist/site.pack", ns=(1, 1))


def _is_publishing(site: Path) -> None:
    (site / "dist/.publishing").touch()


@pytest.mark.parametrize(
    "change",
    [
        _edit,
        _set,
        _add,
        _touch_pack,
        _is_publishing,
        lambda site: (site / "content/posts/b.md").unlink(),
        lambda site: shutil.rmtree(site / "dist/public"),
        lambda site: (site / "dist/site.pack").unlink(),
        lambda site: (site / ".hyperweb/sources").unlink(),
        lambda site: (site / ".hyperweb/last").write_text("damaged"),
        lambda site: (site / ".hyperweb/last").write_bytes(b"\xff\0\0\0\0"),
    ],
)
def test_whatever_changed_makes_it_uncertain(site: Path, change: Callable[[Path], object]) -> None:
    assert is_certain(site)
    change(site)
    assert not is_certain(site)
    done = hyperweb("build", site)
    assert done.returncode == 0, done.stderr
    assert is_certain(site)


def test_another_environment_and_another_place_make_it_uncertain(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERWEB_BUILD_DRAFTS", "true")
    assert not is_certain(site)
    monkeypatch.delenv("HYPERWEB_BUILD_DRAFTS")
    monkeypatch.setenv("PUBLIC_API", "x")
    assert not is_certain(site)
    monkeypatch.delenv("PUBLIC_API")
    assert is_certain(site)
    shutil.copytree(site, tmp_path / "copy")
    assert not is_certain(tmp_path / "copy")


def test_a_build_with_options_is_not_taken_for_one_without(site: Path) -> None:
    assert hyperweb("build", site, "--drafts").returncode == 0
    assert not is_certain(site)
    assert not hyperweb("build", site).stdout.startswith("site: nothing changed")
    assert is_certain(site)


def test_what_code_of_the_site_may_read_makes_it_uncertain(site: Path) -> None:
    (site / "plugins").mkdir()
    (site / "plugins/idle.py").write_text(
        "from hyperweb.plugins import Plugin\n\n\nclass Idle(Plugin):\n    version = '1'\n\n\nplugin = Idle()\n",
        "utf-8",
    )
    file = site / "site.toml"
    file.write_text(file.read_text("utf-8") + '\n[build]\nplugins = ["idle"]\n', encoding="utf-8")
    done = hyperweb("build", site)
    assert done.returncode == 0, done.stderr
    assert not is_certain(site)


def test_a_file_of_a_package_that_was_bundled_makes_it_uncertain(site: Path) -> None:
    for path, text in {
        "assets/app.ts": "import { VERSION } from 'pack';\nconsole.log(VERSION);\n",
        "node_modules/pack/package.json": '{"name": "pack", "version": "1.0.0", "main": "index.js"}',
        "node_modules/pack/index.js": "export const VERSION = '1.2.3';\n",
    }.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, encoding="utf-8")
    assert hyperweb("build", site).returncode == 0
    assert is_certain(site)
    (site / "node_modules/pack/index.js").write_text("export const VERSION = '1.2.4';\n", "utf-8")
    assert not is_certain(site)
