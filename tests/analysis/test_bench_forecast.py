"""Forecasts judged: errors by hand, baselines that mean what they say, and a published table that is true."""

import json
import math
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cortex_git.analysis.bench.forecast import (
    HORIZONS,
    METHODS,
    ForecastRow,
    bench_forecast,
    counts_of,
    judged,
)
from cortex_git.analysis.bench.traces import FORECAST_TRACES, TRACES, Arrival, Trace, traces_of, trend, wave
from cortex_git.errors import BadInput

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "scripts"))

import forecast_table  # noqa: E402

SEASON = 20


def flat(value: float) -> Callable[[Sequence[float], int], list[float]]:
    return lambda _, ahead: [value] * ahead


def by_name(rows: Sequence[ForecastRow]) -> dict[tuple[int, str], ForecastRow]:
    return {(row.horizon_min, row.method): row for row in rows}


def test_counts_by_the_minute_without_the_last_part_of_one() -> None:
    at = (0.0, 59.9, 60.0, 185.0, 240.0, 250.0)
    assert counts_of(Trace("t", tuple(Arrival(one, 1.0) for one in at))) == [2, 1, 0, 1]
    assert counts_of(Trace("none", ())) == []


def test_errors_by_hand() -> None:
    """0, 2, 0, 2 …: the model says 1 and is off by 1; the last minute is right an even number ahead."""
    rows = by_name([*judged("t", [0.0, 2.0] * 30, SEASON, flat(1.0))])
    assert list(rows) == [(horizon, method) for horizon in HORIZONS for method in METHODS]
    for horizon in HORIZONS:
        ours, naive, season = (rows[horizon, method] for method in METHODS)
        assert (ours.mae, ours.rmse, ours.mase) == (1.0, 1.0, 0.5)
        assert (naive.mae, naive.rmse, naive.mase) == (2.0, 2.0, 1.0)
        assert (season.mae, season.mase) == (0.0, 0.0)
        assert ours.forecasts == naive.forecasts == season.forecasts == 60 - SEASON - max(HORIZONS) + 1


def test_squares_and_bias() -> None:
    """One miss of 10 among 26 forecasts a minute ahead."""
    counts = [0.0] * 60
    counts[40] = 10.0
    ours = by_name([*judged("t", counts, SEASON, flat(0.0))])[1, "forecast"]
    assert ours.forecasts == 26
    assert ours.mae == round(10 / 26, 3)
    assert ours.rmse == round(math.sqrt(100 / 26), 3)
    assert ours.bias == -round(10 / 26, 3)
    assert ours.mase == round(10 / 26 / (20 / 59), 3)


def test_what_never_changes_has_no_scale() -> None:
    for row in judged("t", [3.0] * 60, SEASON, flat(3.0)):
        assert (row.mae, row.mase, row.bias) == (0.0, None, 0.0)


@pytest.mark.parametrize("minutes", [0, 1, SEASON, SEASON + max(HORIZONS) - 1])
def test_a_trace_too_short_to_judge_by(minutes: int) -> None:
    assert [*judged("t", [1.0] * minutes, SEASON, flat(1.0))] == []


def test_a_forecast_sees_an_hour_and_nothing_to_come() -> None:
    seen: list[Sequence[float]] = []

    def keep(counts: Sequence[float], ahead: int) -> list[float]:
        seen.append(counts)
        return [0.0] * ahead

    counts = [float(minute) for minute in range(200)]
    assert [*judged("t", counts, 100, keep)]
    assert [len(one) for one in seen] == [60] * len(seen)
    assert [one[-1] for one in seen] == [float(now - 1) for now in range(100, 186)]


def test_a_fit_that_fails_leaves_the_last_forecast() -> None:
    asked = 0

    def now_and_then(_: Sequence[float], ahead: int) -> list[float]:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise ValueError("no fit")
        return [math.nan] * ahead if asked == 4 else [-5.0 if asked == 2 else 7.0] * ahead

    rows = by_name([*judged("t", [0.0] * 60, SEASON, now_and_then)])
    ours = rows[1, "forecast"]
    assert ours.failed == 2
    # Below zero is nothing, and that is what counts on twice.
    assert ours.mae == round(7.0 * 23 / 26, 3)
    assert rows[1, "naive"].failed == 0


def test_traces() -> None:
    assert list(FORECAST_TRACES) == ["steady", "wave", "bursts", "trend"]
    assert "trend" not in TRACES, "bench policies replays the three that its published table has"
    both, one = FORECAST_TRACES["wave"](3), wave(3)
    assert both.arrivals[: len(one.arrivals)] == one.arrivals
    minutes = counts_of(trend(1))
    first, last = sum(minutes[:60]) / 60, sum(minutes[-60:]) / 60
    assert first == pytest.approx(3.5, abs=1.5)
    assert last == pytest.approx(24.5, abs=3)
    with pytest.raises(BadInput, match="trend"):
        traces_of(1, ["storm"], FORECAST_TRACES)


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(forecast_table.DATA.read_text(encoding="utf-8"))
    return found


def test_the_published_figures_are_what_the_bench_says(published: dict[str, Any]) -> None:
    """Of one trace, with the library that they were made with: another fits a little differently."""
    pytest.importorskip("statsmodels")
    if version("statsmodels") != published["statsmodels"]:
        pytest.skip("another version of statsmodels")
    traces = traces_of(published["seed"], ["steady"], FORECAST_TRACES)
    expected = [row for row in published["rows"] if row["trace"] == "steady"]
    found = [row.to_json() for row in bench_forecast(traces, lambda _: None)]
    assert len(expected) == len(HORIZONS) * len(METHODS)
    for ours, theirs in zip(found, expected, strict=True):
        assert _near(ours, theirs), (ours, theirs)


def _near(ours: dict[str, object], theirs: dict[str, Any]) -> bool:
    """The same but for what another processor's arithmetic does to a fit."""
    return ours.keys() == theirs.keys() and all(
        value == theirs[key] or (isinstance(value, float) and value == pytest.approx(theirs[key], abs=0.05))
        for key, value in ours.items()
    )


def test_the_published_table_is_the_published_figures(published: dict[str, Any]) -> None:
    page = forecast_table.PAGE.read_text(encoding="utf-8")
    assert page == forecast_table.replaced(page, published), "run: python scripts/forecast_table.py"
    assert {row["trace"] for row in published["rows"]} == set(FORECAST_TRACES)


def test_the_forecast_beats_both_baselines_where_the_policy_looks(published: dict[str, Any]) -> None:
    """One minute ahead, on every trace: else the policy would do better without it."""
    rows = {(row["trace"], row["method"]): row for row in published["rows"] if row["horizon_min"] == 1}
    for trace in FORECAST_TRACES:
        ours, *others = (rows[trace, method]["mae"] for method in METHODS)
        assert ours < min(others), trace
