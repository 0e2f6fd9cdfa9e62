"""What is to arrive next: arrivals counted by the minute, and a model's forecast of the minutes to come.

Owns the import of statsmodels, loaded when the first forecast is made. Must never hold the loop that
asks: a fit runs beside it, and the last forecast counts until the next is there.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from cortex_git.errors import EnvironmentProblem

BIN_S = 60.0
"""Seconds that one count of arrivals spans."""
LEAST_BINS = 10
"""Counts before the first forecast."""
MOST_BINS = 60
"""Counts that a forecast looks back on."""
PACE_S = 10.0
"""Seconds over which the pace of arrivals right now is taken."""
WARM_START_S = 0.02
"""Seconds from the request for a worker until it works: a fork of the warm process (`bench spawn`)."""

Model = Callable[[Sequence[float], int], Sequence[float]]
"""The counts so far, oldest first, and how many to foretell: those. Raises ValueError where it cannot."""
Start = Callable[[Callable[[], None]], None]
"""Runs a fit, beside the caller or at once."""


class Forecaster(Protocol):
    """What the `predictive` policy asks."""

    def observe(self, arrived: int, now_s: float) -> None:
        """Take in how many tasks have arrived in all by `now_s` (seconds, monotonic)."""
        ...

    def rate(self) -> float | None:
        """Arrivals per second to expect until a change takes effect; None without a forecast."""
        ...

    def recent(self) -> int:
        """Arrivals of the last `PACE_S` seconds."""
        ...

    def state(self) -> str:
        """Why there is no forecast, or no newer one, in words; empty where all is well."""
        ...


class ArrivalForecaster:
    """Counts arrivals and has `model` foretell the next `horizon_s` seconds of them, once a minute."""

    def __init__(self, horizon_s: float, model: Model | None = None, start: Start | None = None) -> None:
        self._ahead = max(1, math.ceil(horizon_s / BIN_S))
        self._model = model or holt
        self._start = start or _in_thread
        self._counts: deque[float] = deque(maxlen=MOST_BINS)
        self._bin: tuple[float, int] | None = None
        """When the minute that is being counted began, and what had arrived by then."""
        self._first = True
        self._pace: deque[tuple[float, int]] = deque()
        self._fitting = False
        self._rate: float | None = None
        self._problem = ""

    def observe(self, arrived: int, now_s: float) -> None:
        """Count, and begin a forecast when a minute is full and none is being made."""
        self._pace.append((now_s, arrived))
        while len(self._pace) > 1 and self._pace[0][0] < now_s - PACE_S:
            self._pace.popleft()
        if self._bin is None:
            self._bin = now_s, arrived
            return
        began, before = self._bin
        full = int((now_s - began) // BIN_S)
        if full == 0:
            return
        self._bin = began + full * BIN_S, arrived
        if self._first:
            # What waited when the pool began would pass for a burst.
            self._first = False
            return
        # A loop that was held up spreads what it missed over the minutes that passed.
        self._counts.extend([(arrived - before) / full] * min(full, MOST_BINS))
        if len(self._counts) >= LEAST_BINS and not self._fitting:
            self._fitting = True
            counts = tuple(self._counts)
            self._start(lambda: self._fit(counts))

    def _fit(self, counts: Sequence[float]) -> None:
        try:
            expected = max(self._model(counts, self._ahead))
            if not math.isfinite(expected):
                raise ValueError(f"it foretells {expected}")
            self._rate, self._problem = max(0.0, expected) / BIN_S, ""
        except Exception as error:  # whatever a library raises, the last forecast goes on to count
            self._problem = f"the last forecast failed ({type(error).__name__}: {error})"
        finally:
            self._fitting = False

    def rate(self) -> float | None:
        """The forecast's highest minute within the horizon, as arrivals per second."""
        return self._rate

    def recent(self) -> int:
        return self._pace[-1][1] - self._pace[0][1] if self._pace else 0

    def state(self) -> str:
        """The last fit's failure, or how much history is still missing."""
        if self._problem or self._rate is not None:
            return self._problem
        return f"{len(self._counts)} of the {LEAST_BINS} minutes of arrivals that a forecast needs"


def arrival_forecaster(cooldown_s: float) -> ArrivalForecaster:
    """One that looks ahead until a change takes effect. Raises EnvironmentProblem without statsmodels."""
    from importlib.util import find_spec

    if find_spec("statsmodels") is None:
        raise EnvironmentProblem(
            "policy predictive needs statsmodels", "run `pip install 'cortex-git[predict]'`"
        )
    return ArrivalForecaster(cooldown_s + WARM_START_S)


def holt(counts: Sequence[float], ahead: int) -> list[float]:
    """Exponential smoothing with a damped trend (Gardner and McKenzie 1985), its parameters fitted.

    Some 7 ms for 60 counts; the first call imports statsmodels (1.4 s, 150 MiB).
    """
    import warnings

    from statsmodels.tsa.holtwinters import Holt

    began = sum(counts[:LEAST_BINS]) / len(counts[:LEAST_BINS])
    model = Holt(
        list(counts), damped_trend=True, initialization_method="known", initial_level=began, initial_trend=0.0
    )
    # That an optimum was not reached to the last digit is no news. Not by catch_warnings: we are in a thread.
    warnings.filterwarnings("ignore", module=r"statsmodels\.")
    return [float(count) for count in model.fit().forecast(ahead)]


def _in_thread(fit: Callable[[], None]) -> None:
    threading.Thread(target=fit, name="forecast", daemon=True).start()
