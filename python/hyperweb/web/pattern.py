"""The path patterns of routes: `/posts/{slug}`, `/files/{rest:path}`, `/users/{id:int}`."""

from __future__ import annotations

import re

import msgspec

from hyperweb.web.errors import RouteError

MAX_PARAMS = 16
"""The most parameters a pattern may have; the compiled router keeps them in an array of this size."""

KINDS = ("str", "int", "float", "uuid", "path")

_CONSTRAINTS = {
    "int": re.compile(r"-?[0-9]+"),
    "float": re.compile(r"-?[0-9]+(?:\.[0-9]+)?"),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}
_PARAM = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?\}")


def pattern_shape(pattern: str) -> str:
    """Returns a pattern's text without its parameters' names: patterns of one shape match the same paths."""
    return _PARAM.sub(lambda found: f"{{:{found[2] or 'str'}}}", pattern)


class Segment(msgspec.Struct, frozen=True):
    """One part of a pattern between slashes.

    Attributes:
        text: The literal text, or the parameter's name.
        kind: None for a literal; else one of `KINDS`, where `path` takes the rest of the path.
    """

    text: str
    kind: str | None = None


class Pattern(msgspec.Struct, frozen=True):
    """A parsed pattern.

    Attributes:
        text: The pattern in its one spelling: `{x:str}` is `{x}`.
        segments: Its parts, in order.
    """

    text: str
    segments: tuple[Segment, ...]

    @property
    def params(self) -> tuple[str, ...]:
        """The names of the parameters, in order."""
        return tuple(segment.text for segment in self.segments if segment.kind is not None)

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each parameter by name."""
        return {segment.text: segment.kind for segment in self.segments if segment.kind is not None}

    @property
    def is_literal(self) -> bool:
        """Whether the pattern names exactly one path."""
        return all(segment.kind is None for segment in self.segments)


def matches_kind(kind: str, value: str) -> bool:
    """Returns whether a segment may be a parameter of this kind."""
    constraint = _CONSTRAINTS.get(kind)
    return constraint is None or constraint.fullmatch(value) is not None


def parse_pattern(text: str) -> Pattern:
    """Parses a pattern.

    Raises:
        RouteError: It cannot be used; the message says why.
    """
    if not text.startswith("/"):
        raise _wrong(text, "a path starts with '/'", f"write {'/' + text!r}")
    if any(sign in text for sign in "?#\\") or any(not char.isprintable() for char in text):
        raise _wrong(text, "a path holds no '?', '#', backslash or control character", None)
    parts = text[1:].split("/")
    if any(part in {".", ".."} for part in parts) or "" in parts[:-1]:
        raise _wrong(text, "a path holds no empty part and no '.' or '..'", None)
    segments = tuple(_segment(text, part) for part in parts)
    names = [segment.text for segment in segments if segment.kind is not None]
    if len(set(names)) < len(names):
        raise _wrong(text, "two parameters have one name", None)
    if len(names) > MAX_PARAMS:
        raise _wrong(text, f"more than {MAX_PARAMS} parameters", None)
    if any(segment.kind == "path" for segment in segments[:-1]):
        raise _wrong(text, "a ':path' parameter takes the rest of the path, so it comes last", None)
    return Pattern(text.replace(":str}", "}"), segments)


def _segment(text: str, part: str) -> Segment:
    found = _PARAM.fullmatch(part)
    if found is None:
        if "{" in part or "}" in part:
            hint = "a parameter is a whole part between slashes: '/posts/{slug}' or '/posts/{id:int}'"
            raise _wrong(text, f"{part!r} is not a parameter", hint)
        return Segment(part)
    kind = found[2] or "str"
    if kind not in KINDS:
        raise _wrong(text, f"there is no kind {kind!r}", f"the kinds are {', '.join(KINDS)}")
    return Segment(found[1], kind)


def _wrong(text: str, why: str, hint: str | None) -> RouteError:
    return RouteError(f"route {text!r}: {why}", hint=hint)
