from __future__ import annotations

from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb.web.errors import BadRequest
from hyperweb.web.query import MAX_FIELDS, QueryParams, parse_query


@given(st.text(alphabet="ab&=+%20C3é;\ufffd ", max_size=40))
def test_any_text_is_read_as_the_standard_library_reads_it(text: str) -> None:
    assert parse_query(text) == parse_qs(text, keep_blank_values=True)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=8)), max_size=12))
def test_what_was_encoded_comes_back(pairs: list[tuple[str, str]]) -> None:
    pairs = [
        (name.encode("utf-8", "ignore").decode(), value.encode("utf-8", "ignore").decode()) for name, value in pairs
    ]
    found = parse_query(urlencode(pairs))
    assert [(name, value) for name, values in found.items() for value in values] == [
        (name, value) for each in dict.fromkeys(name for name, _ in pairs) for name, value in pairs if name == each
    ]


def test_of_a_repeated_parameter_the_last_counts_and_all_are_there() -> None:
    query = QueryParams("a=1&b=&a=2&c")
    assert (query["a"], query.all("a"), query["b"], query["c"]) == ("2", ["1", "2"], "", "")
    assert query.all("none") == []
    assert query.get("none") is None
    assert list(query) == ["a", "b", "c"]


def test_too_many_fields_are_refused() -> None:
    assert len(parse_query("&".join(f"p{n}=1" for n in range(MAX_FIELDS)))) == MAX_FIELDS
    with pytest.raises(BadRequest, match="fields"):
        parse_query("&" * MAX_FIELDS)
