"""Text from the outside (path, query, header, cookie) to the type a handler asks for."""

from __future__ import annotations

import re
import types
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec

from hyperweb.web.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<key>key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)
_GOT_TEXT = re.compile(r", got str$")


def describe(error: Exception, root: str) -> tuple[str, str]:
    """Returns the field at fault and what is wrong with it, from a msgspec error.

    Args:
        error: What msgspec raised.
        root: The name of the parameter that was decoded; the fields inside it are named after it.
    """
    found = _AT.match(str(error))
    what, path = (found["what"], found["path"] or "") if found else (str(error), "")
    field = root + path.replace("[...]", "")
    if missing := _MISSING.match(what):
        return f"{field}.{missing[1]}", "required"
    if unknown := _UNKNOWN.match(what):
        return f"{field}.{unknown[1]}", "unknown field"
    what = what.replace("`", "")
    return field, what[:1].lower() + what[1:]


def decode_json(decode: Callable[[bytes], T], body: bytes, name: str) -> T:
    """Returns a body decoded from JSON.

    Raises:
        BadRequest: It is not JSON, or not of the type that is wanted; the field at fault is named.
    """
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(errors=[describe(error, name)]) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadRequest(errors=[(name, f"not valid JSON: {error}")]) from None
    except RecursionError:
        raise BadRequest(errors=[(name, "not valid JSON: nested too deeply")]) from None


def strip_optional(annotation: Any) -> tuple[Any, bool]:
    """Returns the type without None, and whether None was in it."""
    if get_origin(annotation) in {Union, types.UnionType}:
        rest = [arg for arg in get_args(annotation) if arg is not types.NoneType]
        if len(rest) < len(get_args(annotation)):
            return Union[tuple(rest)], True  # noqa: UP007 - built from a list at run time
    return annotation, False


def is_list(annotation: Any) -> bool:
    """Returns whether repeated values make up the type: a list, a tuple, a set."""
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return inner in {list, tuple, set, frozenset} or get_origin(inner) in {list, tuple, set, frozenset}


def is_text(annotation: Any) -> bool:
    """Returns whether any text is a value of the type, as it is."""
    return annotation is str or annotation is Any


def converter(annotation: Any, field: str, *, was_text: bool = True) -> Callable[[Any], Any]:
    """Returns what turns text (or a list of texts) into a type.

    Args:
        annotation: The type, with any `msgspec.Meta` constraints.
        field: What to name in the error.
        was_text: Whether to leave `got str` out of the message: everything outside the body is text.

    Raises:
        TypeError: msgspec cannot make this type.
    """
    wanted, optional = strip_optional(annotation)
    if is_text(wanted):
        return _as_it_is
    # Building a decoder finds a type that cannot be decoded now, and not at the first request.
    msgspec.json.Decoder(wanted)
    convert = msgspec.convert

    def change(value: Any) -> Any:
        if optional and value == "":
            return None
        try:
            return convert(value, wanted, strict=False)
        except (msgspec.ValidationError, ValueError) as error:
            at, what = describe(error, field)
            raise BadRequest(errors=[(at, _GOT_TEXT.sub("", what) if was_text else what)]) from None

    return change


def _as_it_is(value: Any) -> Any:
    return value
