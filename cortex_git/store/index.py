"""What this clone knows of tasks and results, kept in SQLite; `indexing` brings it up to date.

Owns the questions to it, and changes nothing. It can be dropped and rebuilt at any moment.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cortex_git.errors import BadInput
from cortex_git.models import Batch, Task
from cortex_git.state import monotonic
from cortex_git.store import newer, tombstones
from cortex_git.store.repository import Repository
from cortex_git.store.scopes import Scope as Scope  # what questions to the index are about


@dataclass(frozen=True, slots=True)
class View:
    """The refs as of one pull. Results and tasks of that moment, or later, are in the index."""

    claims: dict[str, str]
    """Task id to the claim's object id."""
    hosts: dict[str, str]
    results: dict[str, str]
    """Host id to the tip of its result ref."""
    trunk: tuple[str, ...]
    fetched_at: float
    """When the fetch began that they are as of, on `state.monotonic`'s clock."""

    @property
    def age_s(self) -> float:
        """Seconds since then."""
        return max(monotonic() - self.fetched_at, 0.0)


def chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """The values in parts that fit SQLite's limit of parameters."""
    return (values[start : start + 500] for start in range(0, len(values), 500))


def find_task(state: sqlite3.Connection, task: str) -> Task | None:
    """The task document; None when this clone knows of none."""
    row = state.execute("SELECT body FROM tasks WHERE task = ?", (task,)).fetchone()
    return None if row is None else Task.parse(row[0], task)


def find_batch(state: sqlite3.Connection, batch: str) -> Batch | None:
    """The batch document; None when this clone knows of none."""
    row = state.execute("SELECT body FROM batches WHERE batch = ?", (batch,)).fetchone()
    return None if row is None else Batch.parse(row[0], batch)


def is_taken(state: sqlite3.Connection, task: str) -> bool:
    """Whether there is a task of that id, be it archived or one that only a newer version can read."""
    query = (
        "SELECT 1 FROM tasks WHERE task = ?1 UNION SELECT 1 FROM newer WHERE kind = 'tasks' AND name = ?1"
        " UNION SELECT 1 FROM archived WHERE task = ?1"
    )
    return state.execute(query, (task,)).fetchone() is not None


def known_task(repository: Repository, task: str) -> Task | None:
    """The task document, of an archived task too; None when this clone knows of none."""
    return find_task(repository.state, task) or tombstones.tasks(repository, [task]).get(task)


def task_of(repository: Repository, task: str) -> Task:
    """The task document, of an archived task too. Raises BadInput when this clone knows of none."""
    found = known_task(repository, task)
    if found is None:
        raise _no("task", task, repository)
    return found


def path_of(repository: Repository, task: str) -> str:
    """Where the task's document lies. Raises BadInput when this clone knows of none."""
    row = repository.state.execute("SELECT path FROM tasks WHERE task = ?", (task,)).fetchone()
    path = row[0] if row is not None else tombstones.path_of(repository.state, task)
    if path is None:
        raise _no("task", task, repository)
    return str(path)


def any_batch(repository: Repository, batch: str) -> Batch | None:
    """The batch document, of an archived batch too; None when this clone knows of none."""
    return find_batch(repository.state, batch) or tombstones.batch(repository, batch)


def batch_of(repository: Repository, batch: str) -> Batch:
    """The same. Raises BadInput when this clone knows of none."""
    found = any_batch(repository, batch)
    if found is None:
        raise _no("batch", batch, repository)
    return found


def _no(what: str, name: str, repository: Repository) -> BadInput:
    newer.refuse(repository.state, "tasks" if what == "task" else "batches", name)
    return BadInput(f"no {what} {name!r} in {repository.folder}", "see `cortex-git task list`")


def with_result(repository: Repository, tasks: Sequence[str]) -> set[str]:
    """Those of the tasks that have a published result, as far as this clone has pulled."""
    found: set[str] = set()
    for part in chunks(tasks):
        marks = ",".join("?" * len(part))
        rows = repository.state.execute(f"SELECT task FROM results WHERE task IN ({marks})", part)  # noqa: S608
        found |= {task for (task,) in rows}
    return found


def result_oids(repository: Repository, tasks: Sequence[str]) -> dict[str, str]:
    """The object ids of the tasks' results, of those that have one, as far as this clone has pulled."""
    found: dict[str, str] = {}
    for part in chunks(tasks):
        marks = ",".join("?" * len(part))
        query = f"SELECT task, oid FROM results WHERE task IN ({marks})"  # noqa: S608
        found |= dict(repository.state.execute(query, part).fetchall())
    return found


def count_open(repository: Repository, scope: Scope) -> int:
    """How many tasks in scope have no result, as far as this clone has pulled."""
    condition, values = scope.where
    query = f"SELECT count(*) FROM open_tasks t WHERE {condition}"  # noqa: S608
    return int(repository.state.execute(query, values).fetchone()[0])


def count_open_of(repository: Repository, scope: Scope, tasks: Sequence[str]) -> int:
    """How many of the named tasks are in scope and have no result."""
    condition, values = scope.where
    found = 0
    for part in chunks(tasks):
        marks = ",".join("?" * len(part))
        query = f"SELECT count(*) FROM open_tasks t WHERE {condition} AND t.task IN ({marks})"  # noqa: S608
        found += int(repository.state.execute(query, (*values, *part)).fetchone()[0])
    return found


def count_known(repository: Repository, scope: Scope) -> int:
    """How many tasks there are in scope, finished ones included, as far as this clone has pulled."""
    condition, values = scope.where
    query = f"SELECT count(*) FROM tasks t WHERE {condition}"  # noqa: S608
    return int(repository.state.execute(query, values).fetchone()[0])


def batches(repository: Repository) -> list[Batch]:
    """Every batch this clone knows of, oldest first."""
    bodies = repository.state.execute("SELECT batch, body FROM batches")
    return sorted((Batch.parse(body, name) for name, body in bodies), key=lambda batch: batch.created_at)
