"""`bench simulation`: what operations cost here, and whether a simulation made of that does as real batches.

Owns both, and that they are apart: costs come from batches of their own at numbers of workers that are not
checked, and the checked batches give nothing to the simulation. Must never compare a batch whose results are
not on the remote exactly once.

No-op batches keep the host at its limit: what goes by for each task there is what the whole host needs for
it. That work slows git down, so the cost of an operation on the remote is taken from batches that leave room.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean, linear_regression, median
from typing import Any

from cortex_git.analysis.bench.queue import Quiet, check_results
from cortex_git.analysis.bench.timed import Clock, Timed, Watched
from cortex_git.analysis.bench.workspace import (
    Say,
    add_no_ops,
    new_host,
    new_remote,
    part_of,
    until_ready,
    workspace,
)
from cortex_git.analysis.simulation import Simulated, simulate
from cortex_git.analysis.simulation_setup import Cost, Costs, Setup
from cortex_git.errors import EnvironmentProblem
from cortex_git.models import Result
from cortex_git.store.index import Scope
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.pool import running
from cortex_git.workers.spawning import WarmSpawner

CALIBRATED_AT = (2, 15, 50)
"""Numbers of workers at which no-op batches are run: none of those that are checked."""
CALIBRATION_TASKS = 400
LIGHT = ((2, 24, 0.2), (15, 90, 0.5), (30, 120, 1.0))
"""Workers, tasks, and seconds of each, of the batches that leave the host room; not checked either."""
CHECKED_AT = (1, 5, 10, 20, 40, 64)
TASK_S = 0.5
TASKS_PER_WORKER = 20
BOUND = 0.15
"""How far the simulated throughput may be from the real one, as a fraction of it."""
BOUND_AT = (5, 10, 20, 40)
"""Numbers of workers that the bound is for."""
_LEAST_LOOK_S = 0.005
"""A look that took less started no git: the view was young enough."""


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A real batch and the simulated one, both from the batch's start to the last acknowledged result."""

    workers: int
    tasks: int
    real_s: float
    simulated: Simulated

    @property
    def real_per_min(self) -> float:
        return 60 * self.tasks / self.real_s

    @property
    def difference(self) -> float:
        """Simulated over real throughput, less 1."""
        return self.simulated.tasks_per_min / self.real_per_min - 1

    @property
    def bound(self) -> float | None:
        return BOUND if self.workers in BOUND_AT else None

    def to_json(self) -> dict[str, Any]:
        return {
            "workers": self.workers,
            "tasks": self.tasks,
            "real_tasks_per_min": round(self.real_per_min, 1),
            "simulated_tasks_per_min": round(self.simulated.tasks_per_min, 1),
            "difference": round(self.difference, 4),
            "bound": self.bound,
            "within": abs(self.difference) <= BOUND if self.bound is not None else None,
            "real_s": round(self.real_s, 3),
            "simulated_s": round(self.simulated.makespan_s, 3),
        }


@dataclass(frozen=True, slots=True)
class SimulationCheck:
    """What was measured, and how near the simulation made of it comes."""

    costs: Costs
    calibrated_at: tuple[int, ...]
    task_s: float
    rows: tuple[CheckedRow, ...]

    @property
    def within(self) -> bool | None:
        """Whether every row that has a bound is within it; None where none has."""
        bounded = [abs(row.difference) <= BOUND for row in self.rows if row.bound is not None]
        return all(bounded) if bounded else None

    def to_json(self) -> dict[str, Any]:
        return {
            "costs": self.costs.to_json(),
            "calibrated_at": list(self.calibrated_at),
            "task_s": self.task_s,
            "rows": [row.to_json() for row in self.rows],
            "within": self.within,
        }


class _Ends(Quiet):
    """When each task ended, by its worker's clock, in seconds since the epoch."""

    def __init__(self, say: Say) -> None:
        super().__init__(say)
        self.ends: list[float] = []

    def finished(self, result: Result) -> None:
        if result.status != "completed":
            raise EnvironmentProblem(
                f"{result.task}: {result.error}", "that is no fair measurement: run it again"
            )
        self.ends.append(datetime.fromisoformat(result.completed_at).timestamp())


@dataclass(frozen=True, slots=True)
class _Ran:
    """One batch: seconds to its last acknowledged result, and what was noted on the way."""

    workers: int
    tasks: int
    seconds: float
    start_s: float
    ends: tuple[float, ...]
    clock: Clock
    fold_s: float
    """Of folding its results, after it."""


def bench_simulation(
    workers: Sequence[int] = CHECKED_AT,
    say: Say = lambda _: None,
    *,
    task_s: float = TASK_S,
    tasks_per_worker: int = TASKS_PER_WORKER,
    costs: Costs | None = None,
    calibration_tasks: int = CALIBRATION_TASKS,
    calibrated_at: Sequence[int] = CALIBRATED_AT,
    light: Sequence[tuple[int, int, float]] = LIGHT,
) -> SimulationCheck:
    """Measure costs (unless given), then run each number of workers for real and simulated.

    Raises EnvironmentProblem where a batch was not as it has to be.
    """
    costs = costs or calibrate(say, calibrated_at, calibration_tasks, light)
    rows = []
    with workspace() as folder:
        for count in workers:
            tasks = count * tasks_per_worker
            say(f"{count} workers: {tasks} tasks of {task_s:g} s, about {task_s * tasks_per_worker:.0f} s")
            with part_of(folder) as place:
                ran = _run(place, count, tasks, "sleep", task_s, say)
            simulated = simulate(Setup(count), [task_s] * tasks, costs)
            rows.append(CheckedRow(count, tasks, ran.seconds, simulated))
            say(f"{count} workers: simulated {rows[-1].difference:+.1%}")
    return SimulationCheck(costs, tuple(calibrated_at), task_s, tuple(rows))


