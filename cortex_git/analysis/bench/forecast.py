"""`bench forecast`: the `predictive` policy's forecast against two that cost nothing, on the bench's traces.

Owns the table. Like `bench policies` it depends on the seed and the library that fits: no clock, no machine.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from cortex_git.analysis.bench.traces import Trace
from cortex_git.analysis.bench.workspace import Say
from cortex_git.workers.forecasting import BIN_S, LEAST_BINS, MOST_BINS, Model, holt

HORIZONS = (1, 5, 15)
"""Minutes ahead. The policy itself looks one minute ahead: as long as a change of the target takes effect."""
SEASONS = {"wave": 24 * 60}
"""Minutes after which a trace begins anew; an hour where it never does."""
_HOUR = 60
METHODS = ("forecast", "naive", "seasonal-naive")
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """One method on one trace at one horizon. Errors are tasks a minute, forecast less what arrived."""

    trace: str
    horizon_min: int
    method: str
    forecasts: int
    """Forecasts that were judged."""
    mae: float
    """Mean absolute error."""
    rmse: float
    """Root of the mean squared error."""
    mase: float | None
    """`mae` divided by the mean absolute change from one minute to the next over the whole trace.

    Below 1 is better than saying, one minute ahead, that all stays as it is. Hyndman and Koehler 2006, but
    for the scale: theirs is of the part before the first forecast, which here would hang on whether a burst
    fell into it. None where nothing ever changes.
    """
    bias: float
    """Mean error: above 0 foretells too much."""
    season_min: int
    failed: int
    """Fits that failed: the forecast before them counted on, as in a pool."""

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def counts_of(trace: Trace) -> list[float]:
    """Arrivals by the minute, the last part of one left out."""
    minutes = int(trace.arrivals[-1].at_s // BIN_S) if trace.arrivals else 0
    found = [0.0] * minutes
    for arrival in trace.arrivals:
        if (minute := int(arrival.at_s // BIN_S)) < minutes:
            found[minute] += 1
    return found


def bench_forecast(traces: Iterable[Trace], say: Say, model: Model = holt) -> Iterator[ForecastRow]:
    """A row for each trace, horizon and method."""
    for trace in traces:
        counts = counts_of(trace)
        say(f"{trace.name}: {len(counts)} minutes")
        yield from judged(trace.name, counts, SEASONS.get(trace.name, _HOUR), model)


def judged(name: str, counts: Sequence[float], season: int, model: Model) -> Iterator[ForecastRow]:
    """The methods side by side on the same minutes; none where the trace is too short for them.

    A forecast is made each minute and knows what a pool would: the last 60. The naive one repeats the last
    minute, the seasonal-naive one the same minute of the season before.
    """
    errors: dict[tuple[int, str], list[float]] = {(h, m): [] for h in HORIZONS for m in METHODS}
    fits = _Fits(model)
    for now in range(max(LEAST_BINS, season), len(counts) - max(HORIZONS) + 1):
        ahead = fits.ahead(counts[max(0, now - MOST_BINS) : now])
        for horizon in HORIZONS:
            came = counts[now + horizon - 1]
            guesses = (ahead[horizon - 1], counts[now - 1], counts[now + horizon - 1 - season])
            for method, guess in zip(METHODS, guesses, strict=True):
                errors[horizon, method].append(guess - came)
    scale = _mean([abs(later - before) for before, later in pairwise(counts)])
    for (horizon, method), found in errors.items():
        if found:
            mae = _mean([abs(error) for error in found])
            yield ForecastRow(
                trace=name,
                horizon_min=horizon,
                method=method,
                forecasts=len(found),
                mae=round(mae, _DIGITS),
                rmse=round(math.sqrt(_mean([error * error for error in found])), _DIGITS),
                mase=round(mae / scale, _DIGITS) if scale else None,
                bias=round(_mean(found), _DIGITS) + 0.0,
                season_min=season,
                failed=fits.failed if method == METHODS[0] else 0,
            )


class _Fits:
    """The policy's forecasts: never below zero, and the last one again where a fit fails."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._last: list[float] | None = None
        self.failed = 0

    def ahead(self, counts: Sequence[float]) -> list[float]:
        try:
            found = [float(value) for value in self._model(counts, max(HORIZONS))]
            if not all(map(math.isfinite, found)):
                raise ValueError("it foretells no number")
            self._last = [max(0.0, value) for value in found]
        except Exception:  # whatever a library raises, as in `ArrivalForecaster`
            self.failed += 1
        return self._last or [counts[-1]] * max(HORIZONS)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
