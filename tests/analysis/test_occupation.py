"""How long hosts were occupied, each by its own clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.analysis.occupation import MOST_S, Run, occupations


def of(*spans: tuple[float, float], host: str = "a") -> list[Run]:
    """Runs by their start and their seconds."""
    return [Run(host, start + seconds, seconds) for start, seconds in spans]


@pytest.mark.parametrize(
    ("spans", "worker_s", "busy_s", "span_s", "peak"),
    [
        (((0, 15),), 15, 15, 15, 1),
        (((0, 10), (10, 10)), 20, 20, 20, 1),
        (((0, 10), (5, 10)), 20, 15, 15, 2),
        (((0, 10), (100, 10)), 20, 20, 110, 1),
        (((0, 100), (10, 5), (20, 5)), 110, 100, 100, 2),
        (((0, 0),), 0, 0, 0, 1),
        (tuple((0, 15) for _ in range(20)), 300, 15, 15, 20),
    ],
)
def test_one_host(
    spans: tuple[tuple[float, float], ...], worker_s: float, busy_s: float, span_s: float, peak: int
) -> None:
    ((found,), untimed) = occupations(reversed(of(*spans)))
    assert untimed == 0
    assert (found.tasks, found.worker_s, found.busy_s, found.span_s, found.peak) == (
        len(spans), worker_s, busy_s, span_s, peak,
    )  # fmt: skip


def test_clocks_of_two_hosts_are_never_compared() -> None:
    found, _ = occupations([*of((0, 10)), *of((1e9, 10), host="b")])
    assert [(one.host, one.busy_s, one.peak) for one in found] == [("a", 10, 1), ("b", 10, 1)]


@pytest.mark.parametrize(
    "run",
    [Run("a", None, 1.0), Run("a", 10.0, -1.0), Run("a", 10.0, MOST_S * 2), Run("a", 10.0, float("nan"))],
)
def test_times_that_say_nothing_are_left_out(run: Run) -> None:
    assert occupations([run]) == ([], 1)
    found, untimed = occupations([run, *of((0, 5))])
    assert (found[0].tasks, found[0].busy_s, untimed) == (1, 5, 1)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 100)), min_size=1, max_size=30))
def test_busy_is_at_most_the_span_and_the_work(spans: list[tuple[int, int]]) -> None:
    ((found,), _) = occupations(of(*spans))
    assert 0 <= found.busy_s <= found.span_s
    assert found.busy_s <= found.worker_s <= found.busy_s * found.peak
    assert 1 <= found.peak <= len(spans)
