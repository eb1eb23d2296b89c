"""Buffers that are taken again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hyperweb import _core
from hyperweb.cache._errors import CacheError
from hyperweb.cache._units import size as byte_count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperweb._core import PooledBuffer


class PoolStats(NamedTuple):
    """Figures of a pool since it was made.

    Attributes:
        hits: Buffers that were there when they were asked for.
        misses: Buffers that the allocator had to make.
        oversized: Buffers larger than any class, which are made and freed each time.
        freed: Buffers that came back when there were enough.
        held: Bytes that are held now and not in use.
    """

    hits: int
    misses: int
    oversized: int
    freed: int
    held: int


class BufferPool:
    """Buffers of a few sizes that come back when they are done with, instead of being made anew each time.

    Threads have some of each size for themselves, and share a reserve. What is taken is a buffer of at least that size
    from the smallest class that has it; `len` is the size that was asked for. It is not cleared in between: until
    something is written to it, it has what an earlier user left there.

        pool = BufferPool()
        with pool.take(30_000) as buffer:
            count = socket.recv_into(buffer)
            handle(memoryview(buffer)[:count])

    Args:
        classes: The sizes, in bytes or as `"4KiB"`.
        thread_bytes: What each thread keeps of each size at most; one buffer at least.
        reserve: What all threads share at most, of all sizes together.

    Raises:
        CacheError: A size is none.
    """

    def __init__(
        self,
        classes: Iterable[int | str] = ("4KiB", "8KiB", "16KiB", "32KiB", "64KiB"),
        *,
        thread_bytes: int | str = "256KiB",
        reserve: int | str = "8MiB",
    ) -> None:
        try:
            self._pool = _core.BufferPool(
                [byte_count(size) for size in classes],
                thread_bytes=byte_count(thread_bytes),
                reserve_bytes=byte_count(reserve),
            )
        except (ValueError, OverflowError) as error:
            raise CacheError(str(error)) from None

    def take(self, size: int) -> PooledBuffer:
        """Takes a buffer of `size` bytes: for a `with` block, or until it is forgotten.

        Raises:
            CacheError: No buffer is as large as that, or it is less than nothing.
        """
        try:
            return self._pool.take(size)
        except (ValueError, OverflowError) as error:
            raise CacheError(str(error)) from None

    def allocate(self, size: int, count: int) -> int:
        """Puts up to `count` buffers of the class for `size` into the reserve; returns how many there was room for."""
        return self._pool.allocate(size, count)

    def stats(self) -> PoolStats:
        """Returns what it did, and holds."""
        return PoolStats(*self._pool.stats())
