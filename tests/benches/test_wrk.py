from __future__ import annotations

import pytest

from benches.compare.errors import CompareError
from benches.compare.wrk import Traffic, parse

PRINTED = """\
Running 2s test @ http://127.0.0.1:8000/1k.txt
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   570.87us  638.07us   8.56ms   91.07%
    Req/Sec    45.88k     3.54k   49.57k    85.00%
  Latency Distribution
     50%  409.00us
     75%  661.00us
     90%    1.14ms
     99%    3.72ms
  182730 requests in 2.00s, 11.17GB read
{trouble}Requests/sec:  91176.31
Transfer/sec:      5.57GB
"""


def test_counts_and_latencies_are_read_in_seconds_and_microseconds() -> None:
    traffic = parse(PRINTED.format(trouble=""))
    assert traffic == Traffic(requests=182_730, seconds=2.0, p50=409.0, p99=3720.0)
    assert traffic.per_second == pytest.approx(91_365)


def test_a_minute_long_run_is_not_taken_for_milliseconds() -> None:
    assert parse(PRINTED.format(trouble="").replace("in 2.00s", "in 1.00m")).seconds == 60.0


@pytest.mark.parametrize(
    "trouble",
    ["  Socket errors: connect 0, read 1, write 0, timeout 0\n", "  Non-2xx or 3xx responses: 12\n"],
    ids=["a connection failed", "an answer was an error"],
)
def test_a_run_with_a_failed_request_is_void(trouble: str) -> None:
    with pytest.raises(CompareError, match="void"):
        parse(PRINTED.format(trouble=trouble))


@pytest.mark.parametrize(
    "printed",
    ["", "unable to connect", PRINTED.format(trouble="").replace("182730 requests", "0 requests")],
    ids=["nothing", "a complaint", "no request"],
)
def test_output_without_a_result_is_refused(printed: str) -> None:
    with pytest.raises(CompareError):
        parse(printed)
