"""A function whose results are kept."""

from __future__ import annotations

import functools
import inspect
import threading
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from hyperweb.cache._cache import Cache, Key, _is_async

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

P = ParamSpec("P")
R = TypeVar("R")

_lock = threading.Lock()
_default: list[Cache] = []


def default_cache() -> Cache:
    """Returns the cache that `cached` uses where it is given none: one for the process, sized by the machine."""
    with _lock:
        if not _default:
            _default.append(Cache(share=10))
        return _default[0]


class Cached(Generic[P, R]):
    """A function whose results are kept. Called like the function.

    Attributes:
        cache: Where they are kept.
        is_async: Whether a call is to be awaited.
    """

    def __init__(
        self,
        function: Callable[P, R],
        cache: Cache | None,
        key: Callable[P, Key] | None,
        tags: Iterable[str] | Callable[P, Iterable[str]],
        options: dict[str, Any],
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._cache = cache
        self._key = key
        self._tags = tags if callable(tags) else tuple(tags)
        self._options = options
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._signature = inspect.signature(function)
        self.is_async = _is_async(function)
        if self.is_async:
            # What looks whether this is an async function is told so.
            mark = getattr(inspect, "markcoroutinefunction", None)
            if mark is not None:
                # From Python 3.12 on.
                mark(self)

    @property
    def cache(self) -> Cache:
        """The cache the results are kept in."""
        if self._cache is None:
            self._cache = default_cache()
        return self._cache

    def key(self, *args: P.args, **kwargs: P.kwargs) -> Key:
        """Returns the key of a call: the function's name and its arguments, or what `key=` makes of them.

        However an argument is given, by place, by name or by default, the key is the same.
        """
        if self._key is not None:
            return (self._name, self._key(*args, **kwargs))
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        places = [_plain(value) for value in bound.args]
        names = [_plain(part) for name in sorted(bound.kwargs) for part in (name, bound.kwargs[name])]
        return (self._name, *places, None, *names)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns the kept result of a call, or makes it."""
        tags = self._tags(*args, **kwargs) if callable(self._tags) else self._tags
        call = functools.partial(self._function, *args, **kwargs)
        result: R = self.cache.get_or_compute(self.key(*args, **kwargs), call, tags=tags, **self._options)
        return result

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Forgets the result of a call."""
        self.cache.purge(keys=[self.key(*args, **kwargs)])

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Binds it as a method; the object is then the first argument, and `key=` must say what of it counts."""
        return self if instance is None else functools.partial(self.__call__, instance)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bytes, int, float, bool)):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(_plain(part) for part in value)
    message = f"an argument of type {type(value).__name__} cannot be part of a key; say with key= what of it counts"
    raise TypeError(message)


def cached(
    ttl: str | float | None = None,
    *,
    tags: Iterable[str] | Callable[..., Iterable[str]] = (),
    key: Callable[..., Key] | None = None,
    stale: str | float | None = None,
    cache: Cache | None = None,
    wait: str | float | None = None,
    age: str | float | None = None,
    retries: int = 0,
) -> Callable[[Callable[P, R]], Cached[P, R]]:
    """Keeps the results of a function, or of an `async` function, by its arguments.

    Args:
        ttl: How long a result is fresh: seconds, or like `"10m"`. None is the cache's own.
        tags: What results can be purged by: `cache.purge(tags=["prices"])`; or a function of the arguments.
        key: Makes the key from the arguments, where they are more than numbers and texts.
        stale: How long after that a result is still returned, while a new one is made in the background.
        cache: Where results are kept; by default one cache for the process.
        wait: How long a call waits for another that makes the same result.
        age: How long a call may work before another takes over.
        retries: How many failures let the next who waits try, before all are told.
    """
    options = {"ttl": ttl, "stale": stale, "wait": wait, "age": age, "retries": retries}

    def wrap(function: Callable[P, R]) -> Cached[P, R]:
        return Cached(function, cache, key, tags, options)

    return wrap
