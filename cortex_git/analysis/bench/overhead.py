"""`bench overhead`: what coordination costs where tasks take their time, at growing numbers of workers.

Owns how the steady rate is found. Must never report one for results that are not on the remote exactly once.

N workers that start together end together, wave after wave, and one push acknowledges many results, sooner
or later by some tenths of a second. Results counted between two moments would therefore be up to a wave too
many or too few. So each worker's results but its first and its last (the ramp-up and the drain) are numbered,
and a least-squares line through the moments at which they ended gives that worker's seconds per result:
between two ends of one worker lies a whole task, so no rate comes out above what the tasks' own time allows.

Publishing counts all the same. Where, towards the end, there is a moment at which nothing waits, as many
results were acknowledged by then as had ended: it kept up, and both rates are one. Where there is none, a
line through the acknowledgements gives a second rate, and the lower one is taken.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, isfinite
from pathlib import Path
from statistics import linear_regression, median

from cortex_git.analysis.bench.queue import check_results
from cortex_git.analysis.bench.workspace import (
    Say,
    add_no_ops,
    new_host,
    new_remote,
    part_of,
    ready_pool,
    workspace,
)
from cortex_git.errors import EnvironmentProblem
from cortex_git.models import Result
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.publishing import Published
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.spawning import WarmSpawner

TASK_S = 1.2
TASKS_PER_WORKER = 12
"""Ten of each worker count: all but its first and its last."""
PUBLISHED: Mapping[int, float] = {5: 0.02, 10: 0.04, 20: 0.08, 30: 0.18, 40: 0.32}
"""Overhead of the published comparison by number of workers, tasks of 1.2 s."""
BOUNDS: Mapping[int, float] = {5: 0.02, 10: 0.02, 20: 0.03, 30: 0.04, 40: 0.05, 64: 0.08}
"""What ours may be at most, by number of workers, tasks of 1.2 s."""


Moment = tuple[float, float]
"""Seconds since the epoch: a task's end in its worker, and its acknowledged result."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Seconds per result of one worker, by the ends of its tasks and by the acknowledgements."""

    worked_s: float
    published_s: float


@dataclass(frozen=True, slots=True)
class OverheadRow:
    """One number of workers. `lag_s`: median seconds from a task's end to its acknowledged result."""

    task_s: float
    counted: int
    """Results of each worker that count."""
    cycles: tuple[Cycle, ...]
    """One for each worker."""
    lag_s: float
    kept_up: bool
    """Whether at some moment late in the run all that had ended was acknowledged."""
    pushes: int

    @property
    def worked_per_min(self) -> float:
        return _per_min([cycle.worked_s for cycle in self.cycles])

    @property
    def published_per_min(self) -> float:
        """Without bound where one push carried all that a worker did: then it says nothing."""
        return _per_min([cycle.published_s for cycle in self.cycles])

    @property
    def per_min(self) -> float:
        worked = self.worked_per_min
        return worked if self.kept_up else min(worked, self.published_per_min)

    @property
    def overhead(self) -> float:
        """1 − (tasks a minute ÷ (workers × 60 / task seconds)), a fraction."""
        return 1 - self.per_min / (len(self.cycles) * 60 / self.task_s)

    def to_json(self) -> dict[str, object]:
        workers, published = len(self.cycles), self.published_per_min
        return {
            "workers": workers,
            "tasks_per_min": round(self.per_min, 1),
            "overhead": round(self.overhead, 4),
            "published_comparison": PUBLISHED.get(workers),
            "bound": BOUNDS.get(workers),
            "counted_tasks": self.counted * workers,
            "worked_per_min": round(self.worked_per_min, 1),
            "published_per_min": round(published, 1) if isfinite(published) else None,
            "kept_up": self.kept_up,
            "publish_lag_ms_p50": round(1000 * self.lag_s, 1),
            "pushes": self.pushes,
        }


class _Stamped(Coordination):
    """Notes when each result was acknowledged: when the push that carried it had its answer."""

    def __init__(self, coordination: Coordination) -> None:
        super().__init__(coordination.repository)
        self.acknowledged: dict[str, float] = {}
        """Seconds since the epoch, by nonce."""

    def flush(self) -> Published:
        report = super().flush()
        at = time.time()
        self.acknowledged |= {nonce: at for nonce in report.done if nonce not in self.acknowledged}
        return report


