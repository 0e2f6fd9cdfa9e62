"""What this clone knows of tasks and results, kept in SQLite and brought up to date by what changed.

Owns reading documents out of git. No step reads everything every time: only the difference between
the tips seen last and those seen now. It can be dropped and rebuilt at any moment.
"""

import json
import math
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cortex_git.errors import BadInput, NewerSchema
from cortex_git.models import PRIORITIES, Batch, Task
from cortex_git.state import boot_id, monotonic, transaction
from cortex_git.store import layout, newer, tombstones
from cortex_git.store.differences import bodies, new_in
from cortex_git.store.repository import Repository
from cortex_git.store.scopes import Scope as Scope  # what questions to the index are about

_AGAIN = """
    WITH RECURSIVE again(task) AS (
        SELECT value FROM json_each(?)
        UNION SELECT r.task FROM again a JOIN retries r ON r.retry_of = a.task)"""
"""`again`: the tasks of a JSON list, and all that do their work again."""


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


def refresh(repository: Repository) -> View:
    """Bring the index up to date with the refs as last fetched, and say what they were.

    Result refs are read before the branch: a result moves from the former to the latter, never back,
    so a reader in this order misses none.
    """
    refs = repository.refs
    fetched_at = _fetched_at(repository.state)
    seen = refs.seen()
    trunk = tuple(refs.trunk())
    heads = {ref: oid for ref, oid in seen.items() if ref.startswith(f"{refs.namespace}/results/")}
    heads |= {f"trunk/{number}": oid for number, oid in enumerate(trunk)}
    state = repository.state
    newer.forget_readable(state)
    known: dict[str, str] = dict(state.execute("SELECT ref, tip FROM indexed"))
    changed = {ref: oid for ref, oid in heads.items() if known.get(ref) != oid}
    if changed:
        _store(repository, new_in(repository.git, changed, known, trunk), changed)
    return View(
        claims=_under(seen, f"{refs.namespace}/claims/"),
        hosts=_under(seen, f"{refs.namespace}/hosts/"),
        results=_under(seen, f"{refs.namespace}/results/"),
        trunk=trunk,
        fetched_at=fetched_at,
    )


def _fetched_at(state: sqlite3.Connection) -> float:
    """Minus infinity where nothing was fetched since the machine started."""
    row = state.execute("SELECT boot, started FROM fetches").fetchone()
    return float(row[1]) if row is not None and row[0] == boot_id() else -math.inf


def _under(refs: dict[str, str], prefix: str) -> dict[str, str]:
    return {ref.removeprefix(prefix): oid for ref, oid in refs.items() if ref.startswith(prefix)}


def _store(repository: Repository, entries: Iterable[tuple[str, str]], tips: dict[str, str]) -> None:
    results: list[tuple[str, str, str, str]] = []
    documents: list[tuple[str, str]] = []
    archives: list[tuple[str, str]] = []
    for path, oid in dict.fromkeys(entries):
        place = layout.place_of(path)
        if place is not None and place.kind == "results":
            results.append((place.task, place.batch, path, oid))
        elif place is not None:
            (archives if place.kind == "archive" else documents).append((path, oid))
    tombstones.enter(repository, archives)
    documents = [one for one in documents if not tombstones.covers(repository.state, one[0])]
    known = _known(repository.state, [path for path, _ in documents])
    wanted = [(path, oid) for path, oid in documents if (path, oid) not in known]
    found = bodies(repository.git, wanted)
    with transaction(repository.state) as state:
        state.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)", results)
        for path, oid in wanted:
            add_document(state, path, found[oid], oid)
        state.executemany("INSERT OR REPLACE INTO indexed VALUES (?, ?)", list(tips.items()))


def _known(state: sqlite3.Connection, paths: Sequence[str]) -> set[tuple[str, str]]:
    """Those documents, of the paths, that are entered already; with their object ids."""
    found: set[tuple[str, str]] = set()
    places = [place for path in paths if (place := layout.place_of(path)) is not None]
    for part in chunks([place.task or place.batch for place in places]):
        marks = ",".join("?" * len(part))
        for table, key in (("tasks", "task"), ("batches", "batch"), ("newer", "name")):
            query = f"SELECT path, oid FROM {table} WHERE {key} IN ({marks})"  # noqa: S608
            found |= set(state.execute(query, part))
    return found


def chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """The values in parts that fit SQLite's limit of parameters."""
    return (values[start : start + 500] for start in range(0, len(values), 500))


def add_document(state: sqlite3.Connection, path: str, body: bytes, oid: str) -> None:
    """Enter a batch or a task. One that is not valid, not where its name says, or archived is left out.

    Where two hosts added different documents under one id at the same moment, the one with the smaller
    blob id stays, on every host, whichever it saw first.

    Whoever can push can write such a file, and it must not stop everybody else's work. One of a newer schema
    is kept in mind for what it is: see `newer`.
    """
    place = layout.place_of(path)
    if tombstones.covers(state, path):
        return
    try:
        if place is not None and place.kind == "batches":
            batch = Batch.parse(body, path)
            if batch.batch == place.batch:
                _put(state, "batches", "batch", (batch.batch, path, body, oid))
        elif place is not None and place.kind == "tasks":
            task = Task.parse(body, path)
            if (task.task, task.batch) == (place.task, place.batch):
                row = (
                    task.task,
                    task.batch,
                    PRIORITIES[task.priority],
                    task.type,
                    task.created_at,
                    path,
                    body,
                    oid,
                )
                if _put(state, "tasks", "task", row):
                    _put_waits(state, task)
    except NewerSchema as error:
        if place is not None and newer.enter(state, place, path, oid, error) and place.kind == "tasks":
            _put_retry(state, place.task, newer.retry_of(body))
    except BadInput:
        return


def _put(state: sqlite3.Connection, table: str, key: str, row: tuple[object, ...]) -> bool:
    """Whether the row is the one that counts now."""
    if not newer.gives_way(state, table, str(row[0]), str(row[-1])):
        return False
    query = f"SELECT oid FROM {table} WHERE {key} = ?"  # noqa: S608
    found = state.execute(query, row[:1]).fetchone()
    if found is None or str(row[-1]) < found[0]:
        marks = ",".join("?" * len(row))
        state.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608
        return True
    return False


def _put_waits(state: sqlite3.Connection, task: Task) -> None:
    """What the task comes after, in the place of what another document under its id said.

    A retry is waited for like what it does again, whichever of the three documents is seen first.
    """
    name = task.task
    state.execute("DELETE FROM waits WHERE task = ?", (name,))
    state.execute("DELETE FROM retries WHERE task = ?", (name,))
    _put_retry(state, name, task.retry_of)
    state.executemany("INSERT OR IGNORE INTO waits VALUES (?, ?)", [(name, one) for one in task.after])
    if task.after:
        insert = f"{_AGAIN} INSERT OR IGNORE INTO waits SELECT ?, task FROM again WHERE task != ?"  # noqa: S608
        state.execute(insert, (json.dumps(task.after), name, name))


def _put_retry(state: sqlite3.Connection, name: str, retry_of: str | None) -> None:
    """Have what comes after a task wait for its retry `name` as well."""
    if retry_of is not None:
        state.execute("INSERT INTO retries VALUES (?, ?)", (name, retry_of))
        state.execute(
            f"{_AGAIN} INSERT OR IGNORE INTO waits SELECT w.task, a.task FROM waits w, again a"  # noqa: S608
            " WHERE w.needs = ? AND w.task != a.task",
            (json.dumps([name]), retry_of),
        )


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
