"""The body as one parameter of a handler: JSON or a form, decoded into the type the handler asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb.web._convert import converter, decode_json, strip_optional
from hyperweb.web.errors import UnsupportedMediaType
from hyperweb.web.forms import MULTIPART, URLENCODED, FormFields, UploadFile, media_type, parse_multipart
from hyperweb.web.forms import parse_urlencoded as parse_form
from hyperweb.web.response import JSON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hyperweb.web.request import Request

MISSING: Any = object()
"""Stands for a parameter without a default."""

_TEXT = (msgspec.inspect.StrType, msgspec.inspect.AnyType)
_MANY = (
    msgspec.inspect.ListType,
    msgspec.inspect.SetType,
    msgspec.inspect.CollectionType,
    msgspec.inspect.VarTupleType,
)


def body_reader(name: str, annotation: Any, default: Any, *, form_only: bool) -> Callable[[Request], Awaitable[Any]]:
    """Returns what reads and decodes the body.

    JSON is taken only when the content type says so. A page of another site can post text, or a body with no type at
    all, without being asked for permission, and so send JSON that the user never meant to send.

    Args:
        name: The parameter's name; errors name fields after it.
        annotation: Its type. `bytes` is the body as it is, of any content type.
        default: Its value when there is no body; `MISSING` when there has to be one.
        form_only: Takes forms and no JSON.

    Raises:
        TypeError: The type cannot be decoded.
    """
    wanted, _ = strip_optional(annotation)
    if wanted is bytes:
        return _read_bytes
    decode = msgspec.json.Decoder(wanted).decode
    to_fields = form_mapper(wanted)
    convert = converter(wanted, name)
    takes = (URLENCODED, MULTIPART) if form_only else (JSON, URLENCODED, MULTIPART)

    async def read(request: Request) -> Any:
        given = request.scope.headers.get("content-type", "")
        body = await request.body()
        if not body and default is not MISSING:
            return default
        kind, parameters = media_type(given)
        if (kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))) and not form_only:
            return decode_json(decode, body, name)
        if kind == URLENCODED:
            return convert(to_fields(parse_form(body)))
        if kind == MULTIPART:
            return convert(to_fields(parse_multipart(body, parameters)))
        raise UnsupportedMediaType(given, takes)

    return read


def form_mapper(annotation: Any) -> Callable[[FormFields], dict[str, Any]]:
    """Returns what puts a form's fields in the shape of a type.

    Of a field that the type has once, the last value counts. An empty input is no value unless text is wanted, and the
    `on` of a ticked box is true where a bool is wanted: that is how browsers send them.
    """
    shapes, others = _shapes(annotation)

    def change(fields: FormFields) -> dict[str, Any]:
        changed: dict[str, Any] = {}
        for name, values in fields.items():
            shape = shapes.get(name, others)
            if shape is not None and isinstance(shape, _MANY):
                changed[name] = values
            elif values and (value := _single(values[-1], shape)) is not MISSING:
                changed[name] = value
        return changed

    return change


def _single(value: str | UploadFile, shape: msgspec.inspect.Type | None) -> Any:
    kinds = shape.types if isinstance(shape, msgspec.inspect.UnionType) else (shape,)
    if value == "" and shape is not None and not any(isinstance(kind, _TEXT) for kind in kinds):
        return MISSING
    if value in {"on", "off"} and any(isinstance(kind, msgspec.inspect.BoolType) for kind in kinds):
        return value == "on"
    return value


def _shapes(annotation: Any) -> tuple[Mapping[str, msgspec.inspect.Type], msgspec.inspect.Type | None]:
    info = msgspec.inspect.type_info(annotation)
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType | msgspec.inspect.TypedDictType):
        return {field.encode_name: _bare(field.type) for field in info.fields}, None
    if isinstance(info, msgspec.inspect.DictType):
        return {}, _bare(info.value_type)
    return {}, None


def _bare(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    return info.type if isinstance(info, msgspec.inspect.Metadata) else info


async def _read_bytes(request: Request) -> bytes:
    return await request.body()
