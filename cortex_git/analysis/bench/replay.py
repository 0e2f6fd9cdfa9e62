"""Replaying a trace in virtual time on a pool that the real sizer sizes, once a second as a pool's loop does.

Owns the simulated workers. The decision is `workers.sizing`'s own: must never be a copy of it.
"""

import heapq
import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cortex_git.analysis.bench.traces import Arrival, Trace
from cortex_git.analysis.utilization import LIGHT_MOST, MEDIUM_MOST, Use
from cortex_git.workers.forecasting import WARM_START_S
from cortex_git.workers.sizing import Demand, Sizer

_TICK_S = 1.0
_RECENT = 50
"""Tasks over which the mean time of a task is taken."""
_MIDNIGHT = datetime(2026, 1, 1)
"""When every trace begins, by the clock that the sizer is shown."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one sizer did with one trace."""

    worker_hours: float
    """Hours of all workers, idle ones and those that start included, until the last task was done."""
    waits_s: tuple[float, ...]
    """Seconds from the arrival of each task to its start, sorted."""
    changes_s: tuple[float, ...]
    """When the target changed, in seconds since the trace began."""
    peak: int
    """The most workers at a time."""
    use: Use
    """How busy they were, until the last task was done."""

    def wait_s(self, share: float) -> float:
        """Seconds that `share` of the tasks waited at most."""
        return self.waits_s[max(0, math.ceil(share * len(self.waits_s)) - 1)]

    def most_changes_within(self, seconds: float) -> int:
        """The most changes of the target in any span of that length, its end left out."""
        ends = (bisect_left(self.changes_s, at + seconds) for at in self.changes_s)
        return max((end - begin for begin, end in enumerate(ends)), default=0)


@dataclass
class _Workers:
    """Simulated workers: some start, some are idle, some are on a task. Times are virtual seconds."""

    target: int = 0
    idle: int = 0
    starting: deque[float] = field(default_factory=deque)
    """When each is ready."""
    busy: list[tuple[float, float]] = field(default_factory=list)
    """When each ends its task, and the seconds that the task takes, as a heap."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    """Seconds of the tasks that ended last."""

    @property
    def live(self) -> int:
        return self.idle + len(self.starting) + len(self.busy)

    @property
    def next_s(self) -> float:
        """When the next of them is ready or ends its task."""
        ready = self.starting[0] if self.starting else math.inf
        return min(ready, self.busy[0][0]) if self.busy else ready

    @property
    def task_s(self) -> float | None:
        return sum(self.recent) / len(self.recent) if self.recent else None

    def resize(self, target: int, now_s: float) -> None:
        """Start what is missing, and let idle ones go; a busy one leaves after its task."""
        self.target = target
        self.starting.extend([now_s + WARM_START_S] * (target - self.live))
        self.idle -= min(self.idle, max(0, self.live - target))

    def go_on(self, now_s: float) -> None:
        """What happens until `now_s`."""
        while self.starting and self.starting[0] <= now_s:
            self.starting.popleft()
            self.idle += 1
        while self.busy and self.busy[0][0] <= now_s:
            self.recent.append(heapq.heappop(self.busy)[1])
            if self.live < self.target:
                self.idle += 1

    def begin(self, task: Arrival, now_s: float) -> None:
        self.idle -= 1
        heapq.heappush(self.busy, (now_s + task.takes_s, task.takes_s))


def replay(trace: Trace, sizer: Sizer) -> Replayed:
    """Replay a trace, first come first served, until its last task is done."""
    workers, to_come, waiting = _Workers(), deque(trace.arrivals), deque[Arrival]()
    waits: list[float] = []
    changes: list[float] = []
    now_s = tick_s = worker_s = 0.0
    peak = busiest = 0
    busy_s = 0.0
    bands = [0.0, 0.0, 0.0]
    while to_come or waiting or workers.busy:
        then_s = min(tick_s, workers.next_s, to_come[0].at_s if to_come else math.inf)
        passed_s, busy = then_s - now_s, len(workers.busy)
        worker_s += workers.live * passed_s
        busy_s += busy * passed_s
        bands[(busy > LIGHT_MOST) + (busy > MEDIUM_MOST)] += passed_s
        busiest = max(busiest, busy)
        now_s = then_s
        workers.go_on(now_s)
        while to_come and to_come[0].at_s <= now_s:
            waiting.append(to_come.popleft())
        if now_s >= tick_s:
            tick_s += _TICK_S
            demand = Demand(
                queue=len(waiting) + len(workers.busy),
                live=workers.live,
                busy=len(workers.busy),
                arrived=len(trace.arrivals) - len(to_come),
                task_s=workers.task_s,
            )
            decision = sizer.decide(demand, now_s=now_s, clock=_MIDNIGHT + timedelta(seconds=now_s))
            if decision.changed:
                changes.append(now_s)
            workers.resize(decision.target, now_s)
            peak = max(peak, workers.live)
        while waiting and workers.idle:
            task = waiting.popleft()
            waits.append(now_s - task.at_s)
            workers.begin(task, now_s)
    light_s, medium_s, heavy_s = bands
    use = Use(light_s, medium_s, heavy_s, busy_s, worker_s, busiest)
    return Replayed(worker_s / 3600, tuple(sorted(waits)), tuple(changes), peak, use)
