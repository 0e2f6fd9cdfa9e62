"""A batch of tasks of a known length, one after another and in parallel: speed-up and efficiency.

Owns that both were measured, in one run, by the same code. The tasks sleep: what they stand for is imitated,
and whoever shows the figures says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cortex_git.analysis.bench.queue import run_batch
from cortex_git.analysis.bench.workspace import Say, part_of


@dataclass(frozen=True, slots=True)
class SleepBatch:
    """One run: `wall_s` from the start, workers warm, to the last acknowledged result."""

    tasks: int
    task_s: float
    workers: int
    wall_s: float
    ran_s: float
    """Sum of the tasks' own seconds, as their workers measured them."""

    @property
    def efficiency(self) -> float:
        """Sum of task seconds ÷ (workers used × wall seconds); at most 1."""
        return min(1.0, self.ran_s / (min(self.workers, self.tasks) * self.wall_s))

    def to_json(self) -> dict[str, object]:
        return {
            "tasks": self.tasks,
            "task_s": self.task_s,
            "workers": self.workers,
            "wall_s": round(self.wall_s, 3),
            "efficiency": round(self.efficiency, 4),
        }


def sleep_batches(
    folder: Path, tasks: int, task_s: float, counts: Sequence[int], say: Say
) -> list[SleepBatch]:
    """The same batch with each number of workers. Raises EnvironmentProblem where a result is missing."""
    return [_run(folder, tasks, task_s, workers, say) for workers in counts]


def _run(folder: Path, tasks: int, task_s: float, workers: int, say: Say) -> SleepBatch:
    say(f"{tasks} tasks of {task_s:g} s, {workers} workers")
    with part_of(folder) as place:
        report, wall_s = run_batch(place, min(workers, tasks), tasks, task_s, lambda _: None)
    return SleepBatch(tasks, task_s, workers, wall_s, sum(r.duration_s for r in report.results.values()))
