"""Every route of an application, ready to be looked up."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from hyperweb.web._match import Matcher
from hyperweb.web.errors import BadRequest, MethodNotAllowed, NotFound, RouteError
from hyperweb.web.pattern import pattern_shape
from hyperweb.web.route import described, located

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperweb.web.endpoint import Endpoint

Methods = dict[str, "Endpoint"]

_suspicious = re.compile(r"[\0\\\uFFFD]|/\.").search


class Table:
    """Routes by path, then by method.

    Attributes:
        literal: The routes without parameters, by path.
        tails: The routes whose last part is their one parameter, by what comes before it. Only those that no other
            route could beat are in it, so that finding one here is as good as searching.
    """

    def __init__(self) -> None:
        self.literal: dict[str, Methods] = {}
        self.tails: dict[str, Methods] = {}
        self._matcher: Matcher[Methods] = Matcher()
        self._patterns: dict[str, Methods] = {}
        self._shapes: dict[str, Endpoint] = {}

    def add(self, endpoint: Endpoint) -> None:
        """Adds a route.

        Raises:
            RouteError: Another route has the same method and path.
        """
        route = endpoint.route
        store = self.literal if route.pattern.is_literal else self._patterns
        methods = store.get(route.path)
        if methods is None:
            methods = store[route.path] = {}
            if not route.pattern.is_literal:
                self._check_rival(endpoint)
                self._matcher.add(route.pattern, methods)
        for method in route.methods:
            if method in methods:
                error = RouteError(
                    f"{method} {route.path} is defined twice: {described(methods[method].route)}, {route.name}"
                )
                raise located(error, route.handler)
            methods[method] = endpoint

    def _check_rival(self, endpoint: Endpoint) -> None:
        route = endpoint.route
        rival = self._shapes.setdefault(pattern_shape(route.path), endpoint).route
        if rival.path != route.path:
            error = RouteError(
                f"{route.path} of {route.name} matches the same paths as {rival.path} of {described(rival)}",
                hint="name the parameters of the two alike, or give one of them another path",
            )
            raise located(error, route.handler)

    def finish(self) -> None:
        """Answers HEAD wherever GET is answered (RFC 9110, section 9.3.2). Called once, after the last `add`."""
        for methods in (*self.literal.values(), *self._patterns.values()):
            if "GET" in methods:
                methods.setdefault("HEAD", methods["GET"])
        rivals = Counter(path.rpartition("/")[0] for path in self._patterns)
        for path, methods in self._patterns.items():
            head, _, tail = path.rpartition("/")
            if "{" not in head and ":" not in tail and rivals[head] == 1:
                self.tails[head] = methods

    def quick(self, path: str, method: str) -> tuple[Endpoint, str] | None:
        """Returns the route of a path whose last part is its one parameter, and that part, when it is plain to see."""
        head, _, tail = path.rpartition("/")
        methods = self.tails.get(head)
        if methods is None or not tail or _suspicious(path) is not None:
            return None
        endpoint = methods.get(method)
        return None if endpoint is None else (endpoint, tail)

    def find(self, path: str, method: str) -> tuple[Endpoint, Sequence[str]] | list[str]:
        """Returns the route of a request and its path's values, or the methods to name in Allow for an OPTIONS.

        A route whose path fits but whose method does not gives way to the next that fits.

        Raises:
            BadRequest: The path holds a dot segment or a character that has no place in one.
            NotFound: No route fits the path.
            MethodNotAllowed: One does, and takes other methods.
        """
        if not path.startswith("/"):
            raise NotFound
        if _suspicious(path) is not None:
            _check(path)
        fitting = self._matcher.find(path)
        if (literal := self.literal.get(path)) is not None:
            fitting.insert(0, (literal, []))
        allowed: dict[str, None] = {}
        for methods, values in fitting:
            if (endpoint := methods.get(method)) is not None:
                return endpoint, values
            allowed.update(dict.fromkeys(methods))
        if not fitting:
            raise NotFound
        listed = sorted({*allowed, "OPTIONS"})
        if method == "OPTIONS":
            return listed
        raise MethodNotAllowed(listed)


def _check(path: str) -> None:
    # Undecodable bytes, and what could climb out of a folder once a handler joins it to one.
    if "\0" in path or "\\" in path or "\ufffd" in path or any(part in {".", ".."} for part in path.split("/")):
        raise BadRequest(errors=[("path", "holds what no path may")])