def calibrate(
    say: Say,
    workers: Sequence[int] = CALIBRATED_AT,
    tasks: int = CALIBRATION_TASKS,
    light: Sequence[tuple[int, int, float]] = LIGHT,
) -> Costs:
    """What operations cost on this machine before a local bare remote, from batches run for that alone."""
    full: list[_Ran] = []
    easy: list[_Ran] = []
    with workspace() as folder:
        for count in workers:
            say(f"calibration: {tasks} no-op tasks on {count} workers")
            with part_of(folder) as place:
                full.append(_run(place, count, tasks, "echo", 0.0, say))
        for count, number, task_s in light:
            say(f"calibration: {number} tasks of {task_s:g} s on {count} workers")
            with part_of(folder) as place:
                easy.append(_run(place, count, number, "sleep", task_s, say))
    return costs_of(full, easy)


def _run(folder: Path, workers: int, tasks: int, runner: str, task_s: float, say: Say) -> _Ran:
    """A real batch on one host with so many warm workers, and a bare remote."""
    remote = new_remote(folder / "remote.git")
    coordination = Timed(new_host(folder / "host", remote))
    batch = add_no_ops(coordination, tasks, runner, {"seconds": task_s})
    coordination.clock = clock = Clock()
    watcher = _Ends(say)
    pool = Watched(WarmSpawner([runner]), workers, lambda number: f"worker-bench-{number:03d}")
    pool.clock = clock
    with running(pool):
        until_ready(pool)
        run = BatchRun(coordination, pool, Scope(batch=batch), watcher=watcher)
        started = time.monotonic()
        report = run.run()
    if report.problem is not None:
        raise report.problem
    begun_fold = time.monotonic()
    coordination.fold()
    fold_s = time.monotonic() - begun_fold
    check_results(coordination, remote, batch, tasks)
    return _Ran(
        workers=workers,
        tasks=tasks,
        seconds=clock.acknowledged_at - started,
        start_s=max(clock.first_look_at - started, 0.0),
        ends=tuple(sorted(watcher.ends)),
        clock=clock,
        fold_s=fold_s,
    )


def costs_of(full: Sequence[_Ran], light: Sequence[_Ran]) -> Costs:
    """The costs that explain those batches; the first claim of a full one is made before it is busy."""
    first = [found for one in full for found in one.clock.taken.get("claim", [])[:1]]
    looks = [one for one in _counted(light, "look", least=0) if one[1] >= _LEAST_LOOK_S]
    return Costs(
        start_s=round(median(one.start_s for one in light), 6),
        turn=line([(one.workers, _turn_s(one)) for one in full]),
        record=line(_counted(full, "record")),
        look=Cost(round(median(seconds for _, seconds in looks), 6) if looks else 0.0),
        claim=line([*_counted(light, "claim"), *(one for one in first if one[0])]),
        push=line(_counted(light, "push")),
        fold=line([(one.tasks, one.fold_s) for one in (*full, *light)]),
        remote_at_once=os.cpu_count() or 1,
    )


def _counted(ran: Sequence[_Ran], name: str, least: int = 1) -> list[tuple[int, float]]:
    """What was about so many things at least: a push with nothing to publish says nothing."""
    return [taken for one in ran for taken in one.clock.taken.get(name, []) if taken[0] >= least]


def _turn_s(ran: _Ran) -> float:
    """Seconds that went by for each task, first end to last, without what is counted elsewhere."""
    return turn_s(ran.ends, ran.clock.starved, sum(s for _, s in ran.clock.taken.get("record", [])))


def turn_s(ends: Sequence[float], starved: Sequence[tuple[float, float]], recorded_s: float) -> float:
    """Seconds for each task between the first end and the last, by the epoch's seconds.

    What went by while no worker had a task is not in it, nor what entering all the results took.
    """
    if len(ends) < 2:
        return 0.0
    first, last = ends[0], ends[-1]
    waited = sum(max(min(until, last) - max(since, first), 0.0) for since, until in starved)
    between = len(ends) - 1
    return max(last - first - waited - recorded_s * between / len(ends), 0.0) / between


def line(points: Sequence[tuple[int, float]]) -> Cost:
    """The least-squares line of seconds by number, neither part of it below 0; the mean where that is all."""
    if not points:
        return Cost(0.0)
    counts, seconds = zip(*points, strict=True)
    if len(set(counts)) > 1:
        slope, intercept = linear_regression(counts, seconds)
        if slope > 0 and intercept >= 0:
            return Cost(round(intercept, 6), round(slope, 6))
        if slope > 0:
            return Cost(0.0, round(linear_regression(counts, seconds, proportional=True).slope, 6))
    return Cost(round(fmean(seconds), 6))
