"""The build graph between builds: whatever the file holds, a build goes on."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb.build import build_site
from hyperweb.build._graph import Graph, load_graph, save_graph
from hyperweb.build._head import Head, load_head
from hyperweb.config import load_site
from tests.e2e.site import make_site

GOOD_HEAD = msgspec.json.encode(Head()) + b"\n"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A graph as a build leaves it."""
    site = make_site(tmp_path_factory.mktemp("graph") / "site", **{"content/ü.md": "# Über\n\n![](/robots.txt)\n"})
    build_site(load_site(site))
    return (site / ".hyperweb/graph").read_bytes()


def load(data: bytes) -> Graph:
    with TemporaryDirectory() as folder:
        (Path(folder) / "graph").write_bytes(data)
        load_head(Path(folder))
        return load_graph(Path(folder))


def check(graph: Graph) -> None:
    """Whatever was loaded can be asked everything a build asks."""
    assert len(graph.names) == len(graph.values)
    for url in graph.nodes:
        assert all(name in graph.names for name in graph.reads(url))


def test_a_saved_graph_is_the_one_that_is_loaded(tmp_path: Path, good: bytes) -> None:
    graph = load(good)
    assert graph.nodes["/posts/a/"]
    assert "content/ü.md" in graph.memory.documents
    head = Head(pack="p", settings="s")
    save_graph(tmp_path, head, graph)
    assert load_graph(tmp_path) == graph
    assert load_head(tmp_path) == head
    assert [file.name for file in tmp_path.iterdir()] == ["graph"]


def test_no_graph_is_an_empty_one(tmp_path: Path) -> None:
    assert load_graph(tmp_path) == Graph()
    assert load_head(tmp_path) == Head()
    (tmp_path / "graph").mkdir()
    assert load_graph(tmp_path) == Graph()
    assert load_head(tmp_path) == Head()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_graph_or_none(data: bytes) -> None:
    check(load(data))


@given(data=st.data())
def test_a_damaged_graph_is_a_graph_or_none(good: bytes, data: st.DataObject) -> None:
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    check(load(bytes(damaged[: data.draw(st.integers(0, len(good)))])))
    check(load(bytes(damaged)))


@given(
    st.builds(
        Graph,
        names=st.lists(st.text(max_size=3), max_size=3, unique=True),
        values=st.lists(st.text(max_size=3), max_size=3),
        nodes=st.dictionaries(st.text(max_size=3), st.lists(st.integers(-5, 5), max_size=3), max_size=3),
    )
)
def test_numbers_that_name_nothing_are_not_taken(graph: Graph) -> None:
    check(load(GOOD_HEAD + msgspec.msgpack.encode(graph)))


def test_what_is_nested_without_end_is_no_graph() -> None:
    nested = b"\x91" * 100_000 + b"\x90"
    assert load(GOOD_HEAD + b"\x81\xa3foo" + nested) == Graph()
    assert load(b"[" * 100_000 + b"\n") == Graph()


def test_a_graph_of_another_format_is_not_taken(good: bytes) -> None:
    body = good.partition(b"\n")[2]
    assert load(GOOD_HEAD + body).nodes
    assert load(msgspec.json.encode(Head(format=1)) + b"\n" + body) == Graph()


def test_a_build_over_a_damaged_graph_makes_everything_anew(tmp_path: Path, good: bytes) -> None:
    site = make_site(tmp_path / "site")
    first = build_site(load_site(site))
    pack = (site / "dist/site.pack").read_bytes()
    (site / ".hyperweb/graph").write_bytes(good[:-3])
    again = build_site(load_site(site))
    assert again.rendered == first.rendered
    assert (site / "dist/site.pack").read_bytes() == pack
