from __future__ import annotations

import pytest

from benches.compare.errors import CompareError
from benches.compare.h2load import parse
from benches.compare.wrk import Traffic

PRINTED = """\
starting benchmark...
Application protocol: h2
Warm-up phase is over for thread #0.
finished in 2.02s, 6711.50 req/s, 65.91MB/s
requests: 13423 total, 13583 started, 13423 done, 13423 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 13430 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 131.83MB (138234880) total, 734.75KB (752384) headers (space savings 75.81%), 131.09MB (137451520) data
"""


def test_what_succeeded_is_counted_in_seconds() -> None:
    assert parse(PRINTED) == Traffic(requests=13_423, seconds=2.02)
    assert parse(PRINTED.replace("2.02s", "900.00ms")).seconds == pytest.approx(0.9)


@pytest.mark.parametrize(
    "change",
    [
        ("0 failed", "1 failed"),
        ("0 errored", "2 errored"),
        ("0 timeout", "1 timeout"),
        ("0 5xx", "3 5xx"),
        ("0 3xx", "3 3xx"),
        ("13423 succeeded", "0 succeeded"),
    ],
    ids=" ".join,
)
def test_a_run_with_a_failed_request_is_void(change: tuple[str, str]) -> None:
    with pytest.raises(CompareError, match="void"):
        parse(PRINTED.replace(*change))


@pytest.mark.parametrize(
    "printed",
    ["", PRINTED.replace("Application protocol: h2", "Application protocol: http/1.1")],
    ids=["nothing", "another protocol"],
)
def test_output_without_a_result_of_http2_is_refused(printed: str) -> None:
    with pytest.raises(CompareError, match="no result"):
        parse(printed)
