"""Several origins behind one edge: who is asked, who is left alone, and what is answered when all are gone."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.origin import Answer, Asked, Origin, edge, wait_listening
from tests.e2e.site import free_port, hyperweb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

QUICK = ("--pause", "0.1", "--health-interval", "0.1", "--threads", "2")


def named(name: str) -> Callable[[Asked], Answer]:
    """An origin that says its name, and keeps whom the path tells it to keep waiting."""

    def answer(asked: Asked) -> Answer:
        if asked.target.startswith("/slow"):
            time.sleep(0.2)
        if asked.target.startswith("/kept"):
            return Answer(headers={"Cache-Control": "max-age=1"}, body=name.encode())
        if asked.target.startswith("/strict"):
            return Answer(headers={"Cache-Control": "max-age=1, must-revalidate"}, body=name.encode())
        return Answer(body=name.encode())

    return answer


def after(seconds: float, said: Answer) -> Callable[[Asked], Answer]:
    """An origin that takes its time."""

    def answer(_: Asked) -> Answer:
        time.sleep(seconds)
        return said

    return answer


@pytest.fixture
def three() -> Iterator[list[Origin]]:
    origins = [Origin(named(name)) for name in "abc"]
    for one in origins:
        one.start()
    yield origins
    for one in origins:
        one.kill()


def urls(origins: list[Origin]) -> tuple[str, ...]:
    return tuple(one.url for one in origins)


def origins_of(state: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(hyperweb("stats", state, "--json", check=True).stdout)["origins"]
    return found


def until(holds: Callable[[], bool], what: str) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail(what)


def test_each_gets_its_share_and_the_busy_one_less(three: list[Origin], tmp_path: Path) -> None:
    with edge(tmp_path, *QUICK, origins=urls(three)) as front:
        names = Counter(front.get("/")[2] for _ in range(60))
        assert min(names.values()) >= 15, names
        with ThreadPoolExecutor(9) as threads:
            busy = Counter(threads.map(lambda number: front.get(f"/slow?{number}")[2], range(9)))
        assert set(busy.values()) == {3}, "each has as few as the others"
        three[0].answer = after(0.5, Answer(body=b"a"))
        with ThreadPoolExecutor(4) as threads:
            names = Counter(threads.map(lambda number: front.get(f"/?{number}")[2], range(80)))
        assert names[b"a"] <= 8, "what takes long keeps it from being given more"


def test_one_that_is_killed_under_load_costs_no_request_and_comes_back(three: list[Origin], tmp_path: Path) -> None:
    seen: list[tuple[int, bytes]] = []
    stop = threading.Event()
    with edge(tmp_path, *QUICK, origins=urls(three)) as front:

        def ask() -> None:
            while not stop.is_set():
                status, _, body = front.get("/")
                seen.append((status, body))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        try:
            for victim, name in zip(three[:2], (b"a", b"b"), strict=True):
                until(lambda: len(seen) > 20, "nothing is answered")
                victim.kill()
                until(lambda: not all(one["is_up"] for one in origins_of(tmp_path)), "it is still asked")
                seen.clear()
                until(lambda: len(seen) > 50, "nothing is answered")
                assert name not in {body for _, body in seen}
                victim.start()
                until(lambda name=name: name in {body for _, body in seen}, "it did not come back")  # type: ignore[misc]
                assert all(status == 200 for status, _ in seen)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    log = (tmp_path / "edge.log").read_text()
    assert f"WARNING hyperweb.edge: the origin {three[0].url} does not answer, and is left alone" in log
    assert f"the origin {three[0].url} answers again" in log


def test_a_request_that_may_not_be_made_twice_is_not(three: list[Origin], tmp_path: Path) -> None:
    """An origin that dies while it has a request may have done it."""
    started = threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.method != "GET":
            started.set()
            time.sleep(1)
        return Answer(body=b"done")

    two = three[:2]
    for one in two:
        one.answer = answer
    with edge(tmp_path, *QUICK, origins=urls(two)) as front, ThreadPoolExecutor(1) as thread:
        for method, retried in (("POST", False), ("PATCH", False), ("DELETE", True), ("PUT", True)):
            started.clear()
            asked = thread.submit(front.get, "/do", method=method)
            assert started.wait(5)
            victim = next(one for one in two if one.asked and one.asked[-1].method == method)
            victim.kill()
            status = asked.result()[0]
            assert status == (200 if retried else 502), method
            count = sum(one.method == method for origin in two for one in origin.asked)
            assert count == (2 if retried else 1), method
            victim.start()
            # A request is the trial that closes the circuit.
            until(lambda: front.get("/")[0] == 200 and all(one["is_up"] for one in origins_of(tmp_path)), "it is down")


def test_what_cannot_be_sent_at_all_goes_to_another(three: list[Origin], tmp_path: Path) -> None:
    with edge(tmp_path, *QUICK, origins=urls(three)) as front:
        three[0].kill()
        for _ in range(12):
            assert front.get("/", method="POST", body=b"x" * 1000)[0] == 200


def test_one_that_says_it_cannot_is_passed_by_where_another_can(three: list[Origin], tmp_path: Path) -> None:
    for one in three[:2]:
        one.answer = lambda _: Answer(503, {"Retry-After": "1"}, b"busy")
    with edge(tmp_path, *QUICK, origins=urls(three)) as front:
        assert {front.get("/")[:3:2] for _ in range(12)} == {(200, b"c")}
        assert front.get("/", method="POST", body=b"")[0] in {200, 503}
        three[2].answer = three[0].answer
        status, headers, body = front.get("/")
        assert (status, headers["retry-after"], body) == (503, "1", b"busy")


def test_a_path_tells_whether_it_is_well(three: list[Origin], tmp_path: Path) -> None:
    is_ill = threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.target == "/healthz" and is_ill.is_set():
            return Answer(500)
        return Answer(body=b"a")

    three[0].answer = answer
    options = (*QUICK, "--health-path", "/healthz")
    with edge(tmp_path, *options, origins=urls(three)) as front:
        assert {front.get("/")[2] for _ in range(9)} == {b"a", b"b", b"c"}
        is_ill.set()
        until(lambda: not origins_of(tmp_path)[0]["is_up"], "it is still asked")
        assert {front.get("/")[2] for _ in range(9)} == {b"b", b"c"}
        is_ill.clear()
        until(lambda: {front.get("/")[2] for _ in range(9)} == {b"a", b"b", b"c"}, "it did not come back")
    checks = [asked for asked in three[0].asked if asked.target == "/healthz"]
    assert checks[0].headers["user-agent"] == "hyperweb-health"


def test_what_is_stale_is_used_when_all_are_gone(three: list[Origin], tmp_path: Path) -> None:
    with edge(tmp_path, *QUICK, origins=urls(three)) as front:
        assert front.get("/kept")[0] == 200
        assert front.get("/strict")[0] == 200
        for one in three:
            one.kill()
        time.sleep(1.5)
        for _ in range(20):
            status, headers, body = front.get("/kept")
            assert (status, len(body)) == (200, 1)
            assert "detail=gone" in headers["cache-status"]
            assert int(headers["age"]) >= 1
        assert front.get("/strict")[0] in {502, 503}, "it says that it must not be used"
        status, headers, _ = front.get("/never-seen")
        assert (status, headers["retry-after"]) == (503, "2")
        three[1].start()
        until(lambda: front.get("/kept")[1]["cache-status"].startswith("hyperweb; fwd=miss"), "it did not come back")
        assert front.get("/kept")[2] == b"b"
        assert front.get("/strict")[:3:2] == (200, b"b")


def test_stale_is_not_used_where_that_is_said(three: list[Origin], tmp_path: Path) -> None:
    with edge(tmp_path, *QUICK, "--stale", "0", origins=urls(three[:1])) as front:
        assert front.get("/kept")[0] == 200
        three[0].kill()
        time.sleep(1.2)
        assert front.get("/kept")[0] in {502, 503}


def test_one_that_comes_back_is_tried_once_and_not_stormed(three: list[Origin], tmp_path: Path) -> None:
    (one,) = three[:1]
    options = ("--pause", "1", "--health-interval", "0.2", "--threads", "2")
    with edge(tmp_path, *options, origins=(one.url,)) as front:
        one.kill()
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(lambda _: front.get("/cold")[0], range(40))) <= {502, 503}
        count = len(one.asked)
        one.answer = after(0.3, Answer(headers={"Cache-Control": "max-age=60"}, body=b"x"))
        one.start()
        time.sleep(0.5)
        with ThreadPoolExecutor(16) as threads:
            told = list(threads.map(lambda _: front.get("/cold")[0], range(64)))
        assert told.count(200) == 64
        assert len(one.asked) == count + 1, "all of them waited for the one that tried it"


def test_an_origin_that_takes_no_time_to_hang_up_is_left_alone(tmp_path: Path) -> None:
    port = free_port()
    with edge(tmp_path, *QUICK, origins=(f"http://127.0.0.1:{port}",), ready="") as front:
        wait_listening(front)
        assert [front.get("/")[0] for _ in range(10)] == [503] * 10
        shown = hyperweb("stats", tmp_path, check=True).stdout
        assert f"http://127.0.0.1:{port} down" in shown
        asked = origins_of(tmp_path)[0]["requests"]
        for _ in range(50):
            with contextlib.suppress(OSError):
                front.get("/")
        assert origins_of(tmp_path)[0]["requests"] - asked < 30, "it is asked again and again"


def test_options_that_cannot_be_are_refused(tmp_path: Path, three: list[Origin]) -> None:
    del three
    for options in (("--health-path", "healthz"), ("--health-path", "/a b"), ("--pause", "0"), ("--failures", "0")):
        found = hyperweb("edge", "--origin", "http://127.0.0.1:1", *options, "--state", tmp_path)
        assert found.returncode == 2, found.stderr
