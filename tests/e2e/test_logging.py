"""The access log, request ids, traces, and the figures for Prometheus."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.hostile.raw import send
from tests.e2e.origin import Answer, Asked, edge, origin
from tests.e2e.site import Running, free_port, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def answer(asked: Asked) -> Answer:
    if asked.target.startswith("/fails"):
        return Answer(500, body=b"no")
    kept = {"Cache-Control": "max-age=60"} if asked.target.startswith("/kept") else {}
    return Answer(headers=kept, body=json.dumps(asked.headers).encode())


def lines(path: Path, until: Callable[[list[str]], bool]) -> list[str]:
    found: list[str] = []
    for _ in range(100):
        found = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if until(found):
            return found
        time.sleep(0.05)
    pytest.fail(f"the lines are {found}")


def test_each_answer_has_a_line_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    combined = re.compile(
        r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "([^"]*)" (\d+) (\d+) "(.*)" "(.*)"'
    )
    log = tmp_path / "access.log"
    options = ("--access-log", str(log), "--threads", "1")
    with origin(answer) as behind, edge(tmp_path, *options, origins=(behind.url,)) as front:
        front.get("/kept?a=b", {"referer": "https://example.org/", "user-agent": "a browser"})
        front.get("/kept?a=b", {"user-agent": 'x" 500 "y\\'})
        front.get("/post", method="POST", body=b"x" * 10)
        front.get("/kept?a=b", method="HEAD")
        send(front.port, b"nonsense\r\n\r\n")
        found = lines(log, lambda lines: len(lines) >= 6)
    told = [match.groups() for line in found if (match := combined.fullmatch(line))]
    assert len(told) == len(found)
    assert told[0][0] == "GET / HTTP/1.1"
    assert told[1] == ("GET /kept?a=b HTTP/1.1", "200", told[1][2], "https://example.org/", "a browser")
    assert told[2][3:] == ("-", r"x\x22 500 \x22y\x5c"), "a client cannot write into the next field"
    assert told[1][2] == told[2][2]
    assert [one[0] for one in told[3:]] == ["POST /post HTTP/1.1", "HEAD /kept?a=b HTTP/1.1", "- - -"]
    assert told[-1][1] == "400"


def test_json_tells_more_and_the_id_is_that_of_the_origin(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    options = ("--access-log", str(log), "--log-format", "json", "--threads", "1")
    with origin(answer) as behind, edge(tmp_path, *options, origins=(behind.url,)) as front:
        _, _, body = front.get("/seen", {"traceparent": TRACE, "tracestate": "a=b", "x-request-id": "forged"})
        front.get("/kept")
        front.get("/kept", {"traceparent": TRACE})
        found: list[dict[str, Any]] = [json.loads(line) for line in lines(log, lambda lines: len(lines) >= 4)]
    sent = json.loads(body)
    seen, missed, hit = found[1:]
    assert (sent["traceparent"], sent["tracestate"]) == (TRACE, "a=b")
    assert seen["request_id"] == sent["x-request-id"] != "forged"
    assert seen["trace_id"] == hit["trace_id"] == TRACE.split("-")[1]
    assert (seen["source"], missed["source"], hit["source"]) == ("worker", "worker", "cache")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", seen["time"])
    assert (seen["status"], seen["bytes"], seen["target"]) == (200, len(body), "/seen")
    assert seen["duration_us"] > 0
    assert seen["host"] == f"127.0.0.1:{front.port}"


@pytest.mark.parametrize(
    "trace", ["nonsense", TRACE.upper(), TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32)]
)
def test_a_trace_that_is_none_is_not_passed_on(tmp_path: Path, trace: str) -> None:
    with origin(answer) as behind, edge(tmp_path, origins=(behind.url,)) as front:
        sent = json.loads(front.get("/", {"traceparent": trace, "tracestate": "a=b"})[2])
        assert not sent.keys() & {"traceparent", "tracestate"}


def test_a_share_of_the_requests_has_lines_and_all_that_fail(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    options = ("--access-log", str(log), "--log-sample", "0.1", "--threads", "1")
    with origin(answer) as behind, edge(tmp_path, *options, origins=(behind.url,)) as front:
        for _ in range(100):
            front.get("/kept")
        for _ in range(5):
            front.get("/fails")
        found = lines(log, lambda lines: sum(" 500 " in line for line in lines) == 5)
    assert 9 <= sum("/kept" in line for line in found) <= 12


def test_a_log_that_is_moved_away_is_begun_anew_and_none_is_lost(tmp_path: Path) -> None:
    log, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    with origin(answer) as behind, edge(tmp_path, "--access-log", str(log), origins=(behind.url,)) as front:
        front.get("/first")
        lines(log, lambda lines: any("/first" in line for line in lines))
        log.rename(moved)
        for number in range(40):
            front.get(f"/number/{number}")
            time.sleep(0.05)
        lines(log, lambda lines: any("/number/39 " in line for line in lines))
    both = moved.read_text(encoding="utf-8") + log.read_text(encoding="utf-8")
    assert all(both.count(f"/number/{number} ") == 1 for number in range(40))


def test_what_was_answered_before_the_end_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with (
        origin(answer) as behind,
        edge(tmp_path, "--access-log", str(log), origins=(behind.url,)) as front,
        ThreadPoolExecutor(4) as threads,
    ):
        list(threads.map(lambda number: front.get(f"/kept/{number}"), range(200)))
    text = log.read_text(encoding="utf-8")
    assert all(text.count(f"/kept/{number} ") == 1 for number in range(200))


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--access-log", tmp_path, "--state", tmp_path)
    assert found.returncode == 1
    assert f"the access log {tmp_path} cannot be written" in found.stderr


def test_a_site_has_a_log_and_figures_for_prometheus(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    settings = site / "site.toml"
    port = free_port()
    more = f'[serve]\nadmin = "127.0.0.1:{port}"\nmetrics = true\n[log]\naccess = "access.log"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + more, encoding="utf-8")
    with serving(site, "--prod", "--workers", "1", wait_for="/api/count") as running:
        for _ in range(3):
            assert running.get("/posts/a/")[0] == 200
            assert running.get("/api/count")[0] == 200
        assert running.get("/nope/")[0] == 404
        send(running.port, b"nonsense\r\n\r\n")
        found = lines(site / "access.log", lambda lines: len(lines) >= 8)
        status, headers, body = Running(running.process, port).get("/metrics")
    assert any('"GET /posts/a/ HTTP/1.1" 200 ' in line for line in found)
    assert any('"GET /nope/ HTTP/1.1" 404 ' in line for line in found)
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    told = figures(body.decode())
    assert told['hyperweb_requests_total{source="pack"}'] == 4
    assert told['hyperweb_requests_total{source="cache"}'] >= 3
    assert told['hyperweb_responses_total{class="4xx"}'] == 2
    assert told['hyperweb_refused_total{reason="malformed"}'] == 1
    buckets = [value for name, value in told.items() if name.startswith("hyperweb_request_duration_seconds_bucket")]
    assert buckets == sorted(buckets)
    assert (
        buckets[-1]
        == told["hyperweb_request_duration_seconds_count"]
        == sum(value for name, value in told.items() if name.startswith("hyperweb_requests_total"))
    )
    assert told["hyperweb_request_duration_seconds_sum"] > 0
    assert told["hyperweb_cache_entries"] == 1


def figures(text: str) -> dict[str, float]:
    """Reads the text format of Prometheus, and holds it to that each family is described before its samples."""
    described: set[str] = set()
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            described.add(line.split()[2])
        elif not line.startswith("# HELP "):
            match = re.fullmatch(r'([a-z][a-z0-9_]+)(\{[a-z]+="[^"]*"\})? ([0-9.]+)', line)
            assert match is not None, line
            assert described & {match[1], re.sub("_(bucket|sum|count)$", "", match[1])}, line
            found[match[1] + (match[2] or "")] = float(match[3])
    return found
