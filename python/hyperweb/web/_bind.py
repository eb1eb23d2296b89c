"""How a handler's parameters are found in a request. Everything that can be decided from its signature is, once."""

from __future__ import annotations

import datetime
import decimal
import enum
import inspect
import types
import typing
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from hyperweb.web._body_param import MISSING, body_reader
from hyperweb.web._convert import converter, is_list, is_text, strip_optional
from hyperweb.web.errors import BadRequest, RouteError
from hyperweb.web.params import MARKERS, Body, Cookie, Form, Header, Marker, Path, Query
from hyperweb.web.provide import provided_type, resolver
from hyperweb.web.request import Request
from hyperweb.web.route import located

if TYPE_CHECKING:
    from hyperweb.web.pattern import Pattern
    from hyperweb.web.provide import Resolve

Convert = Callable[[Any], Any]
Read = Callable[[Request], Any]
AsyncRead = Callable[[Request], Awaitable[Any]]

_SCALARS = (
    str,
    int,
    float,
    bool,
    decimal.Decimal,
    uuid.UUID,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
)
_KIND_TYPES: dict[str, Any] = {"int": int, "float": float, "uuid": uuid.UUID}


class Plan(msgspec.Struct):
    """Where each parameter of one function comes from.

    Attributes:
        path: Its name, the place of its value among the path's, and what converts that.
        assumed: The names of those of `reads` that are taken for the query's because nothing says where they are.
        reads: Those that are found without waiting.
        waits: Those that are waited for: the body, and what is provided.
    """

    path: list[tuple[str, int, Convert]] = []
    assumed: list[str] = []
    reads: list[tuple[str, Read]] = []
    waits: list[tuple[str, AsyncRead]] = []

    @property
    def needs_request(self) -> bool:
        """Whether anything beside the path's parameters is asked for."""
        return bool(self.reads or self.waits)

    def arguments(self) -> Callable[[Request], Awaitable[dict[str, Any]]]:
        """Returns what makes the keyword arguments."""
        path, reads, waits = self.path, self.reads, self.waits

        async def make(request: Request) -> dict[str, Any]:
            values = request._values  # noqa: SLF001 - the path's values, in the order of the pattern
            made = {name: convert(values[at]) for name, at, convert in path}
            for name, read in reads:
                made[name] = read(request)
            for name, wait in waits:
                made[name] = await wait(request)
            return made

        return make


class Binder:
    """Makes plans, with the providers of one application."""

    def __init__(self, app_type: type, providers: dict[Any, Callable[..., Any]]) -> None:
        self._app_type = app_type
        self._providers = providers
        self._resolvers: dict[Any, Resolve] = {}
        self._building: list[Any] = []

    def plan(self, function: Callable[..., Any], pattern: Pattern | None) -> Plan:
        """Returns the plan of a handler, or of a provider, which has no pattern.

        Raises:
            RouteError: A parameter cannot be found in a request; the function's file and line are named.
        """
        try:
            return self._plan(function, pattern)
        except RouteError as error:
            raise located(error, function) from None

    def _plan(self, function: Callable[..., Any], pattern: Pattern | None) -> Plan:
        plan = Plan()
        hints = hints_of(function)
        places = {} if pattern is None else {name: at for at, name in enumerate(pattern.params)}
        for parameter in inspect.signature(function).parameters.values():
            name = parameter.name
            if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
                raise RouteError(f"parameter {name!r} of {_name(function)}: it has to be one that is passed by name")
            default = MISSING if parameter.default is parameter.empty else parameter.default
            annotation, marker = _split(hints.get(name, MISSING))
            wanted = (marker.name if isinstance(marker, Path) else None) or name
            try:
                if wanted in places and (marker is None or isinstance(marker, Path)):
                    plan.path.append((name, places[wanted], _path_converter(annotation, name, wanted, pattern)))
                else:
                    self._add(plan, name, annotation, default, marker)
            except TypeError as error:
                raise RouteError(f"parameter {name!r} of {_name(function)}: {error}") from None
        if pattern is not None:
            _check_names(plan, function, pattern)
        return plan

    def _add(self, plan: Plan, name: str, annotation: Any, default: Any, marker: Marker | None) -> None:
        if isinstance(marker, Path):
            raise TypeError(f"there is no {marker.name or name!r} in the path")
        if annotation is Request:
            plan.reads.append((name, _itself))
        elif annotation is self._app_type:
            plan.reads.append((name, _application))
        elif isinstance(marker, Header | Cookie | Query):
            plan.reads.append((name, _reader(name, annotation, default, marker)))
        elif isinstance(marker, Body | Form) or (name == "data" and not self._provides(annotation)):
            shape = Any if annotation is MISSING else annotation
            plan.waits.append((name, body_reader(name, shape, default, form_only=isinstance(marker, Form))))
        elif self._provides(annotation):
            plan.waits.append((name, self._resolver(annotation)))
        elif annotation is MISSING or _is_scalar(annotation):
            plan.assumed.append(name)
            plan.reads.append((name, _reader(name, annotation, default, Query())))
        else:
            shown = getattr(annotation, "__name__", None) or repr(annotation)
            raise TypeError(
                f"nothing provides {shown}; call app.provide({shown}, factory), or name the parameter 'data' to read "
                "the body"
            )

    def _provides(self, annotation: Any) -> bool:
        try:
            return annotation in self._providers
        except TypeError:
            return False

    def _resolver(self, wanted: Any) -> Resolve:
        if wanted in self._building:
            chain = " → ".join(getattr(each, "__name__", repr(each)) for each in [*self._building, wanted])
            raise RouteError(f"providers depend on each other in a circle: {chain}")
        if wanted not in self._resolvers:
            self._building.append(wanted)
            factory = self._providers[wanted]
            self._resolvers[wanted] = resolver(wanted, factory, self.plan(factory, None).arguments())
            self._building.pop()
        return self._resolvers[wanted]