class _Results:
    """A watcher that keeps each result, and passes on what is wrong."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.results: list[Result] = []

    def started(self, task: str, worker: str, repo: str | None) -> None:
        """A start is not counted."""

    def finished(self, result: Result) -> None:
        self.results.append(result)

    def event(self, event: object) -> None:
        """Nothing is shown of the pool."""

    def note(self, text: str) -> None:
        self._say(text)


def bench_overhead(
    workers: Sequence[int], say: Say, task_s: float = TASK_S, tasks_per_worker: int = TASKS_PER_WORKER
) -> list[OverheadRow]:
    """One row for each number of workers.

    `tasks_per_worker`: at least 4; the first and the last of each worker are not counted. Raises
    EnvironmentProblem when results on the remote are not exactly the tasks, or a worker had too few.
    """
    rows: list[OverheadRow] = []
    with workspace() as folder:
        for count in workers:
            say(f"{count} workers: about {task_s * (tasks_per_worker + 1):.0f} s")
            with part_of(folder) as place:
                rows.append(_run(place, count, task_s, tasks_per_worker, say))
            say(f"{count} workers: overhead {rows[-1].overhead:.1%}")
    return rows


def _run(folder: Path, workers: int, task_s: float, tasks_per_worker: int, say: Say) -> OverheadRow:
    """A batch of real `sleep` tasks on one host with so many warm workers, and a bare remote."""
    remote = new_remote(folder / "remote.git")
    coordination = _Stamped(new_host(folder / "host", remote))
    # One more for each, so that those who are a little slower still have theirs.
    tasks = workers * (tasks_per_worker + 1)
    batch = add_no_ops(coordination, tasks, "sleep", {"seconds": task_s})
    watcher = _Results(say)
    with ready_pool(WarmSpawner(["sleep"]), workers) as pool:
        report = BatchRun(coordination, pool, Scope(batch=batch), watcher=watcher).run()
    if report.problem is not None:
        raise report.problem
    check_results(coordination, remote, batch, tasks)
    moments = moments_of(watcher.results, coordination.acknowledged)
    cycles = cycles_of(moments, tasks_per_worker, workers)
    lag_s = median(published - ended for times in moments.values() for ended, published in times)
    kept_up = has_kept_up(moments)
    return OverheadRow(task_s, tasks_per_worker - 2, tuple(cycles), lag_s, kept_up, report.pushes)


def moments_of(results: Sequence[Result], published: Mapping[str, float]) -> dict[str, list[Moment]]:
    """By worker, in order: when each of its tasks ended, by its own clock, and when that was acknowledged.

    `published`: seconds by nonce. Raises EnvironmentProblem where one failed, or was not acknowledged.
    """
    found: dict[str, list[Moment]] = {}
    for result in results:
        if result.status != "completed" or result.nonce not in published:
            why = result.error or "its push had to be repeated"
            raise EnvironmentProblem(f"{result.task}: {why}", "that is no fair measurement: run it again")
        ended = datetime.fromisoformat(result.completed_at).timestamp()
        found.setdefault(result.worker, []).append((ended, published[result.nonce]))
    return {worker: sorted(times) for worker, times in found.items()}


def cycles_of(moments: Mapping[str, list[Moment]], tasks_per_worker: int, workers: int) -> list[Cycle]:
    """Each worker's seconds per result, over its 2nd to its last but one of `tasks_per_worker`.

    Raises EnvironmentProblem where a worker has fewer than that takes.
    """
    last = tasks_per_worker - 1
    fewest = min(map(len, moments.values()), default=0)
    if len(moments) != workers or fewest < last:
        raise EnvironmentProblem(
            f"{len(moments)} of {workers} workers had tasks, one of them {fewest} instead of {last}",
            "the machine is too busy to measure this: run it again",
        )
    return [
        Cycle(_slope([ended for ended, _ in times[1:last]]), _slope([at for _, at in times[1:last]]))
        for times in moments.values()
    ]


def has_kept_up(moments: Mapping[str, list[Moment]]) -> bool:
    """Whether nothing waited at some moment in the last third of the time before the first worker ran out.

    The time begins when each worker has ended its first task.
    """
    begin = max(times[0][0] for times in moments.values())
    end = min(times[-1][0] for times in moments.values())
    late = begin + (end - begin) * 2 / 3
    every = [moment for times in moments.values() for moment in times]
    changes = [(ended, 1) for ended, _ in every] + [(published, -1) for _, published in every]
    waiting = 0
    for at, change in sorted(changes, key=lambda change: (change[0], -change[1])):
        waiting += change
        if waiting == 0 and late <= at < end:
            return True
    return False


def _slope(moments: Sequence[float]) -> float:
    """Seconds from one to the next by ordinary least squares; 0 where all came at the same moment."""
    return linear_regression(range(len(moments)), moments).slope


def _per_min(seconds: Sequence[float]) -> float:
    return 60 * sum(1 / cycle if cycle > 0 else inf for cycle in seconds)
