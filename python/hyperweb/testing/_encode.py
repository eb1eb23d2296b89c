"""Request bodies for tests."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

Fields = Mapping[str, str | Sequence[str]]
Files = Mapping[str, tuple[str, bytes] | tuple[str, bytes, str]]


def encode_body(
    content: bytes | str | None, json: Any, form: Fields | None, files: Files | None
) -> tuple[bytes, str | None]:
    """Returns the body and its content type.

    Raises:
        ValueError: More than one kind of body was given.
    """
    if sum(each is not None for each in (content, json, form or files or None)) > 1:
        raise ValueError("give one of content, json, and form with files")
    if content is not None:
        return (content.encode() if isinstance(content, str) else content), None
    if json is not None:
        return msgspec.json.encode(json), "application/json"
    if files is not None:
        return _multipart(form or {}, files)
    if form is not None:
        return urlencode(form, doseq=True).encode("ascii"), "application/x-www-form-urlencoded"
    return b"", None


def _multipart(form: Fields, files: Files) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    parts: list[tuple[str, str | None, bytes]] = []
    for name, value in form.items():
        parts += [(f'name="{name}"', None, each.encode()) for each in ([value] if isinstance(value, str) else value)]
    for name, (filename, data, *kind) in files.items():
        parts.append((f'name="{name}"; filename="{filename}"', kind[0] if kind else "application/octet-stream", data))
    body = b""
    for disposition, content_type, data in parts:
        typed = f"\r\ncontent-type: {content_type}" if content_type else ""
        head = f"--{boundary}\r\ncontent-disposition: form-data; {disposition}{typed}\r\n\r\n"
        body += head.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode("ascii"), f"multipart/form-data; boundary={boundary}"
