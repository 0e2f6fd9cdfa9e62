"""`bench queue --clones`: ours with many hosts, each a clone with one worker in a process of its own.

Owns what is timed: from the first task's start to the last publish. Starting so many interpreters on
one machine is no part of a queue's rate; it is reported beside it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cortex_git.analysis.bench.queue import check_results
from cortex_git.analysis.bench.workspace import (
    OWN,
    Command,
    Say,
    add_no_ops,
    new_host,
    new_remote,
    own_environment,
    part_of,
    run_together,
    workspace,
)
from cortex_git.store.index import Scope

TASKS_EACH = 5
LEAST_TASKS = 100
_MOST_S = 600.0


@dataclass(frozen=True, slots=True)
class HostsRow:
    """One number of hosts: tasks published, the seconds they took, and the seconds until the first began."""

    workers: int
    tasks: int
    seconds: float
    start_s: float

    def to_json(self) -> dict[str, object]:
        return {
            "workers": self.workers,
            "tasks_per_min": round(60 * self.tasks / self.seconds, 1),
            "tasks": self.tasks,
            "seconds": round(self.seconds, 3),
            "start_s": round(self.start_s, 3),
        }


def bench_hosts(counts: Sequence[int], tasks: int | None, say: Say) -> list[HostsRow]:
    """One row for each number of hosts. Raises EnvironmentProblem when results are not exactly the tasks."""
    rows: list[HostsRow] = []
    with workspace() as folder:
        for count in counts:
            say(f"{count} clones with one worker each")
            with part_of(folder) as place:
                rows.append(_run(place, count, tasks or max(LEAST_TASKS, TASKS_EACH * count)))
            say(f"{count} clones: {rows[-1].tasks} tasks in {rows[-1].seconds:.2f} s")
    return rows


def _run(folder: Path, hosts: int, tasks: int) -> HostsRow:
    remote = new_remote(folder / "remote.git")
    first = new_host(folder / "host-0", remote)
    for number in range(1, hosts):
        new_host(folder / f"host-{number}", remote)
    batch = add_no_ops(first, tasks)
    arguments = (*OWN, "spawn-workers", "--count", "1", "--batch", batch, "--format", "json")
    commands = [
        Command(
            (*arguments, "--repository", str(folder / f"host-{number}")),
            folder,
            own_environment(),
            folder / f"host-{number}.out",
        )
        for number in range(hosts)
    ]
    asked = time.time()
    run_together(commands, _MOST_S)
    # The remote's own files say when each host published last; only a publish writes these refs.
    published = max(path.stat().st_mtime for path in (remote / "refs/cortex/results").iterdir())
    check_results(first, remote, batch, tasks)
    results = first.results(Scope(batch=batch))
    began = min(datetime.fromisoformat(result.started_at).timestamp() for result in results)
    return HostsRow(hosts, tasks, published - began, began - asked)
