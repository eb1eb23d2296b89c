"""Buffers that come back, and what may be done with them meanwhile."""

from __future__ import annotations

import gc
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb.cache import BufferPool, CacheError, PoolStats


def test_a_buffer_is_written_read_and_comes_back() -> None:
    pool = BufferPool()
    with pool.take(5000) as buffer:
        assert len(buffer) == 5000
        view = memoryview(buffer)
        assert (view.nbytes, view.readonly, view.format, view.contiguous) == (5000, False, "B", True)
        view[:5] = b"hello"
        assert bytes(view[:5]) == b"hello"
        view.release()
    assert pool.stats() == PoolStats(hits=0, misses=1, oversized=0, freed=0, held=8192)
    with pool.take(8000) as again:
        assert bytes(memoryview(again)[:5]) == b"hello"
    assert pool.stats().hits == 1


def test_a_buffer_with_views_is_not_given_back() -> None:
    pool = BufferPool()
    buffer = pool.take(100)
    view = memoryview(buffer)
    with pytest.raises(BufferError, match="1 views of the buffer are in use"):
        buffer.release()
    part = view[10:20]
    view.release()
    with pytest.raises(BufferError):
        buffer.release()
    part[:] = b"0123456789"
    part.release()
    buffer.release()
    buffer.release()
    with pytest.raises(BufferError, match="was released"):
        memoryview(buffer)
    assert pool.stats().held == 4096


def test_a_view_keeps_what_is_forgotten() -> None:
    pool = BufferPool()
    view = memoryview(pool.take(100))
    gc.collect()
    assert pool.stats().held == 0
    view[:] = b"x" * 100
    assert bytes(view) == b"x" * 100
    view.release()
    del view
    gc.collect()
    assert pool.stats().held == 4096


def test_a_socket_reads_into_it() -> None:
    pool = BufferPool()
    ours, theirs = socket.socketpair()
    with ours, theirs, pool.take(1000) as buffer:
        theirs.sendall(b"from the other side")
        count = ours.recv_into(buffer)
        assert bytes(memoryview(buffer)[:count]) == b"from the other side"


def test_what_is_larger_than_all_classes_is_made_each_time() -> None:
    pool = BufferPool(classes=[16, "1KiB"], thread_bytes=1024, reserve="1KiB")
    with pool.take(2000) as buffer:
        memoryview(buffer)[:] = b"y" * 2000
    assert (pool.stats().oversized, pool.stats().held) == (1, 0)
    assert pool.allocate(1000, 5) == 1
    assert pool.stats().held == 1024


@pytest.mark.parametrize("classes", [[0], [2**50], [2**70], ["nothing"]])
def test_a_class_is_a_size(classes: list[int | str]) -> None:
    with pytest.raises(CacheError, match=r"size|int"):
        BufferPool(classes=classes)


def test_no_buffer_is_of_any_size() -> None:
    with pytest.raises(CacheError, match="no buffer is as large"):
        BufferPool().take(2**50)
    with pytest.raises(CacheError):
        BufferPool().take(-1)


@given(st.lists(st.tuples(st.integers(0, 70_000), st.binary(max_size=40), st.booleans()), max_size=40))
def test_nobody_writes_over_what_another_has(steps: list[tuple[int, bytes, bool]]) -> None:
    pool = BufferPool()
    taken: list[tuple[memoryview, bytes]] = []
    for size, data, gives_back in steps:
        view = memoryview(pool.take(size))
        kept = data[:size]
        view[: len(kept)] = kept
        taken.append((view, kept))
        if gives_back:
            taken.pop(0)[0].release()
        for other, expected in taken:
            assert bytes(other[: len(expected)]) == expected


def test_threads_take_and_give_back() -> None:
    pool = BufferPool()
    wrong: list[bytes] = []

    def work(number: int) -> None:
        mark = bytes([number]) * 64
        for _ in range(3000):
            with pool.take(5000) as buffer:
                view = memoryview(buffer)
                view[:64] = mark
                found = bytes(view[:64])
                view.release()
            if found != mark:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert pool.stats().misses < 100
