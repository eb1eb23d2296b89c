"""The files of data/."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hyperweb.site import SiteError
from hyperweb.site._data import read_data
from tests.site.rendering import fault, render


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("team.toml", 'name = "Ada"\n[lead]\nof = [1, 2]\n'),
        ("team.json", '\ufeff{"name": "Ada", "lead": {"of": [1, 2]}}'),
        ("team.yaml", "name: Ada\nlead:\n  of: [1, 2]\n"),
        ("deep/er/team.yml", "name: Ada\nlead: {of: [1, 2]}\n"),
    ],
)
def test_templates_read_data_by_the_files_name(tmp_path: Path, name: str, text: str) -> None:
    page = "{{ site.data.team.name }} {{ site.data['team'].lead.of | sum }}"
    found = render(tmp_path, {f"data/{name}": text, "pages/index.html": page})
    assert found.text == "Ada 3"
    assert "data:team" in found.reads


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    assert read_data(tmp_path, ["data/notes.txt", "data/README"]) == {}


@pytest.mark.parametrize(
    ("name", "text", "line", "wanted"),
    [
        ("a.toml", "a = 1\nb = \n", 2, "not valid TOML"),
        ("a.json", "{\n\n x", 3, "not valid JSON"),
        ("a.json", "", 1, "not valid JSON"),
        ("a.json", "[" * 100_000, 1, "nested too deeply"),
        ("a.toml", "a = " + "[" * 100_000, 1, "nested too deeply"),
        ("a.yaml", "a: 1\nb: [\n", 3, "not valid YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, name: str, text: str, line: int, wanted: str) -> None:
    found = fault(tmp_path / "site", {f"data/{name}": text})
    assert (found.file, found.line) == (f"site/data/{name}", line)
    assert wanted in str(found)
    assert len(str(found)) < 1000


def test_two_files_of_one_name_are_named(tmp_path: Path) -> None:
    found = str(fault(tmp_path, {"data/a.json": "{}", "data/x/a.toml": ""}))
    assert "data/a.json and data/x/a.toml" in found


@given(
    st.sampled_from([".toml", ".json", ".yaml"]),
    st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)),
)
@example(".yaml", b"a: &a [*a]")
@example(".json", b"1e999999")
@example(".toml", b"a = 1979-05-27T99:32:00Z")
def test_any_bytes_are_data_or_an_error(ending: str, data: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        (Path(folder) / f"data/a{ending}").write_bytes(data)
        try:
            assert list(read_data(Path(folder), [f"data/a{ending}"])) == ["a"]
        except SiteError as error:
            assert error.file is not None  # noqa: PT017 - either way is right
