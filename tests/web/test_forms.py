from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb.testing._encode import encode_body
from hyperweb.web.errors import BadRequest
from hyperweb.web.forms import UploadFile, media_type, parse_multipart, parse_urlencoded

NAMES = st.text(alphabet="abc-_ é", min_size=1, max_size=8).map(str.strip).filter(bool)
TEXTS = st.text(max_size=30).map(lambda text: text.encode("utf-8", "ignore").decode())


def whole(fields: dict[str, list[str]], files: dict[str, tuple[str, bytes]]) -> tuple[bytes, dict[str, str]]:
    body, kind = encode_body(None, None, fields, files)
    assert kind is not None
    return body, media_type(kind)[1]


@given(st.dictionaries(NAMES, st.lists(TEXTS, min_size=1, max_size=3), max_size=4), st.binary(max_size=200))
def test_fields_and_files_come_back_as_they_were_sent(fields: dict[str, list[str]], data: bytes) -> None:
    body, parameters = whole(fields, {"the file": ("a.bin", data)})
    found = parse_multipart(body, parameters)
    [file] = found.pop("the file")
    assert isinstance(file, UploadFile)
    assert (file.filename, file.data) == ("a.bin", data)
    assert found == fields


@given(st.binary(max_size=300))
def test_whatever_a_client_sends_is_read_or_refused(body: bytes) -> None:
    fields = []
    try:
        parse_multipart(body, {"boundary": "b"})
    except BadRequest as error:
        fields = [field for field, _ in error.errors]
    assert fields in ([], ["form"])


PIECES = st.sampled_from(
    [
        b"--b",
        b"\r\n",
        b"--",
        b"content-disposition: form-data; name=",
        b'"x"',
        b"; filename=",
        b'"',
        b": ",
        b"x",
        b"\r\n\r\n",
    ]
)


@given(st.lists(PIECES, max_size=20).map(b"".join))
def test_what_looks_almost_like_a_form_is_read_or_refused(body: bytes) -> None:
    try:
        found = parse_multipart(body, {"boundary": "b"})
    except BadRequest:
        return
    assert all(isinstance(value, str | UploadFile) for values in found.values() for value in values)


@given(st.integers(min_value=0, max_value=400))
def test_a_form_that_was_cut_off_is_refused(length: int) -> None:
    body, parameters = whole({"a": ["1"], "b": ["2"]}, {"f": ("f.txt", b"hello")})
    cut = body[: min(length, len(body) - 5)]
    with pytest.raises(BadRequest):
        parse_multipart(cut, parameters)


def part(disposition: str, content: bytes = b"x") -> bytes:
    return b"--b\r\n" + f"Content-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\temp\\\\a.txt", "a.txt"),
        ("a%22b.txt", 'a"b.txt'),
        ("été.txt", "été.txt"),
    ],
)
def test_a_file_name_loses_its_folders(sent: str, kept: str) -> None:
    [file] = parse_multipart(part(f'form-data; name="f"; filename="{sent}"'), {"boundary": "b"})["f"]
    assert isinstance(file, UploadFile)
    assert file.filename == kept


def test_a_file_input_left_empty_is_no_value() -> None:
    assert parse_multipart(part('form-data; name="f"; filename=""', b""), {"boundary": "b"}) == {"f": []}


@pytest.mark.parametrize(
    "body",
    [part("form-data"), part('attachment; name="x"'), b"--b\r\n\r\nx\r\n--b--", b"--b junk\r\n\r\nx\r\n--b--", b""],
)
def test_a_part_without_a_name_or_headers_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_multipart(body, {"boundary": "b"})


@pytest.mark.parametrize("boundary", ["", "a" * 71, "é", "a\nb", "a "])
def test_a_boundary_that_cannot_be_is_refused(boundary: str) -> None:
    with pytest.raises(BadRequest, match="boundary"):
        parse_multipart(b"--a\r\n", {"boundary": boundary})


def test_a_part_with_a_head_without_end_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse_multipart(b"--b\r\nx: " + b"y" * 9000 + b"\r\n\r\n\r\n--b--", {"boundary": "b"})


def test_an_urlencoded_form_is_read_like_a_query() -> None:
    assert parse_urlencoded(b"a=1&a=2&b=%C3%A9+x&c") == {"a": ["1", "2"], "b": ["é x"], "c": [""]}


@pytest.mark.parametrize(
    ("text", "kind", "parameters"),
    [
        ("Text/HTML; Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        ('multipart/form-data; boundary="a b;c"; x=1', "multipart/form-data", {"boundary": "a b;c", "x": "1"}),
        ('a/b; q="\\"x\\\\"', "a/b", {"q": '"x\\'}),
        ("", "", {}),
        ("a/b;;;", "a/b", {}),
    ],
)
def test_a_content_type_and_its_parameters(text: str, kind: str, parameters: dict[str, str]) -> None:
    assert media_type(text) == (kind, parameters)
