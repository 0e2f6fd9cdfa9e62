"""Arrivals are counted by the minute and forecast beside the loop; a failure leaves the last forecast."""

import math
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.workers.forecasting import (
    BIN_S,
    LEAST_BINS,
    MOST_BINS,
    ArrivalForecaster,
    arrival_forecaster,
    holt,
)


def at_once(fit: Callable[[], None]) -> None:
    fit()


class Recorder:
    """A model that foretells the last count, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Sequence[float]] = []

    def __call__(self, counts: Sequence[float], ahead: int) -> list[float]:
        self.asked.append(counts)
        return [counts[-1]] * ahead


def minutes(forecaster: ArrivalForecaster, counts: Sequence[int], waited: int = 0) -> None:
    """Show a forecaster so many arrivals in each minute, second by second, after the one it leaves out."""
    arrived = waited
    forecaster.observe(0, 0.0)
    for second in range(1, 61):
        forecaster.observe(arrived, float(second))
    for minute, count in enumerate(counts, start=1):
        for second in range(1, 61):
            forecaster.observe(arrived + count * second // 60, minute * BIN_S + second)
        arrived += count


def test_minutes_are_counted_and_what_waited_at_the_start_is_not() -> None:
    model = Recorder()
    forecaster = ArrivalForecaster(30, model, at_once)
    counts = [*range(LEAST_BINS + 2)]
    minutes(forecaster, counts, waited=500)
    assert model.asked == [tuple(counts[:n]) for n in range(LEAST_BINS, len(counts) + 1)]
    assert forecaster.rate() == counts[-1] / 60
    assert forecaster.state() == ""


def test_until_there_is_enough_history_it_says_what_is_missing() -> None:
    forecaster = ArrivalForecaster(30, Recorder(), at_once)
    minutes(forecaster, [5] * (LEAST_BINS - 1))
    assert forecaster.rate() is None
    assert forecaster.state() == "9 of the 10 minutes of arrivals that a forecast needs"


def test_a_loop_that_was_held_up_spreads_what_it_missed() -> None:
    model = Recorder()
    forecaster = ArrivalForecaster(30, model, at_once)
    forecaster.observe(0, 0.0)
    forecaster.observe(0, 60.0)
    forecaster.observe(120, 60.0 + 12 * BIN_S + 7)
    assert model.asked == [(10.0,) * 12]
    forecaster.observe(120, 60.0 + 500 * BIN_S)
    assert model.asked[-1] == (0.0,) * MOST_BINS


@given(st.lists(st.tuples(st.floats(0.01, 400), st.integers(0, 50)), max_size=80))
def test_no_arrival_is_counted_twice(steps: list[tuple[float, int]]) -> None:
    model = Recorder()
    forecaster = ArrivalForecaster(30, model, at_once)
    now_s, arrived = 0.0, 0
    for later_s, more in steps:
        now_s, arrived = now_s + later_s, arrived + more
        forecaster.observe(arrived, now_s)
        assert 0 <= forecaster.recent() <= arrived
    for counts in model.asked:
        assert len(counts) <= MOST_BINS
        assert sum(counts) <= arrived + 1e-6


def test_the_pace_is_that_of_the_last_seconds() -> None:
    forecaster = ArrivalForecaster(30, Recorder(), at_once)
    assert forecaster.recent() == 0
    for second in range(60):
        forecaster.observe(3 * second, float(second))
    assert forecaster.recent() == 30


def test_a_fit_holds_nobody_up_and_one_is_made_at_a_time() -> None:
    release, began, made = threading.Event(), threading.Semaphore(0), []

    def slow(counts: Sequence[float], ahead: int) -> list[float]:
        began.release()
        made.append(threading.current_thread().name)
        release.wait(60)
        return [6.0] * ahead

    forecaster = ArrivalForecaster(30, slow)
    minutes(forecaster, [1] * (LEAST_BINS + 20))  # ends although no fit does
    assert began.acquire(timeout=60)
    assert (made, forecaster.rate()) == (["forecast"], None)
    release.set()
    until = time.monotonic() + 60
    while forecaster.rate() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert forecaster.rate() == 0.1


@pytest.mark.parametrize("answer", [math.nan, math.inf, ValueError("no optimum"), MemoryError()])
def test_a_forecast_that_fails_keeps_the_last_one_and_is_told(answer: float | Exception) -> None:
    answers: list[float | Exception] = [12.0, answer, 30.0]

    def model(_counts: Sequence[float], ahead: int) -> list[float]:
        now = answers.pop(0)
        if isinstance(now, Exception):
            raise now
        return [now] * ahead

    forecaster = ArrivalForecaster(30, model, at_once)
    minutes(forecaster, [1] * (LEAST_BINS + 1))
    assert forecaster.rate() == 12 / 60
    assert forecaster.state().startswith("the last forecast failed (")
    forecaster.observe(99, (LEAST_BINS + 3) * BIN_S)
    assert (forecaster.rate(), forecaster.state()) == (0.5, "")


def test_a_horizon_of_minutes_takes_the_highest_of_them() -> None:
    forecaster = ArrivalForecaster(150, lambda _, ahead: [5.0, 9.0, -3.0][:ahead], at_once)
    minutes(forecaster, [1] * LEAST_BINS)
    assert forecaster.rate() == 9 / 60
    falling = ArrivalForecaster(30, lambda _, ahead: [-1.0] * ahead, at_once)
    minutes(falling, [1] * LEAST_BINS)
    assert falling.rate() == 0


@given(st.lists(st.integers(0, 100_000), min_size=LEAST_BINS, max_size=MOST_BINS))
def test_the_librarys_model_takes_any_counts(counts: list[int]) -> None:
    pytest.importorskip("statsmodels")
    assert all(math.isfinite(count) for count in holt(counts, 2))


def test_the_librarys_model_sees_a_level_and_a_trend() -> None:
    pytest.importorskip("statsmodels")
    assert holt([7] * 30, 2) == pytest.approx([7, 7])
    assert holt([*range(30)], 1)[0] == pytest.approx(30, abs=1)


def test_the_pools_own_forecaster_fits_beside_the_loop() -> None:
    pytest.importorskip("statsmodels")
    forecaster = arrival_forecaster(30)
    minutes(forecaster, [6] * LEAST_BINS)
    until = time.monotonic() + 60
    while forecaster.rate() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert (forecaster.rate(), forecaster.state()) == (pytest.approx(0.1), "")