def _check_names(plan: Plan, function: Callable[..., Any], pattern: Pattern) -> None:
    """Refuses a path's parameter that nobody asks for beside one that is nowhere: the two were meant to be one."""
    taken = {at for _, at, _ in plan.path}
    left = [name for at, name in enumerate(pattern.params) if at not in taken]
    if left and plan.assumed and all(read is not _itself for _, read in plan.reads):
        raise RouteError(
            f"{_name(function)} does not ask for {left[0]!r} of {pattern.text}, but for {plan.assumed[0]!r}, which is "
            "not in the path",
            hint="name the two alike; for one of the query, say so: `Annotated[str, Query()]`",
        )


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the annotations of a function, a class or a callable object.

    Raises:
        RouteError: One names something that is not there at run time.
    """
    bare = inspect.unwrap(function)
    if inspect.isclass(bare):
        target: Any = bare.__init__
    else:
        target = bare if inspect.isroutine(bare) else getattr(bare, "func", None) or type(bare).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError:
        return _one_by_one(function, target)


def _one_by_one(function: Callable[..., Any], target: Any) -> dict[str, Any]:
    """Returns the annotations of a function of which one cannot be read: its result's may be left out."""
    hints: dict[str, Any] = {}
    for name, annotation in target.__annotations__.items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            hints |= typing.get_type_hints(alone, globalns=target.__globals__, include_extras=True)
        except NameError as error:
            if name == "return":
                continue
            message = f"the annotation of parameter {name!r} of {_name(function)} cannot be read: {error}"
            hint = "annotations are read at run time: import the name outside of 'if TYPE_CHECKING'"
            raise located(RouteError(message, hint=hint), function) from None
    return hints


def provider_key(factory: Callable[..., Any]) -> Any:
    """Returns the type a factory provides, by its return annotation.

    Raises:
        RouteError: It has none.
    """
    try:
        return provided_type(factory, {} if inspect.isclass(factory) else hints_of(factory))
    except RouteError as error:
        raise located(error, factory) from None


def _split(annotation: Any) -> tuple[Any, Marker | None]:
    """Returns the type (its msgspec constraints kept) and the marker among its metadata."""
    if get_origin(annotation) is not Annotated:
        return annotation, None
    base, *metadata = get_args(annotation)
    marker = next((each for each in metadata if isinstance(each, MARKERS)), None)
    if marker is None:
        marker = next((each() for each in metadata if isinstance(each, type) and each in MARKERS), None)
    kept = [each for each in metadata if isinstance(each, msgspec.Meta)]
    for each in kept:
        base = Annotated[base, each]
    return base, marker


def _path_converter(annotation: Any, name: str, wanted: str, pattern: Pattern | None) -> Convert:
    if annotation is MISSING:
        annotation = _KIND_TYPES.get("str" if pattern is None else pattern.kinds[wanted], str)
    if is_list(annotation):
        raise TypeError("a part of the path is one value, not a list")
    return converter(annotation, name)


def _reader(name: str, annotation: Any, default: Any, marker: Header | Cookie | Query) -> Read:
    annotation = str if annotation is MISSING else annotation
    bare, optional = strip_optional(annotation)
    many, text = is_list(bare), is_text(bare)
    find: Callable[[Request], Any]
    if isinstance(marker, Query):
        sent = marker.name or name
        field = sent
        find = _query_list(sent) if many else _query_last(sent)
    elif isinstance(marker, Header):
        sent = (marker.name or name.replace("_", "-")).lower()
        field = f"header {sent}"
        find = _header_list(sent) if many else _header(sent)
    else:
        sent = marker.name or name
        field = f"cookie {sent}"
        find = _cookie(sent)
    convert = converter(annotation, field)
    # An input that a person left empty arrives as empty text, which is no value unless text is wanted.
    drop_empty = not text and not many and (optional or default is not MISSING)
    if default is MISSING and optional:
        default = None

    def read(request: Request) -> Any:
        value = find(request)
        if value is None or (drop_empty and value == ""):
            if default is MISSING:
                raise BadRequest(errors=[(field, "required")])
            return default
        return convert(value)

    return read


def _query_last(name: str) -> Callable[[Request], str | None]:
    def find(request: Request) -> str | None:
        values = request.query.multi.get(name)
        return None if values is None else values[-1]

    return find


def _query_list(name: str) -> Callable[[Request], list[str] | None]:
    return lambda request: request.query.multi.get(name)


def _header(name: str) -> Callable[[Request], str | None]:
    return lambda request: request.scope.headers.get(name)


def _header_list(name: str) -> Callable[[Request], list[str] | None]:
    return lambda request: request.scope.headers.get_all(name) or None


def _cookie(name: str) -> Callable[[Request], str | None]:
    return lambda request: request.cookies.get(name)


def _itself(request: Request) -> Request:
    return request


def _application(request: Request) -> Any:
    return request.app


def _is_scalar(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_scalar(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return all(_is_scalar(each) for each in get_args(annotation))
    if origin in {list, tuple, set, frozenset}:
        return all(each is Ellipsis or _is_scalar(each) for each in get_args(annotation))
    if origin is Literal or annotation in {None, types.NoneType, Any, list, tuple, set, frozenset}:
        return True
    return annotation in _SCALARS or (inspect.isclass(annotation) and issubclass(annotation, enum.Enum))


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
