"""The Universal Scalability Law: what throughput becomes as workers are added, fitted to what was measured.

Pure functions. Owns scipy, from the extra `plan`. Must never draw a curve through too few points.

Gunther (Guerrilla Capacity Planning, 2007): X(N) = λN / (1 + σ(N−1) + κN(N−1)). Turned over, the seconds
of a worker's time that go by for each task are N/X = a + b(N−1) + cN(N−1), with a = 1/λ, b = σ/λ, c = κ/λ:
linear in all three, so that the least squares have one answer, and no first guess to depend on.
"""

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, floor, isfinite, sqrt

from cortex_git.errors import BadInput, EnvironmentProblem

LEAST_COUNTS = 4
"""Different numbers of workers: three parameters pass exactly through three, whatever the truth is."""
BEYOND = 2
"""The curve is followed up to so many times the most workers that were measured."""
LEVEL = 0.95
_LEAST_TASKS = 5
_LEAST_S = 20.0


@dataclass(frozen=True, slots=True)
class Point:
    """Throughput as measured at one number of workers."""

    workers: int
    tasks_per_min: float


@dataclass(frozen=True, slots=True)
class Interval:
    """What one sample of a pool says of the seconds before it."""

    seconds: float
    live: float
    """Workers, on average."""
    queue: int
    """Tasks that waited or ran at its end."""
    ended: int
    """Tasks that ended in it."""


@dataclass(frozen=True, slots=True)
class SweetSpot:
    """Where adding workers stops paying."""

    workers: int
    extrapolated: bool
    """Whether it lies beyond the most workers that were measured."""
    capped: bool
    """Whether it may be more still: the curve is followed no further."""


@dataclass(frozen=True, slots=True)
class Usl:
    """A fitted curve. Its three times are seconds of a worker's time for each task."""

    alone_s: float
    """a: what a task takes where one worker is alone. λ = 60 / `alone_s` tasks a minute."""
    queueing_s: float
    """b: what each further worker adds by waiting in line. σ = `queueing_s` / `alone_s`."""
    talking_s: float
    """c: what each pair of workers adds by having to agree. κ = `talking_s` / `alone_s`."""
    covariance: tuple[tuple[float, ...], ...]
    """Of the three, in seconds squared, from the residuals."""
    quantile: float
    """Of Student's t for a band of `LEVEL`; its degrees of freedom are the points beyond three."""
    r2: float | None
    """1 − residual ÷ total sum of squares, of the throughput; None where all points are equally high."""
    measured_most: int
    points: tuple[Point, ...]
    task_s: float | None = None
    """Seconds of one task as measured; None where they were not all alike."""

    @property
    def rate_of_one(self) -> float:
        """λ, tasks a minute."""
        return 60 / self.alone_s

    @property
    def sigma(self) -> float:
        return self.queueing_s / self.alone_s

    @property
    def kappa(self) -> float:
        return self.talking_s / self.alone_s

    @property
    def most(self) -> int:
        """Up to how many workers the curve is followed."""
        return BEYOND * self.measured_most

    def seconds(self, workers: int) -> float:
        """Seconds of a worker's time for each task."""
        return self.alone_s + self.queueing_s * (workers - 1) + self.talking_s * workers * (workers - 1)

    def per_min(self, workers: int) -> float:
        """Tasks a minute on so many workers."""
        return 60 * workers / self.seconds(workers)

    def band(self, workers: int) -> tuple[float, float]:
        """Between which tasks a minute the curve lies at `LEVEL` confidence.

        From the covariance of the parameters, by Student's t, on a logarithmic scale: so never below 0. It is
        about the curve, not about one further measurement, and it holds for noise alone, not for a law that
        does not apply.
        """
        row = _row(workers)
        variance = sum(row[i] * self.covariance[i][j] * row[j] for i in range(3) for j in range(3))
        width = min(self.quantile * sqrt(max(variance, 0.0)) / self.seconds(workers), 20.0)
        found = self.per_min(workers)
        return found * exp(-width), found * exp(width)

    def peak(self) -> int | None:
        """The workers with the highest throughput; None where it is not reached within `most`."""
        if self.queueing_s >= self.alone_s:
            return 1
        if self.talking_s <= 0:
            return None
        top = sqrt((self.alone_s - self.queueing_s) / self.talking_s)
        if top > self.most:
            return None
        return max((max(floor(top), 1), max(ceil(top), 1)), key=self.per_min)

    def sweet_spot(self) -> SweetSpot:
        """The largest number of workers whose last one still adds half of what the first one does alone."""
        half = self.per_min(1) / 2
        found = 1
        while found < self.most and self.per_min(found + 1) - self.per_min(found) >= half:
            found += 1
        return SweetSpot(found, found > self.measured_most, found == self.most)

    def for_task(self, task_s: float) -> "Usl":
        """The curve where tasks take another time: what they cost each other is a time of its own.

        Only the work itself becomes longer or shorter; itself where `task_s` as measured is not known.
        """
        if self.task_s is None:
            return self
        alone_s = self.alone_s - self.task_s + task_s
        return replace(self, alone_s=alone_s, task_s=task_s) if alone_s > 0 else self


