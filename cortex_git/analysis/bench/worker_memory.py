"""What workers weigh, and what it costs to replace them.

Owns how memory is counted. A warm worker shares pages with the process it was forked from, so its resident
memory says too much; what it has for itself (USS) is what one more worker takes.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from cortex_git.analysis.bench.queue import check_results, timed_run
from cortex_git.analysis.bench.workspace import Say, add_no_ops, new_host, new_remote, part_of, ready_pool
from cortex_git.runners.trial import HEAVY
from cortex_git.store.coordination import Coordination
from cortex_git.workers.spawning import ColdSpawner, Spawned, Spawner, WarmSpawner

_MIB = 1024 * 1024
RUNNER = "trial"


@dataclass(frozen=True, slots=True)
class WorkerMemory:
    """MiB of one worker with the anthropic import done, waiting for work; medians."""

    workers: int
    warm_own_mib: float
    """Unique set size of a warm worker: what it shares with nobody."""
    warm_resident_mib: float
    cold_own_mib: float
    """The same of a fresh interpreter."""
    cold_resident_mib: float

    def to_json(self) -> dict[str, object]:
        return {
            "workers": self.workers,
            "import": HEAVY,
            "warm_own_mib": round(self.warm_own_mib, 1),
            "warm_resident_mib": round(self.warm_resident_mib, 1),
            "cold_own_mib": round(self.cold_own_mib, 1),
            "cold_resident_mib": round(self.cold_resident_mib, 1),
        }


@dataclass(frozen=True, slots=True)
class Recycling:
    """One batch with workers that stay, and one with workers that are replaced after every few tasks."""

    tasks: int
    workers: int
    tasks_each: int
    """Tasks after which a worker is replaced."""
    replaced: int
    kept_s: float
    replaced_s: float

    @property
    def replacement_ms(self) -> float:
        """Milliseconds of a batch that one replacement cost, as the difference of both batches."""
        return 1000 * (self.replaced_s - self.kept_s) / max(self.replaced, 1)

    def to_json(self) -> dict[str, object]:
        return {
            "tasks": self.tasks,
            "workers": self.workers,
            "tasks_each": self.tasks_each,
            "replaced": self.replaced,
            "kept_s": round(self.kept_s, 3),
            "replaced_s": round(self.replaced_s, 3),
            "replacement_ms": round(self.replacement_ms, 1),
        }


class _Counting:
    """A spawner that counts the workers it starts."""

    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner
        self.warm = spawner.warm
        self.count = 0

    def spawn(self, log: int | None = None) -> Spawned:
        self.count += 1
        return self._spawner.spawn(log)

    def status_of(self, pid: int) -> int | None:
        return self._spawner.status_of(pid)

    def close(self) -> None:
        self._spawner.close()


def worker_memory(workers: int, say: Say) -> WorkerMemory:
    """Measure so many warm workers at once, and two cold ones."""
    say(f"memory of {workers} warm workers, and of cold ones")
    warm = _memory(WarmSpawner([RUNNER]), workers)
    cold = _memory(ColdSpawner([RUNNER]), 2)
    return WorkerMemory(workers, *warm, *cold)


def _memory(spawner: Spawner, workers: int) -> tuple[float, float]:
    import psutil

    with ready_pool(spawner, workers) as pool:
        time.sleep(0.2)  # what a start leaves behind is given back by then
        found = [psutil.Process(slot.pid).memory_full_info() for slot in pool.slots]
    return median(one.uss for one in found) / _MIB, median(one.rss for one in found) / _MIB


def recycling(folder: Path, workers: int, tasks: int, tasks_each: int, say: Say) -> Recycling:
    """The same no-op batch with and without replacements. Raises EnvironmentProblem where one is missing."""
    say(f"{tasks} tasks, workers replaced after {tasks_each}")
    kept_s, _ = _batch(folder, workers, tasks, None, say)
    replaced_s, processes = _batch(folder, workers, tasks, tasks_each, say)
    return Recycling(tasks, workers, tasks_each, processes - workers, kept_s, replaced_s)


def _batch(folder: Path, workers: int, tasks: int, tasks_each: int | None, say: Say) -> tuple[float, int]:
    """Seconds of the batch, and how many worker processes there were."""
    with part_of(folder) as place:
        remote = new_remote(place / "remote.git")
        coordination = new_host(place / "host", remote)
        if tasks_each is not None:
            settings = coordination.repository.settings
            pool = settings.pool.model_copy(update={"max_tasks": tasks_each})
            changed = settings.model_copy(update={"pool": pool})
            coordination = Coordination(replace(coordination.repository, settings=changed))
        batch = add_no_ops(coordination, tasks)
        spawner = _Counting(WarmSpawner(["echo"]))
        with ready_pool(spawner, workers) as running:
            _, seconds = timed_run(coordination, running, batch, say)
        check_results(coordination, remote, batch, tasks)
    return seconds, spawner.count
