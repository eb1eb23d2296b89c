"""Forms as browsers post them: URL-encoded, and multipart with files (RFC 7578)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hyperweb.web.errors import BadRequest
from hyperweb.web.query import MAX_FIELDS, parse_query

if TYPE_CHECKING:
    from collections.abc import Mapping

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_MAX_PART_HEAD = 8192
_PARAMETER = re.compile(r';\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class UploadFile:
    """A file of a multipart form, in memory.

    Attributes:
        filename: The name the client gave, its folders taken off; never trust it as a path.
        content_type: The type the client gave.
        data: The bytes.
    """

    __slots__ = ("content_type", "data", "filename")

    def __init__(self, filename: str, content_type: str, data: bytes) -> None:
        self.filename = filename
        self.content_type = content_type
        self.data = data

    def __repr__(self) -> str:
        return f"UploadFile({self.filename!r}, {self.content_type!r}, {len(self.data)} bytes)"


FormValue = str | UploadFile
FormFields = dict[str, list[FormValue]]
"""Every value of every field, in the order they were sent."""


def media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """Returns the type in lower case and its parameters (RFC 9110, section 8.3.1)."""
    essence, semicolon, _ = content_type.partition(";")
    parameters: dict[str, str] = {}
    if semicolon:
        for found in _PARAMETER.finditer(content_type, len(essence)):
            value = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
            parameters.setdefault(found[1].lower(), value)
    return essence.strip().lower(), parameters


def parse_urlencoded(body: bytes) -> FormFields:
    """Returns the fields of a URL-encoded form.

    Raises:
        BadRequest: It has too many fields.
    """
    text = body.decode("utf-8", "replace")
    return {name: list(values) for name, values in parse_query(text, "form").items()}


def parse_multipart(body: bytes, parameters: Mapping[str, str]) -> FormFields:
    """Returns the fields and files of a multipart form. A file input left empty is left out.

    Args:
        body: The body.
        parameters: Those of the Content-Type; `boundary` is the one that is needed.

    Raises:
        BadRequest: The body does not follow RFC 7578 and RFC 2046, section 5.1.
    """
    boundary = parameters.get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise _wrong("the Content-Type names no boundary that can be used")
    delimiter = b"\r\n--" + boundary.encode("ascii")
    # The first delimiter may stand at the very start, without the line break the others begin with.
    whole = b"\r\n" + body
    at = whole.find(delimiter)
    if at < 0:
        raise _wrong("the boundary is not in the body")
    fields: FormFields = {}
    count = 0
    while True:
        at += len(delimiter)
        if whole.startswith(b"--", at):
            return fields
        line_end = whole.find(b"\r\n", at)
        if line_end < 0 or whole[at:line_end].strip(b" \t"):
            raise _wrong("a boundary is followed by something else")
        end = whole.find(delimiter, line_end)
        if end < 0:
            raise _wrong("the last boundary is missing; was the body cut off?")
        count += 1
        if count > MAX_FIELDS:
            raise _wrong(f"more than {MAX_FIELDS} fields")
        _add_part(whole[line_end + 2 : end], fields)
        at = end


def _add_part(part: bytes, fields: FormFields) -> None:
    # A part without any header begins with the empty line itself; it has no name then.
    head, found, content = part.partition(b"\r\n\r\n")
    if not found or len(head) > _MAX_PART_HEAD:
        raise _wrong("a part has no end of its headers")
    headers = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    kind, parameters = media_type(headers.get("content-disposition", ""))
    if kind != "form-data" or "name" not in parameters:
        raise _wrong("a part has no name")
    values = fields.setdefault(_unescape(parameters["name"]), [])
    if (filename := parameters.get("filename")) is None:
        values.append(content.decode("utf-8", "replace"))
    elif filename or content:
        bare = _unescape(filename).replace("\\", "/").rsplit("/", 1)[-1]
        values.append(UploadFile(bare, headers.get("content-type", "application/octet-stream"), content))


def _unescape(text: str) -> str:
    """Returns a name or file name with the three escapes of browsers undone (WHATWG HTML, multipart/form-data)."""
    return re.sub(r"%(?:22|0D|0A)", lambda found: unquote(found[0]), text)


def _wrong(why: str) -> BadRequest:
    return BadRequest(errors=[("form", why)])
