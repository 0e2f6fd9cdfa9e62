"""The `predictive` policy: how many workers a forecast of arrivals deserves.

Owns the rule and its margins. Must never look at the machine or a clock; it sees what `sizing` sees.
"""

import math
from dataclasses import dataclass

from cortex_git.workers.activation import target
from cortex_git.workers.forecasting import PACE_S, Forecaster

MARGIN = 1.0
"""Workers planned above the expected load, in standard deviations of it."""
UNFORESEEN = 2.5
"""A queue so many standard deviations above the expected load is not what was foreseen."""
SURGE = 3.0
"""So are arrivals in `PACE_S` seconds that many above what was expected, and two more."""
PACE_COUNTS = 1.5
"""From so many standard deviations on, the pace is taken to last until the target can change again."""
BAND, BAND_WORKERS = 0.2, 2
"""A plan within this share of the last one, or so many workers, is not worth a cool-down."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the policy goes by. Times are seconds."""

    queue: int
    arrived: int
    task_s: float | None
    now_s: float
    capacity: int
    least: int
    """The minimum in force: what is there in any case."""


class Prediction:
    """Plans for the load to come, and leaves the plan where what comes is far from it.

    The load is arrivals per second times seconds of a task: the tasks that run at a time if none waits
    (Little 1961). The tasks in such a system are Poisson distributed, so the square root of the load is
    their standard deviation, and staffing goes by it (Green, Kolesar and Whitt 2007).
    """

    def __init__(self, forecaster: Forecaster, cooldown_s: float) -> None:
        self._forecaster = forecaster
        self._lasts_s = cooldown_s + PACE_S
        self._plan: int | None = None

    def answer(self, seen: Seen) -> tuple[int, list[str]]:
        """Workers, and why; `activation`'s answer while there is nothing to forecast from."""
        self._forecaster.observe(seen.arrived, seen.now_s)
        rate = self._forecaster.rate()
        if rate is None or seen.task_s is None:
            return self._without(seen)
        load = rate * seen.task_s
        plan = max(self._planned(load), seen.least)
        stale = [state] if (state := self._forecaster.state()) else []
        why = (
            f"{rate:.3f} tasks a second are forecast; at {seen.task_s:.1f} s each they keep {load:.1f}"
            f" workers busy, and {plan} are planned for their ups and downs"
        )
        most = max(plan, math.floor(load + UNFORESEEN * math.sqrt(load)))
        expected, recent = rate * PACE_S, self._forecaster.recent()
        unforeseen = []
        if seen.queue > most:
            unforeseen.append(f"a queue of {seen.queue} is more than the {most} that were foreseen at most")
        if recent > expected + SURGE * math.sqrt(expected) + 2:
            unforeseen.append(f"{recent} tasks came in {PACE_S:.0f} s where {expected:.1f} were forecast")
        if not unforeseen:
            return plan, [why, *stale]
        more = 0
        if recent > expected + PACE_COUNTS * math.sqrt(expected):
            more = math.ceil((recent - expected) / PACE_S * self._lasts_s)
        workers = max(plan, seen.queue + more)
        text = f"{' and '.join(unforeseen)}: {workers} workers for the queue and {more} more at that pace"
        return workers, [why, *stale, text]

    def _without(self, seen: Seen) -> tuple[int, list[str]]:
        answer = target(seen.queue, capacity=seen.capacity)
        why = self._forecaster.state() or "no task has ended yet, so what one takes is not known"
        return answer.workers, [f"no forecast ({why}), so as activation: {answer.reasons[0]}"]

    def _planned(self, load: float) -> int:
        plan = math.ceil(load + MARGIN * math.sqrt(load))
        if self._plan is None or abs(plan - self._plan) > max(BAND_WORKERS, BAND * self._plan):
            self._plan = plan
        return self._plan
