"""Arrivals to replay: steady, daily wave, bursts, and a rise for forecasts alone, each made from a seed.

Owns when a task arrives and how long it takes. Must give the same trace for the same seed anywhere.
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from cortex_git.errors import BadInput

TASK_S = 40.0
"""Mean seconds of a task; exponentially distributed, so a few take minutes."""
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One task."""

    at_s: float
    """Seconds since the trace began."""
    takes_s: float
    """Seconds of work."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Tasks in the order of their arrival."""

    name: str
    arrivals: tuple[Arrival, ...]


def steady(seed: int) -> Trace:
    """6 hours of Poisson arrivals, 12 a minute: they keep 8 workers busy."""
    dice = _dice(f"steady {seed}")
    return _trace("steady", dice, _poisson(dice, 6 * _HOUR_S, 12 / 60))


def wave(seed: int, days: int = 1) -> Trace:
    """Days of Poisson arrivals, a sine from 1 a minute at midnight to 24 at noon: 0.7 to 16 workers."""
    dice = _dice(f"wave {seed}")
    least, most = 1 / 60, 24 / 60

    def share(at_s: float) -> float:
        height = (1 - math.cos(2 * math.pi * at_s / (24 * _HOUR_S))) / 2
        return (least + (most - least) * height) / most

    times = (at_s for at_s in _poisson(dice, days * 24 * _HOUR_S, most) if dice.random() < share(at_s))
    return _trace("wave", dice, times)


def bursts(seed: int) -> Trace:
    """8 hours of Poisson arrivals, 3 a minute, and 20 to 100 more tasks within a minute now and then.

    The bursts begin 30 minutes apart on average (a Poisson process too), so nothing announces them.
    """
    dice = _dice(f"bursts {seed}")
    times = list(_poisson(dice, 8 * _HOUR_S, 3 / 60))
    for begin in list(_poisson(dice, 8 * _HOUR_S, 1 / 1800)):
        times += [begin + dice.uniform(0, 60) for _ in range(dice.randint(20, 100))]
    return _trace("bursts", dice, sorted(times))


def trend(seed: int) -> Trace:
    """8 hours of Poisson arrivals that rise in a straight line from 2 a minute to 26."""
    dice = _dice(f"trend {seed}")
    least, most, end_s = 2 / 60, 26 / 60, 8 * _HOUR_S
    times = (
        at_s
        for at_s in _poisson(dice, end_s, most)
        if dice.random() < (least + (most - least) * at_s / end_s) / most
    )
    return _trace("trend", dice, times)


def two_days(seed: int) -> Trace:
    """The wave for two days, so that the second has one to be compared with."""
    return wave(seed, days=2)


def _dice(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same numbers every time, no secret


def _poisson(dice: random.Random, until_s: float, rate: float) -> Iterator[float]:
    """Times of a Poisson process of `rate` a second. A share of them is one too (Lewis and Shedler 1979)."""
    at_s = 0.0
    while (at_s := at_s + dice.expovariate(rate)) < until_s:
        yield at_s


def _trace(name: str, dice: random.Random, times: Iterable[float]) -> Trace:
    return Trace(name, tuple(Arrival(at_s, dice.expovariate(1 / TASK_S)) for at_s in times))


TRACES: dict[str, Callable[[int], Trace]] = {"steady": steady, "wave": wave, "bursts": bursts}


FORECAST_TRACES: dict[str, Callable[[int], Trace]] = {**TRACES, "wave": two_days, "trend": trend}
"""Those that forecasts are judged on."""


def traces_of(
    seed: int, names: Iterable[str], among: Mapping[str, Callable[[int], Trace]] = TRACES
) -> list[Trace]:
    """The traces of these names, all where there are none. Raises BadInput for a name that is none."""
    wanted = [*names] or [*among]
    if unknown := [name for name in wanted if name not in among]:
        raise BadInput(f"no trace {unknown[0]!r}", f"use one of {', '.join(among)}")
    return [among[name](seed) for name in wanted]
