"""Where threads and workers run on a machine with several nodes of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hyperweb.serve._numa import SYSTEM, nodes, place

if TYPE_CHECKING:
    from pathlib import Path


def machine(root: Path, **lists: str) -> Path:
    """Lays a folder out as the kernel does."""
    for name, text in lists.items():
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "cpulist").write_text(text)
    (root / "online").write_text("0-1\n")
    return root


def test_nodes_are_read_in_their_order_with_what_may_be_used(tmp_path: Path) -> None:
    root = machine(tmp_path, node0="0-3,8,10-11\n", node10="6\n", node2="4-5,12\n", node3="\n")
    everywhere = set(range(16))
    assert nodes(root, everywhere) == [[0, 1, 2, 3, 8, 10, 11], [4, 5, 12], [6]]
    assert nodes(root, {1, 3, 5}) == [[1, 3], [5]]


@pytest.mark.parametrize(
    "lists", [{}, {"node0": "0-3\n"}, {"node0": "0-3\n", "node1": "\n"}, {"node0": "0", "node1": "x"}]
)
def test_on_one_node_there_is_nothing_to_place(tmp_path: Path, lists: dict[str, str]) -> None:
    assert nodes(machine(tmp_path, **lists), {0, 1, 2, 3}) == []
    assert nodes(tmp_path / "missing", {0, 1}) == []
    assert place([], [[], []]) == []


def test_what_may_not_be_used_leaves_one_node(tmp_path: Path) -> None:
    assert nodes(machine(tmp_path, node0="0-1", node1="2-3"), {0, 1}) == []


def test_each_worker_goes_where_the_fewest_are() -> None:
    found = [[0, 1], [2, 3]]
    taken: list[list[int]] = []
    for _ in range(4):
        taken.append(place(found, taken))
    assert taken == [[0, 1], [2, 3], [0, 1], [2, 3]]
    del taken[1]
    assert place(found, taken) == [2, 3], "one that died is replaced where it was"


def test_this_machine_is_read() -> None:
    assert all(isinstance(number, int) for node in nodes(SYSTEM) for number in node)
