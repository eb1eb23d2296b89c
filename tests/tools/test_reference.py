from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import hyperweb
from hyperweb.config._load import setting_names
from hyperweb.site._front_matter import FrontMatter
from tools import reference

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return {name: json.loads(text) for name, text in reference.files().items()}


@pytest.mark.parametrize("name", sorted(reference.files()))
def test_the_reference_is_current(name: str) -> None:
    assert (reference.OUT / name).read_bytes() == reference.files()[name], "run python -m tools.reference"


def test_a_stale_file_is_named_and_a_missing_one_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "OUT", tmp_path / "data")
    monkeypatch.setattr(reference, "files", lambda: {"a.json": b"1\n", "b.json": b"2\n"})
    assert reference.main(["--check"]) == 1
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    (tmp_path / "data" / "b.json").write_bytes(b"3\n")
    capsys.readouterr()
    assert reference.main(["--check"]) == 1
    assert "data/b.json is not current" in capsys.readouterr().err
    assert reference.main(["--chekc"]) == 2


def test_every_setting_and_key_is_there(made: dict[str, Any]) -> None:
    keys = {key["name"]: key for table in made["settings.json"] for key in table["keys"]}
    sections = {name.partition(".")[0] for name in setting_names() if "." in name}
    assert set(setting_names()) - sections <= set(keys)
    port = keys["serve.port"]
    assert (port["default"], port["least"], port["most"]) == (8000, 0, 65535)
    assert (port["environment"], port["type"]) == ("HYPERWEB_SERVE_PORT", "number")
    assert port["flags"] == [{"command": "serve", "flag": "--port"}]
    assert keys["hosts"]["environment"] is None
    assert [key["name"] for key in made["front_matter.json"]] == list(FrontMatter.__struct_fields__)
    assert all(key["doc"] for key in [*keys.values(), *made["front_matter.json"]])


def test_every_command_says_what_it_does(made: dict[str, Any]) -> None:
    commands = {command["name"]: command for command in made["commands.json"]}
    assert {"build", "serve", "stats", "routes", "purge", "minify", "new"} <= set(commands)
    for command in commands.values():
        assert command["summary"]
        assert all(option["help"] for option in command["options"])


def test_every_public_name_is_explained(made: dict[str, Any]) -> None:
    entries = made["api.json"]["hyperweb"]
    assert [each["name"] for each in entries] == sorted(hyperweb.__all__, key=str.lower)
    for each in entries + made["api.json"]["testing"]:
        assert each["doc"], each["name"]
        assert all(method["doc"] for method in each.get("methods", [])), each["name"]
    redirect = next(each for each in entries if each["name"] == "redirect")
    assert redirect["args"][0] == {"name": "target", "type": "str", "default": None, "doc": redirect["args"][0]["doc"]}
    assert redirect["raises"][0]["name"] == "UnsafeRedirectError"
    assert redirect["returns"] == "Response"


def test_nothing_names_a_place_on_this_machine() -> None:
    for text in reference.files().values():
        assert b" at 0x" not in text
        assert str(reference.ROOT).encode() not in text
