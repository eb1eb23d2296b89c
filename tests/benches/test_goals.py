from __future__ import annotations

from benches.compare.goals import reached, spread
from benches.compare.idle import Idle
from benches.compare.steady import Latencies, Steady
from benches.compare.throughput import Sample, Scene


def scene(key: str, **cpu: list[float]) -> Scene:
    samples = {name.replace("_", "-"): [Sample(one, 1.0, None, None) for one in rounds] for name, rounds in cpu.items()}
    return Scene(key, key, samples=samples)


def test_a_ratio_is_the_median_of_those_within_each_round() -> None:
    found = scene("files-10", hyperweb=[2.0, 8.0, 3.0], epoll=[2.0, 4.0, 3.0])
    (one,) = reached([found], None, [])
    assert (one.measured, one.is_met) == ("1.00 (1.00–2.00)", True)  # noqa: RUF001 - a range
    (one,) = reached([scene("files-10", hyperweb=[2.3], epoll=[2.0])], None, [])
    assert (one.measured, one.most, one.is_met) == ("1.15", "1.10", False)


def test_a_goal_is_left_out_where_its_peer_was() -> None:
    assert reached([scene("files-10", hyperweb=[1.0], granian=[9.0])], None, []) == []


def test_latency_and_memory_have_goals_too() -> None:
    def took(p99: float) -> list[Latencies]:
        return [Latencies(1.0, 1.0, 1.0, p99, p99)]

    steady = Steady(1.0, titles={"hyperweb": "h", "nginx": "n"}, rounds={"hyperweb": took(300), "nginx": took(200)})
    idle = [Idle("nginx", 10, 0, 10**9), Idle("hyperweb", 10, 0, 90 * 10**6)]
    latency, memory = reached([], steady, idle)
    assert (latency.measured, latency.is_met) == ("1.50", False)
    assert (memory.measured, memory.is_met) == ("90 MB", True)


def test_a_spread_is_only_shown_where_there_are_rounds() -> None:
    assert spread([1.234]) == "1.23"
    assert spread([1.0, 2.0, 4.0]) == "2.00 (1.00–4.00)"  # noqa: RUF001 - a range
