"""What `bench limits` reads from a server's log, by figures that can be added up by hand."""

import pytest

from cortex_git.analysis.bench.limits import Load, Served, found, most_in, throughput
from cortex_git.errors import EnvironmentProblem


def test_the_most_in_any_window() -> None:
    moments = [(0.0, 5), (30.0, 7), (59.9, 1), (60.0, 2), (200.0, 9)]
    assert most_in(moments, 60) == 13, "the first lies a whole window before the fourth"
    assert most_in(moments, 61) == 15
    assert most_in([], 60) == 0


def test_all_at_once_at_the_beginning_gains_nothing() -> None:
    bursts = [(start, 50) for start in (0.0, 75.0, 150.0) for _ in range(2)]
    assert throughput(bursts, 100, 60) == pytest.approx(60 / 75)
    even = [(number * 30.0, 50) for number in range(8)]
    assert throughput(even, 100, 60) == pytest.approx(1.0)


def test_less_than_a_window_s_worth_is_no_figure() -> None:
    assert throughput([(0.0, 50), (1.0, 50)], 100, 60) is None
    with pytest.raises(EnvironmentProblem, match="2 calls"):
        found(Load(), [Served(0, 1, 10), Served(1, 2, 10)])


def test_the_limit_that_is_met_first_counts() -> None:
    log = [Served(number * 6.0, number * 6.0 + 1, 10) for number in range(40)]
    by_requests = found(Load(requests=10, tokens=1_000), log)
    assert by_requests.throughput == pytest.approx(1.0)
    assert (by_requests.requests_by_arrival, by_requests.tokens_by_end) == (10, 100)
    assert by_requests.within
    assert not found(Load(requests=9, tokens=1_000), log).within


def test_calls_that_end_together_count_by_their_end() -> None:
    log = [Served(number * 10.0, 300.0, 10) for number in range(30)]
    result = found(Load(requests=6, tokens=60), log)
    assert (result.requests_by_arrival, result.requests_by_end) == (6, 30)
    assert not result.within
