"""Finds the route of a path among patterns with parameters."""

from __future__ import annotations

from typing import Generic, TypeVar

from hyperweb.web.errors import RouteError
from hyperweb.web.pattern import Pattern, matches_kind

T = TypeVar("T")

# Constrained parameters come before plain ones, and of two constraints the narrower first.
_ORDER = {"uuid": 0, "int": 1, "float": 2, "str": 3}


class _Node(Generic[T]):
    __slots__ = ("leaf", "literals", "params", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[T]] = {}
        self.params: list[tuple[str, _Node[T]]] = []
        self.leaf: T | None = None
        self.rest: T | None = None


class Matcher(Generic[T]):
    """A tree of path segments. A literal beats a constrained parameter, that a plain one, that the rest of the path.

    A branch that turns out to lead nowhere is left again, so `/a/{x}/c` is found even when `/a/b` is a literal branch.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, pattern: Pattern, value: T) -> None:
        """Adds a pattern.

        Raises:
            RouteError: An equal pattern, parameter names aside, is already there.
        """
        node = self._root
        for segment in pattern.segments:
            if segment.kind == "path":
                if node.rest is not None:
                    raise _twice(pattern)
                node.rest = value
                return
            if segment.kind is None:
                node = node.literals.setdefault(segment.text, _Node())
            else:
                node = _param_node(node, segment.kind)
        if node.leaf is not None:
            raise _twice(pattern)
        node.leaf = value

    def find(self, path: str) -> list[tuple[T, list[str]]]:
        """Returns what matches a path, the best first, each with its parameters' values in order."""
        found: list[tuple[T, list[str]]] = []
        _walk(self._root, path[1:].split("/"), 0, [], found)
        return found


def _param_node(node: _Node[T], kind: str) -> _Node[T]:
    for have, child in node.params:
        if have == kind:
            return child
    child = _Node[T]()
    node.params.append((kind, child))
    node.params.sort(key=lambda pair: _ORDER[pair[0]])
    return child


def _walk(node: _Node[T], parts: list[str], at: int, values: list[str], found: list[tuple[T, list[str]]]) -> None:
    if at == len(parts):
        if node.leaf is not None:
            found.append((node.leaf, values))
        return
    part = parts[at]
    child = node.literals.get(part)
    if child is not None:
        _walk(child, parts, at + 1, values, found)
    if part:
        for kind, below in node.params:
            if matches_kind(kind, part):
                _walk(below, parts, at + 1, [*values, part], found)
    # A rest with an empty part in it could read as an absolute path once it is joined to a folder.
    if node.rest is not None and "" not in parts[at:-1] and part:
        found.append((node.rest, [*values, "/".join(parts[at:])]))


def _twice(pattern: Pattern) -> RouteError:
    return RouteError(f"route {pattern.text!r}: the same pattern is defined twice")
