"""What happened when: the use of pools by hour, what ended by step of time, a batch by worker.

Pure; moments are seconds since 1970. Hours and days are those of UTC.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from statistics import median

from cortex_git.analysis.statistics import Fact, Gantt, GanttRow, Hour, ScalingPoint, Step
from cortex_git.analysis.utilization import Sample, Use, use

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
GANTT_ROWS = 1000
"""Tasks of a batch that are drawn."""
MOST_STEPS = 60
_LENGTHS = (1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400)
"""Seconds that a step of time may be long."""
_TASKS_PER_WORKER = 2
"""With fewer, how long the longest task took says more than how many workers there were."""


def hours(samples: Iterable[Sample], since: float, until: float) -> list[Hour]:
    """Each hour of the period in which a pool ran.

    The samples come in the order of time, and no more of them are kept than those of two hours.
    """
    found: list[Hour] = []
    pending: list[Sample] = []
    done = -math.inf
    for sample in samples:
        ready = _hour_of(sample.at - HOUR_S)  # what is still to come begins later than that
        if ready > done:
            found += _between(pending, done, ready, since, until)
            pending = [one for one in pending if one.at > ready]
            done = ready
        pending.append(sample)
    return found + _between(pending, done, math.inf, since, until)


def _between(samples: Sequence[Sample], first: float, end: float, since: float, until: float) -> list[Hour]:
    touched: set[float] = set()
    for sample in samples:
        start = max(_hour_of(max(sample.at - sample.interval_s, since)), first)
        while start < min(sample.at, until, end):
            touched.add(start)
            start += HOUR_S
    uses = ((start, use(samples, max(start, since), min(start + HOUR_S, until))) for start in sorted(touched))
    return [Hour(start, one) for start, one in uses if one.covered_s]


def _hour_of(at: float) -> float:
    return at // HOUR_S * HOUR_S


def together(hours: Sequence[Hour]) -> Use | None:
    """The hours as one period; None without any."""
    if not hours:
        return None
    return Use(
        light_s=sum(hour.use.light_s for hour in hours),
        medium_s=sum(hour.use.medium_s for hour in hours),
        heavy_s=sum(hour.use.heavy_s for hour in hours),
        busy_s=sum(hour.use.busy_s for hour in hours),
        live_s=sum(hour.use.live_s for hour in hours),
        peak_active=max(hour.use.peak_active for hour in hours),
    )


class Endings:
    """When tasks ended, to be cut into steps once the whole time is known."""

    def __init__(self) -> None:
        self._at = array("d")
        self._failed = array("b")
        self._tokens = array("d")

    def add(self, fact: Fact) -> None:
        """One more, unless nobody knows when, or it was called off."""
        if fact.completed_at is not None and fact.status != "cancelled":
            self._at.append(fact.completed_at)
            self._failed.append(fact.failed)
            self._tokens.append(fact.tokens_used)

    def steps(self) -> tuple[Step, ...]:
        """At most `MOST_STEPS` equal steps from the first ending to the last, none left out."""
        if not self._at:
            return ()
        span = max(self._at) - min(self._at)
        length = next((one for one in _LENGTHS if span / one < MOST_STEPS - 1), _LENGTHS[-1])
        first = min(self._at) // length
        count = int(max(self._at) // length - first) + 1
        completed, failed, tokens = [0] * count, [0] * count, [0] * count
        for at, bad, used in zip(self._at, self._failed, self._tokens, strict=True):
            number = int(at // length - first)
            (failed if bad else completed)[number] += 1
            tokens[number] += int(used)
        rows = zip(completed, failed, tokens, strict=True)
        return tuple(Step((first + number) * length, float(length), *row) for number, row in enumerate(rows))


class Run:
    """One batch: who ran its tasks from when to when."""

    def __init__(self) -> None:
        self.start = math.inf
        self.end = -math.inf
        self._hosts: set[str] = set()
        self._workers: set[tuple[str, str]] = set()
        self._seconds = array("d")

    def add(self, fact: Fact) -> None:
        """One more task, unless no worker ran it or nobody knows when."""
        if (times := times_of(fact)) is None:
            return
        self.start, self.end = min(self.start, times[0]), max(self.end, times[1])
        self._hosts.add(fact.host)
        self._workers.add((fact.host, fact.worker))
        self._seconds.append(fact.duration_s)

    @property
    def wall_s(self) -> float | None:
        """From the first start to the last end, by the hosts' clocks; None without any."""
        return self.end - self.start if self._seconds else None

    def point(self, batch: str) -> ScalingPoint | None:
        """Its pace and its overhead; None for several hosts, or too few tasks to tell."""
        tasks, workers, wall_s = len(self._seconds), len(self._workers), self.wall_s
        if len(self._hosts) != 1 or not wall_s or tasks < _TASKS_PER_WORKER * workers:
            return None
        busy = sum(self._seconds) / (workers * wall_s)
        return ScalingPoint(
            batch=batch,
            workers=workers,
            tasks=tasks,
            tasks_per_minute=60 * tasks / wall_s,
            overhead=1 - min(busy, 1.0),
            run_s_median=median(self._seconds),
        )


def times_of(fact: Fact) -> tuple[float, float] | None:
    """When its worker began and ended it; None where no worker did, or that cannot be known."""
    if not fact.ran:
        return None
    if fact.started_at is None:
        return None if fact.completed_at is None else (fact.completed_at - fact.duration_s, fact.completed_at)
    if fact.completed_at is None or fact.completed_at < fact.started_at:  # the clock was set back in between
        return fact.started_at, fact.started_at + fact.duration_s
    return fact.started_at, fact.completed_at


def gantt(batch: str, facts: Iterable[Fact]) -> Gantt | None:
    """The batch by worker, from the facts of its tasks; None where no worker's times are known."""
    timed = [(*times, fact) for fact in facts if (times := times_of(fact)) is not None]
    if not timed:
        return None
    timed.sort(key=lambda one: (one[0], one[1], one[2].task))
    first = timed[0][0]
    rows = [
        GanttRow(fact.host, fact.worker, fact.task, start - first, end - first, fact.status)
        for start, end, fact in timed[:GANTT_ROWS]
    ]
    rows.sort(key=lambda row: (row.host, row.worker, row.start_s, row.task))
    return Gantt(batch, first, tuple(rows), len(timed) - len(rows))
