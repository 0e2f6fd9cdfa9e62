"""Utilization from samples: its definitions by example, its invariants for any samples."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.analysis.utilization import Sample, Utilization, utilization

DAY_S = 86400.0


def sample(at: float, live: float, busy: float, pool: str = "a", interval_s: float = 5.0) -> Sample:
    return Sample(pool, at, interval_s, live, busy, peak=int(busy))


def test_no_sample_is_no_pool() -> None:
    assert utilization([], 0.0, DAY_S) == Utilization(0.0, None, 0, None, None, None, None)


def test_a_gap_is_left_out_and_not_counted_as_idle() -> None:
    found = utilization([sample(5, 10, 10), sample(1000, 10, 5)], 0.0, DAY_S)
    assert (found.covered_s, found.average_active, found.efficiency) == (10.0, 7.5, 0.75)


def test_an_idle_pool_is_counted() -> None:
    found = utilization([sample(5, 4, 4), sample(10, 4, 0)], 0.0, DAY_S)
    assert (found.average_active, found.efficiency, found.light) == (2.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("busy", "band"),
    [(0, "light"), (5, "light"), (6, "medium"), (15, "medium"), (16, "heavy"), (64, "heavy")],
)
def test_bands(busy: int, band: str) -> None:
    found = utilization([sample(5, 64, busy)], 0.0, DAY_S)
    bands = {"light": found.light, "medium": found.medium, "heavy": found.heavy}
    assert bands == {"light": 0.0, "medium": 0.0, "heavy": 0.0} | {band: 1.0}


def test_pools_at_the_same_time_add_up() -> None:
    found = utilization([sample(10, 4, 3, "a", 10), sample(10, 8, 8, "b", 5)], 0.0, DAY_S)
    assert found.covered_s == 10.0
    assert found.average_active == pytest.approx((3 * 5 + 11 * 5) / 10)
    assert (found.peak_active, found.light, found.medium) == (11, 0.5, 0.5)
    assert found.efficiency == pytest.approx((3 * 10 + 8 * 5) / (4 * 10 + 8 * 5))


def test_pools_one_after_the_other_do_not() -> None:
    found = utilization([sample(5, 4, 4, "a"), sample(10, 4, 4, "b")], 0.0, DAY_S)
    assert (found.average_active, found.peak_active) == (4.0, 4)


def test_only_what_lies_within_the_period_counts() -> None:
    found = utilization([sample(8, 4, 2, interval_s=6), sample(104, 4, 4, interval_s=10)], 5.0, 100.0)
    assert found.covered_s == 9.0
    assert found.average_active == pytest.approx((3 * 2 + 6 * 4) / 9)


@st.composite
def runs(draw: st.DrawFn) -> list[Sample]:
    """Up to three pools, each with samples one after the other, with gaps between some."""
    found: list[Sample] = []
    for pool in "abc"[: draw(st.integers(0, 3))]:
        at = draw(st.integers(0, 200))
        for _ in range(draw(st.integers(1, 8))):
            seconds = draw(st.integers(1, 20))
            at += seconds + draw(st.sampled_from((0, 0, 7)))
            live = draw(st.integers(0, 40))
            busy = draw(st.integers(0, live))
            found.append(sample(float(at), live, busy, pool, float(seconds)))
    return found


def second_by_second(samples: list[Sample], since: int, until: int) -> list[tuple[float, float]]:
    """(live, busy) of each second with a pool: the definition, taken literally."""
    seconds = []
    for second in range(since, until):
        now = [s for s in samples if s.at - s.interval_s <= second < s.at]
        if now:
            seconds.append((sum(s.live for s in now), sum(s.busy for s in now)))
    return seconds


@given(runs(), st.integers(0, 150), st.integers(0, 300))
def test_it_is_the_definition(samples: list[Sample], since: int, length: int) -> None:
    found = utilization(samples, float(since), float(since + length))
    seconds = second_by_second(samples, since, since + length)
    assert found.covered_s == len(seconds)
    if not seconds:
        assert (found.average_active, found.light, found.efficiency) == (None, None, None)
        return
    busy = [busy for _, busy in seconds]
    live = sum(live for live, _ in seconds)
    assert found.average_active == pytest.approx(sum(busy) / len(busy))
    assert found.peak_active == max(busy)
    assert found.light == pytest.approx(sum(b <= 5 for b in busy) / len(busy))
    assert found.medium == pytest.approx(sum(6 <= b <= 15 for b in busy) / len(busy))
    assert found.heavy == pytest.approx(sum(b >= 16 for b in busy) / len(busy))
    assert found.efficiency == (pytest.approx(sum(busy) / live) if live else None)


@given(runs(), st.randoms(use_true_random=False))
def test_neither_order_nor_the_length_of_samples_matters(samples: list[Sample], random: object) -> None:
    """A sample cut in two halves says the same as the whole."""
    halves = [
        half
        for s in samples
        for half in (replace(s, at=s.at - s.interval_s / 2, interval_s=s.interval_s / 2),
                     replace(s, interval_s=s.interval_s / 2))
    ]  # fmt: skip
    random.shuffle(halves)  # type: ignore[attr-defined]
    whole, cut = utilization(samples, 0.0, DAY_S), utilization(halves, 0.0, DAY_S)
    for name in ("covered_s", "average_active", "peak_active", "light", "medium", "heavy", "efficiency"):
        assert getattr(cut, name) == pytest.approx(getattr(whole, name)), name
