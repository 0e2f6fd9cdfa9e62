"""`bench peers`: the same work by other people's queues and pools, in the same run on the same machine.

Owns what is compared: tasks that do nothing, or only wait, and what each keeps of them. Must never leave out
a peer in silence: one that is not installed is a row that says so.
"""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cortex_git.analysis.bench.queue import run_batch
from cortex_git.analysis.bench.workspace import (
    Command,
    Say,
    own_environment,
    part_of,
    run_together,
    workspace,
)
from cortex_git.errors import EnvironmentProblem

_PROGRAMS = "cortex_git.analysis.bench.peer_programs"
_START = "import importlib, sys; importlib.import_module(sys.argv.pop(1)).main()"
_MOST_S = 900.0
OURS = "cortex-git"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program: its module in `peer_programs`, the package it needs, and what it keeps."""

    name: str
    program: str
    package: str
    keeps: str
    """What is left of a task after a crash of the machine: `tasks and results`, `nothing`."""
    environment: tuple[tuple[str, str], ...] = ()


PEERS = (
    Peer("huey, SQLite, threads", "huey_queue", "huey", "tasks and results", (("PEER_WORKERS", "thread"),)),
    Peer(
        "huey, SQLite, processes", "huey_queue", "huey", "tasks and results", (("PEER_WORKERS", "process"),)
    ),
    Peer("Celery, files", "celery_files", "celery", "tasks and results"),
    Peer("loky", "loky_pool", "loky", "nothing"),
    Peer("Dask, one machine", "dask_cluster", "distributed", "nothing"),
)


@dataclass(frozen=True, slots=True)
class PeerRow:
    """One program on one workload; `seconds` is None where it could not run, `note` then says why."""

    name: str
    keeps: str
    task_s: float
    tasks: int
    seconds: float | None
    version: str | None = None
    note: str | None = None

    @property
    def per_s(self) -> float | None:
        return self.tasks / self.seconds if self.seconds else None

    def to_json(self, ours: float | None) -> dict[str, object]:
        """`ours`: tasks a second of ours on the same workload, which `ratio` is in times of."""
        per_s = self.per_s
        return {
            "name": self.name,
            "version": self.version,
            "keeps": self.keeps,
            "task_s": self.task_s,
            "tasks": self.tasks,
            "seconds": round(self.seconds, 3) if self.seconds is not None else None,
            "tasks_per_s": round(per_s, 1) if per_s else None,
            "ratio": round(ours / per_s, 2) if ours and per_s else None,
            "note": self.note,
        }


def bench_peers(workers: int, loads: Sequence[tuple[float, int]], runs: int, say: Say) -> list[PeerRow]:
    """Ours and every peer on each load (seconds of a task, tasks); of `runs` runs in turn the median one.

    Raises EnvironmentProblem where results of ours on the remote are not exactly the tasks.
    """
    rows: list[PeerRow] = []
    with workspace() as folder:
        for task_s, tasks in loads:
            found: dict[str, list[PeerRow]] = {}
            for run in range(runs):
                for row in _in_turn(folder, workers, task_s, tasks, say, backwards=bool(run % 2)):
                    found.setdefault(row.name, []).append(row)
            rows += [_median(found[name]) for name in (OURS, *(peer.name for peer in PEERS), _PARALLEL)]
    return rows


def _in_turn(
    folder: Path, workers: int, task_s: float, tasks: int, say: Say, *, backwards: bool
) -> Iterator[PeerRow]:
    """One run of each, in one order or the other, so that nobody always comes first."""
    for name in sorted((OURS, *(peer.name for peer in PEERS), _PARALLEL), reverse=backwards):
        say(f"{name}: {tasks} tasks of {task_s:g} s, {workers} workers")
        with part_of(folder) as place:
            if name == OURS:
                yield _ours(place, workers, task_s, tasks, say)
            elif name == _PARALLEL:
                yield _parallel(place, workers, task_s, tasks)
            else:
                peer = next(peer for peer in PEERS if peer.name == name)
                yield _peer(place, peer, workers, task_s, tasks)


def _median(rows: Sequence[PeerRow]) -> PeerRow:
    timed = sorted((row for row in rows if row.seconds is not None), key=lambda row: row.seconds or 0.0)
    return timed[len(timed) // 2] if timed else rows[0]


def _ours(folder: Path, workers: int, task_s: float, tasks: int, say: Say) -> PeerRow:
    _, seconds = run_batch(folder, workers, tasks, task_s, say)
    return PeerRow(OURS, "tasks and results, on the remote", task_s, tasks, seconds)


def _peer(folder: Path, peer: Peer, workers: int, task_s: float, tasks: int) -> PeerRow:
    row = (peer.name, peer.keeps, task_s, tasks)
    if importlib.util.find_spec(peer.package) is None:
        return PeerRow(*row, None, note=f"{peer.package} is not installed: pip install 'cortex-git[peers]'")
    arguments = (sys.executable, "-c", _START, f"{_PROGRAMS}.{peer.program}", str(tasks), str(workers))
    # What their processes leave when they are killed goes with the folder.
    environment = own_environment(TMPDIR=str(folder), **dict(peer.environment))
    output = folder / "said"
    try:
        run_together([Command((*arguments, f"{task_s:g}"), folder, environment, output)], _MOST_S)
        told = json.loads(output.read_text(encoding="utf-8").strip().splitlines()[-1])
    except EnvironmentProblem as error:
        return PeerRow(*row, None, note=f"it failed: {error}")
    return PeerRow(*row, float(told["seconds"]), str(told["version"]))


_PARALLEL = "GNU parallel"


def _parallel(folder: Path, workers: int, task_s: float, tasks: int) -> PeerRow:
    """A process for each task; its log of jobs is what it keeps."""
    row = (_PARALLEL, "a log of jobs", task_s, tasks)
    program = shutil.which("parallel")
    if program is None:
        return PeerRow(*row, None, note="parallel is not installed")
    numbers = folder / "numbers"
    numbers.write_text("".join(f"{number}\n" for number in range(tasks)))
    arguments = (program, "--jobs", str(workers), "--joblog", "log", f"sleep {task_s:g}; true {{}}")
    command = Command(arguments, folder, dict(os.environ), folder / "said", stdin=numbers)
    try:
        return PeerRow(*row, run_together([command], _MOST_S))
    except EnvironmentProblem as error:
        return PeerRow(*row, None, note=f"it failed: {error}")