def fit(points: Iterable[Point], task_s: float | None = None) -> Usl:
    """The curve with the least squares of the relative errors; nothing that it is made of is below 0.

    `task_s`: what each of the tasks took by itself, if they were alike; no worker is faster than that. Raises
    BadInput for too few points or such as are no rates, EnvironmentProblem without scipy.
    """
    found = tuple(sorted(points, key=lambda one: (one.workers, one.tasks_per_min)))
    _check(found)
    if importlib.util.find_spec("scipy") is None:
        raise EnvironmentProblem("a scaling curve needs scipy", "pip install 'cortex-git[plan]'")
    import numpy as np
    from scipy.optimize import lsq_linear
    from scipy.stats import t

    seconds = np.array([60 * one.workers / one.tasks_per_min for one in found])
    rows = np.array([_row(one.workers) for one in found]) / seconds[:, None]
    least = [max(task_s or 0.0, float(seconds.min()) * 1e-6), 0.0, 0.0]
    solved = lsq_linear(rows, np.ones(len(found)), bounds=(least, np.inf), method="bvls")
    a, b, c = (max(float(value), 0.0) for value in solved.x)
    freedom = len(found) - 3
    spread = float(np.sum((rows @ solved.x - 1) ** 2)) / freedom
    covariance = spread * np.linalg.pinv(rows.T @ rows)
    made = Usl(
        alone_s=a,
        queueing_s=b,
        talking_s=c,
        covariance=tuple(tuple(float(value) for value in row) for row in covariance),
        quantile=float(t.ppf((1 + LEVEL) / 2, freedom)),
        r2=None,
        measured_most=max(one.workers for one in found),
        points=found,
        task_s=task_s,
    )
    return replace(made, r2=_r2(made, found))


def _row(workers: int) -> tuple[float, float, float]:
    return 1.0, float(workers - 1), float(workers * (workers - 1))


def _check(points: Sequence[Point]) -> None:
    bad = [
        one
        for one in points
        if one.workers < 1 or not (one.tasks_per_min > 0 and isfinite(one.tasks_per_min))
    ]
    if bad:
        raise BadInput(
            f"{bad[0].tasks_per_min} tasks a minute on {bad[0].workers} workers is no throughput",
            "leave that row out",
        )
    counts = {one.workers for one in points}
    if len(counts) < LEAST_COUNTS:
        raise BadInput(
            f"throughput is known at {len(counts)} numbers of workers, and a curve of three parameters needs"
            f" {LEAST_COUNTS}: it passes through any three whatever the truth is",
            "measure at more, such as `cortex-git bench overhead --workers 1,5,10,20`",
        )


def _r2(made: Usl, points: Sequence[Point]) -> float | None:
    mean = sum(one.tasks_per_min for one in points) / len(points)
    total = sum((one.tasks_per_min - mean) ** 2 for one in points)
    rest = sum((one.tasks_per_min - made.per_min(one.workers)) ** 2 for one in points)
    return 1 - rest / total if total > 0 else None


def measured(intervals: Iterable[Interval]) -> list[Point]:
    """Throughput by number of workers, of the time in which there was work for twice as many.

    Intervals in which workers came or went say nothing; nor do fewer than 5 tasks a worker, or 20 seconds.
    """
    sums: dict[int, tuple[float, int]] = {}
    for one in intervals:
        workers = round(one.live)
        if workers < 1 or abs(one.live - workers) > 0.05 or one.queue < 2 * workers or one.seconds <= 0:
            continue
        seconds, ended = sums.get(workers, (0.0, 0))
        sums[workers] = seconds + one.seconds, ended + one.ended
    return [
        Point(workers, 60 * ended / seconds)
        for workers, (seconds, ended) in sorted(sums.items())
        if ended >= _LEAST_TASKS * workers and seconds >= _LEAST_S
    ]
