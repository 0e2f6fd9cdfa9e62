"""`bench latency`: no-op tasks behind a slow remote, ours against the shell loop of `bench queue`.

Owns what is compared: the same delay on each remote operation for both sides, the loop at its best number
of clones too; and how many operations a worker waits for when it works on one task after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from cortex_git.analysis.bench.loop import Looped, run_loop
from cortex_git.analysis.bench.queue import check_results, timed_run
from cortex_git.analysis.bench.slow_remote import SlowRemote, waits_of
from cortex_git.analysis.bench.workspace import (
    OWN,
    Command,
    Say,
    add_no_ops,
    new_host,
    new_remote,
    own_environment,
    part_of,
    ready_pool,
    run_together,
    workspace,
)
from cortex_git.workers.spawning import WarmSpawner

LOOP_WORKERS = (1, 2, 4)
"""Besides the number asked for: more clones only get into each other's way."""
SINGLE_TASKS = 3
_MOST_S = 300.0


@dataclass(frozen=True, slots=True)
class Run:
    """One side at one number of workers: tasks, their seconds, and the remote operations that they took."""

    workers: int
    tasks: int
    seconds: float
    operations: dict[str, int]

    @property
    def per_min(self) -> float:
        return 60 * self.tasks / self.seconds

    def to_json(self) -> dict[str, object]:
        total = sum(self.operations.values())
        return {
            "workers": self.workers,
            "tasks": self.tasks,
            "seconds": round(self.seconds, 3),
            "tasks_per_min": round(self.per_min, 1),
            "fetches": self.operations.get("upload-pack", 0),
            "pushes": self.operations.get("receive-pack", 0),
            "operations_per_task": round(total / max(self.tasks, 1), 3),
        }


@dataclass(frozen=True, slots=True)
class Single:
    """One task after the other, each by a command of its own: operations until its result was there."""

    how: str
    waits: tuple[int, ...]
    operations: int
    seconds: tuple[float, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "how": self.how,
            "tasks": len(self.waits),
            "waited_for_per_task": list(self.waits),
            "most_waited_for": max(self.waits),
            "operations_per_task": round(self.operations / len(self.waits), 2),
            "command_s_mean": round(mean(self.seconds), 3),
        }


@dataclass(frozen=True, slots=True)
class Latency:
    """All that was measured behind one delay."""

    delay_ms: int
    ours: Run
    loops: tuple[Run, ...]
    singles: tuple[Single, ...] = field(default=())

    def to_json(self) -> dict[str, object]:
        best = max(self.loops, key=lambda run: run.per_min)
        same = next(run for run in self.loops if run.workers == self.ours.workers)
        return {
            "delay_ms": self.delay_ms,
            "ours": self.ours.to_json(),
            "loop": [run.to_json() for run in self.loops],
            "best_loop_workers": best.workers,
            "ratio": round(self.ours.per_min / same.per_min, 1),
            "ratio_to_best_loop": round(self.ours.per_min / best.per_min, 1),
            "one_by_one": [single.to_json() for single in self.singles],
        }


def bench_latency(
    workers: int, delay_ms: int, tasks: int, say: Say, window_s: float, loops: Sequence[int] = LOOP_WORKERS
) -> Latency:
    """Ours with so many workers, the loop with as many clones and with each of `loops`, one by one.

    `delay_ms` comes before each operation on the remote, of both sides; `window_s` is how long the loop may
    begin tasks. Raises EnvironmentProblem where results on the remote are not exactly the tasks, or the loop
    did none: there is no ratio to nothing.
    """
    delay_s = delay_ms / 1000
    with workspace() as folder:
        say(f"ours: {tasks} tasks, {workers} workers")
        with part_of(folder) as place:
            ours = _ours(place, workers, delay_s, tasks, say)
        rows = []
        for count in sorted({*loops, workers}):
            say(f"the loop: {count} clones, {window_s:g} s")
            with part_of(folder) as place:
                rows.append(_loop(place, count, delay_s, window_s))
        say("one task after the other")
        with part_of(folder) as place:
            single = _single(place, delay_s)
    return Latency(delay_ms, ours, tuple(rows), (single,))


def _ours(folder: Path, workers: int, delay_s: float, tasks: int, say: Say) -> Run:
    remote = new_remote(folder / "remote.git")
    coordination = new_host(folder / "host", remote)
    batch = add_no_ops(coordination, tasks)
    slow = SlowRemote.make(folder / "slow", delay_s)
    with ready_pool(WarmSpawner(["echo"]), workers) as pool:
        slow.slow_down(folder / "host")
        _, took = timed_run(coordination, pool, batch, say)
    operations = slow.operations()
    check_results(coordination, remote, batch, tasks)
    return Run(workers, tasks, took, dict(operations))


def _loop(folder: Path, clones: int, delay_s: float, window_s: float) -> Run:
    slow = SlowRemote.make(folder / "slow", delay_s)
    found: Looped = run_loop(folder, clones, None, window_s, prepare=slow.slow_down)
    return Run(clones, found.tasks, found.seconds, dict(slow.operations()))


def _single(folder: Path, delay_s: float) -> Single:
    """`spawn-worker` once for each task, cold, and what each waited for."""
    remote = new_remote(folder / "remote.git")
    coordination = new_host(folder / "host", remote)
    add_no_ops(coordination, SINGLE_TASKS)
    slow = SlowRemote.make(folder / "slow", delay_s)
    slow.slow_down(folder / "host")
    slow.tell_publishes(remote)
    waits: list[int] = []
    seconds: list[float] = []
    operations = 0
    for number in range(SINGLE_TASKS):
        slow.forget()
        arguments = ("spawn-worker", "--task-id", f"bench-{number:05d}", "--format", "json")
        command = Command(
            (*OWN, *arguments, "--repository", str(folder / "host")),
            folder,
            own_environment(),
            folder / f"one-{number}.out",
        )
        seconds.append(run_together([command], _MOST_S))
        waits.append(waits_of(slow.events()))
        operations += slow.operations().total()
    return Single("spawn-worker", tuple(waits), operations, tuple(seconds))
