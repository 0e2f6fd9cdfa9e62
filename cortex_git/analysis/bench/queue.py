"""`bench queue`: no-op tasks through one host's workers, against a plain shell loop in as many clones.

Owns what is timed: ours from the start of the batch, its pool warm and its tasks published, to the last
acknowledged result. Must never report a rate for results that are not on the remote exactly once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cortex_git.analysis.bench.loop import Looped, run_loop
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
from cortex_git.gitio import Git
from cortex_git.models import Result
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.attempts import BatchReport
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.events import Event
from cortex_git.workers.pool import Pool
from cortex_git.workers.spawning import WarmSpawner

DEFAULT_TASKS = 500
"""Tasks of one run of ours: over ten for each of 40 workers, a few seconds of work."""
DEFAULT_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Ours:
    """What one host did: tasks published, seconds from the batch's start, pushes."""

    tasks: int
    seconds: float
    pushes: int


@dataclass(frozen=True, slots=True)
class QueueRow:
    """Both sides at one number of workers; `ours` are its three runs."""

    workers: int
    ours: tuple[Ours, ...]
    loop: Looped

    @property
    def ours_per_min(self) -> float:
        return 60 * median(run.tasks / run.seconds for run in self.ours)

    @property
    def loop_per_min(self) -> float:
        return 60 * self.loop.tasks / self.loop.seconds

    def to_json(self, best_loop: float) -> dict[str, object]:
        """The published row; `best_loop` is the loop's best rate at any number of workers."""
        return {
            "workers": self.workers,
            "ours_tasks_per_min": round(self.ours_per_min, 1),
            "loop_tasks_per_min": round(self.loop_per_min, 1),
            "ratio": round(self.ours_per_min / self.loop_per_min, 2),
            "ratio_to_best_loop": round(self.ours_per_min / best_loop, 2),
            "ours_tasks": sum(run.tasks for run in self.ours),
            "ours_pushes": sum(run.pushes for run in self.ours),
            "ours_runs_s": [round(run.seconds, 3) for run in self.ours],
            "loop_tasks": self.loop.tasks,
            "loop_pushes": self.loop.pushes,
            "loop_s": round(self.loop.seconds, 3),
        }


class Quiet:
    """A watcher that only passes on what is wrong."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def started(self, task: str, worker: str, repo: str | None) -> None:
        """Nothing is shown of one task."""

    def finished(self, result: Result) -> None:
        """Nothing is shown of one result."""

    def event(self, event: Event) -> None:
        """Nothing is shown of the pool."""

    def note(self, text: str) -> None:
        self._say(text)


def bench_queue(
    workers: Sequence[int], tasks: int | None, say: Say, window_s: float = DEFAULT_WINDOW_S
) -> list[QueueRow]:
    """One row for each number of workers: ours, the loop, ours again; then ours once more, in reverse order.

    So a busy moment of the machine hits both sides, and a slow drift all numbers of workers alike.
    `tasks`: of each run on either side (default: 500 of ours, and as many of the loop's as it begins
    within `window_s`). Raises EnvironmentProblem when results on the remote are not exactly the tasks.
    """
    ours: dict[int, list[Ours]] = {count: [] for count in workers}
    loops: dict[int, Looped] = {}
    with workspace() as folder:

        def run(count: int) -> None:
            with part_of(folder) as place:
                ours[count].append(run_ours(place, count, tasks or DEFAULT_TASKS, say))

        for count in ours:
            say(f"{count} workers: ours, the loop, ours again")
            run(count)
            with part_of(folder) as place:
                loops[count] = run_loop(place, count, tasks, window_s)
            run(count)
        for count in reversed(ours):
            say(f"{count} workers: ours once more")
            run(count)
    return [QueueRow(count, tuple(runs), loops[count]) for count, runs in ours.items()]


def run_ours(folder: Path, workers: int, tasks: int, say: Say) -> Ours:
    """A batch of no-ops on one host with so many warm workers, and a bare remote below `folder`."""
    report, took = run_batch(folder, workers, tasks, 0.0, say)
    return Ours(tasks, took, report.pushes)


def run_batch(folder: Path, workers: int, tasks: int, task_s: float, say: Say) -> tuple[BatchReport, float]:
    """A new host runs a batch of tasks that sleep for `task_s` seconds, or do nothing where that is 0.

    The report, and its seconds. Raises EnvironmentProblem where the results on the remote are not those of
    the tasks, each once.
    """
    remote = new_remote(folder / "remote.git")
    coordination = new_host(folder / "host", remote)
    runner = "sleep" if task_s else "echo"
    batch = add_no_ops(coordination, tasks, runner, {"seconds": task_s} if task_s else None)
    with ready_pool(WarmSpawner([runner]), workers) as pool:
        report, took = timed_run(coordination, pool, batch, say)
    check_results(coordination, remote, batch, tasks)
    return report, took


def timed_run(coordination: Coordination, pool: Pool, batch: str, say: Say) -> tuple[BatchReport, float]:
    """Run a batch to its end; the report, and its seconds. Raises whatever kept it from that."""
    run = BatchRun(coordination, pool, Scope(batch=batch), watcher=Quiet(say))
    started = time.monotonic()
    report = run.run()
    took = time.monotonic() - started
    if report.problem is not None:
        raise report.problem
    return report, took


def check_results(coordination: Coordination, remote: Path, batch: str, tasks: int) -> None:
    """Fold, and see that the remote's branch has one result a task, each in a commit of its own."""
    coordination.fold()
    git = Git(remote)
    there = git.text("ls-tree", "-r", "--name-only", "main", f"coordination/results/{batch}/").splitlines()
    commits = int(git.text("rev-list", "--count", "--grep=^feat(", "main"))
    if len(there) != tasks or commits != tasks:
        raise EnvironmentProblem(
            f"{tasks} tasks gave {len(there)} results in {commits} commits on the remote",
            "please report this: every task must have exactly one",
        )


def rows_to_json(rows: Sequence[QueueRow]) -> list[dict[str, object]]:
    """The published rows, each also against the best that the loop did at any number of workers."""
    best = max((row.loop_per_min for row in rows), default=1.0)
    return [row.to_json(best) for row in rows]
