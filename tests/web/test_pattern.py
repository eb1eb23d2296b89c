from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb.web._match import Matcher
from hyperweb.web._table import Table
from hyperweb.web.endpoint import Endpoint
from hyperweb.web.errors import BadRequest, HTTPError, NotFound, RouteError
from hyperweb.web.pattern import matches_kind, parse_pattern
from hyperweb.web.route import make_route


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("posts", "starts with"),
        ("", "starts with"),
        ("/a?b", "holds no"),
        ("/a\\b", "holds no"),
        ("/a\nb", "holds no"),
        ("//a", "empty part"),
        ("/a//b", "empty part"),
        ("/a/../b", "empty part"),
        ("/{a}/{a}", "one name"),
        ("/{a:path}/b", "comes last"),
        ("/{a:word}", "no kind"),
        ("/{a}.json", "not a parameter"),
        ("/{}", "not a parameter"),
        ("/{1a}", "not a parameter"),
        ("/{a", "not a parameter"),
        ("/" + "/".join(f"{{p{n}}}" for n in range(17)), "more than 16"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(RouteError, match=re.escape(why)):
        parse_pattern(text)


def test_the_text_of_a_pattern_is_what_the_compiled_router_takes() -> None:
    assert parse_pattern("/a/{b:str}/{c:int}").text == "/a/{b}/{c:int}"
    assert parse_pattern("/a/{b:str}/{c:int}").params == ("b", "c")


@pytest.mark.parametrize(
    ("kind", "yes", "no"),
    [
        ("int", ["0", "-12", "007"], ["", "+1", "1.0", "1_0", "\u0661", "-"]),
        ("float", ["0", "-1.5", "10.25"], ["", ".5", "1.", "1e3", "nan"]),
        ("uuid", ["12345678-1234-5678-1234-567812345678"], ["1234", "12345678123456781234567812345678"]),
    ],
)
def test_a_constraint_takes_only_its_own_kind(kind: str, yes: list[str], no: list[str]) -> None:
    assert all(matches_kind(kind, value) for value in yes)
    assert not any(matches_kind(kind, value) for value in no)


def matcher(*patterns: str) -> Matcher[str]:
    made: Matcher[str] = Matcher()
    for pattern in patterns:
        made.add(parse_pattern(pattern), pattern)
    return made


def test_a_literal_beats_a_constraint_beats_a_parameter_beats_the_rest() -> None:
    tree = matcher("/a/{rest:path}", "/a/{x}", "/a/{n:int}", "/a/new", "/a/{f:float}")
    assert [found for found, _ in tree.find("/a/new")] == ["/a/new", "/a/{x}", "/a/{rest:path}"]
    assert tree.find("/a/12")[0] == ("/a/{n:int}", ["12"])
    assert tree.find("/a/1.5")[0] == ("/a/{f:float}", ["1.5"])
    assert tree.find("/a/b/c") == [("/a/{rest:path}", ["b/c"])]


def test_a_branch_that_leads_nowhere_is_left_again() -> None:
    assert matcher("/a/b/d", "/a/{x}/c").find("/a/b/c") == [("/a/{x}/c", ["b"])]
    assert matcher("/a/{n:int}/x", "/a/{s}/y").find("/a/1/y") == [("/a/{s}/y", ["1"])]


@pytest.mark.parametrize("path", ["/a//b", "/a/", "/a/b//c", "/a"])
def test_an_empty_part_is_never_a_value(path: str) -> None:
    assert matcher("/a/{x}", "/a/{rest:path}").find(path) == []


def test_a_rest_keeps_its_last_slash() -> None:
    assert matcher("/a/{rest:path}").find("/a/b/") == [("/a/{rest:path}", ["b/"])]


def test_a_rest_can_never_be_an_absolute_path() -> None:
    assert matcher("/files/{rest:path}").find("/files//etc/passwd") == []


def test_two_equal_patterns_are_refused_whatever_their_parameters_are_called() -> None:
    with pytest.raises(RouteError, match="twice"):
        matcher("/a/{x}", "/a/{y}")
    with pytest.raises(RouteError, match="twice"):
        matcher("/a/{x:path}", "/a/{y:path}")


SEGMENTS = st.sampled_from(["a", "b", "{x}", "{n:int}"])
PATTERNS = st.lists(SEGMENTS, min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(part.replace("x", f"x{at}").replace("n:", f"n{at}:") for at, part in enumerate(parts))
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "1", "-2", "", "1x"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


def oracle(pattern: str, path: str) -> bool:
    expression = re.sub(r"\{x\d\}", "[^/]+", pattern)
    expression = re.sub(r"\{n\d:int\}", "-?[0-9]+", expression)
    return re.fullmatch(expression, path) is not None


def shape(pattern: str) -> str:
    return re.sub(r"\d", "", pattern)


@given(st.lists(PATTERNS, max_size=6, unique_by=shape), PATHS)
def test_the_tree_finds_exactly_the_patterns_that_fit(patterns: list[str], path: str) -> None:
    found = matcher(*patterns).find(path)
    assert {pattern for pattern, _ in found} == {pattern for pattern in patterns if oracle(pattern, path)}
    rank = {"a": 0, "b": 0, "int": 1, "x": 2}

    def order(pattern: str) -> list[int]:
        return [
            rank[segment.kind if segment.kind == "int" else segment.text[:1]]
            for segment in parse_pattern(pattern).segments
        ]

    assert [order(pattern) for pattern, _ in found] == sorted(order(pattern) for pattern, _ in found)


async def never(*_: object) -> None:
    raise AssertionError


def table(*routes: tuple[str, str]) -> Table:
    made = Table()
    for method, path in routes:
        made.add(Endpoint(make_route([method], path, never, {}), never, never))  # type: ignore[arg-type]
    made.finish()
    return made


@given(
    st.lists(
        st.tuples(st.sampled_from(["GET", "POST"]), PATTERNS | st.sampled_from(["/a/{r:path}", "/{r:path}"])),
        max_size=6,
        unique_by=lambda pair: (pair[0], shape(pair[1])),
    ),
    PATHS | st.sampled_from(["/a/..", "/a/\0", "/a/\ufffd", "/a/\\", "/a/.b"]),
    st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
)
def test_the_quick_look_never_differs_from_the_search(routes: list[tuple[str, str]], path: str, method: str) -> None:
    # One shape has one spelling, as the table asks.
    spelled = {shape(pattern): pattern for _, pattern in routes}
    made = table(*[(verb, spelled[shape(pattern)]) for verb, pattern in routes])
    quick = made.quick(path, method)
    if quick is None:
        return
    if path in made.literal and method in made.literal[path]:
        return
    found = made.find(path, method)
    assert isinstance(found, tuple)
    assert (found[0], list(found[1])) == (quick[0], [quick[1]])


@pytest.mark.parametrize("path", ["/a/../b", "/a/..", "/a/.", "/a/\0", "/a/\\b", "/a/\ufffd"])
def test_a_path_that_could_climb_or_that_was_not_utf8_is_refused(path: str) -> None:
    made = table(("GET", "/a/{x:path}"), ("GET", "/{x}/{y}"))
    assert made.quick(path, "GET") is None
    with pytest.raises(BadRequest):
        made.find(path, "GET")


def test_a_target_that_is_no_path_is_not_found() -> None:
    made = table(("GET", "/{x}/{y}"), ("GET", "/a/{x}"))
    for target in ("*", "", "xa/b", "example.org:443"):
        assert made.quick(target, "GET") is None
        with pytest.raises(NotFound):
            made.find(target, "GET")


def test_a_name_that_begins_with_a_dot_is_no_climbing() -> None:
    found = table(("GET", "/{x}/{y}")).find("/.well-known/security.txt", "GET")
    assert isinstance(found, tuple)
    assert list(found[1]) == [".well-known", "security.txt"]


def test_a_route_with_another_method_gives_way_to_the_next_that_fits() -> None:
    made = table(("POST", "/posts/preview"), ("GET", "/posts/{slug}"))
    found = made.find("/posts/preview", "GET")
    assert isinstance(found, tuple)
    assert found[0].route.path == "/posts/{slug}"
    assert made.find("/posts/preview", "OPTIONS") == ["GET", "HEAD", "OPTIONS", "POST"]
    with pytest.raises(HTTPError) as raised:
        made.find("/posts/preview", "PUT")
    assert raised.value.status == 405
    assert raised.value.headers == [("allow", "GET, HEAD, OPTIONS, POST")]


def test_one_method_of_one_path_cannot_be_defined_twice() -> None:
    with pytest.raises(RouteError, match="twice"):
        table(("GET", "/a"), ("GET", "/a"))
