"""Documents that a newer version wrote: kept in mind, never run, replaced or taken for missing, and told.

Owns the table `newer`. A result in it is a result: its task has ended, though nobody here can read how.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cortex_git.errors import BadInput, CortexError, NewerSchema
from cortex_git.models import MERGE_SUFFIX, SCHEMA, TASK_PATTERN, Result, Task
from cortex_git.state import transaction
from cortex_git.store.repository import Repository
from cortex_git.store.scopes import Scope

if TYPE_CHECKING:
    from cortex_git.store.layout import Place

_MOST_SCHEMA = 10**9
_AT_ONCE = 500
_KINDS = {
    "tasks": ("task", "they are left to hosts that have it"),
    "batches": ("batch", "their tasks are left to hosts that have it"),
    "results": ("result", "their tasks have ended, what came of them cannot be shown or built on here"),
}
BARRED = f"""(
    EXISTS (SELECT 1 FROM newer n WHERE n.kind = 'batches' AND n.name = t.batch)
    OR EXISTS (SELECT 1 FROM newer n JOIN waits w ON w.needs = n.name
               WHERE n.kind IN ('tasks', 'results') AND w.task = t.task)
    OR t.task LIKE '%{MERGE_SUFFIX}' AND EXISTS (
        SELECT 1 FROM newer n WHERE n.kind IN ('tasks', 'results') AND n.batch = t.batch))"""  # noqa: S608 - a constant
"""The condition on table `tasks` as `t`: what it rests on is of a newer version, so nobody runs it here."""


class Newer(NamedTuple):
    """One such document."""

    kind: str
    """As in its path: tasks, batches or results."""
    path: str
    schema: int


def enter(state: sqlite3.Connection, place: "Place", path: str, oid: str, error: NewerSchema) -> bool:
    """Keep one in mind; whether it counts: not where another under its id has the smaller blob id."""
    name = place.task or place.batch
    if place.kind != "results":
        table, key = ("tasks", "task") if place.kind == "tasks" else ("batches", "batch")
        row = state.execute(f"SELECT oid FROM {table} WHERE {key} = ?", (name,)).fetchone()  # noqa: S608
        if row is not None and row[0] <= oid:
            return False
        for one in (table, "waits", "retries") if place.kind == "tasks" else (table,):
            state.execute(f"DELETE FROM {one} WHERE {key} = ?", (name,))  # noqa: S608
    found = _oid(state, place.kind, name)
    if found is not None and found <= oid:
        return False
    row = (place.kind, name, place.batch, path, oid, min(error.schema, _MOST_SCHEMA))
    state.execute("INSERT OR REPLACE INTO newer VALUES (?, ?, ?, ?, ?, ?)", row)
    return True


def retry_of(body: bytes) -> str | None:
    """The task that a newer task says it does again: what comes after that one must not be given up here."""
    try:
        named = json.loads(body).get("retry_of")
    except (ValueError, AttributeError, RecursionError):
        return None
    return named if isinstance(named, str) and re.fullmatch(TASK_PATTERN, named) else None


def gives_way(state: sqlite3.Connection, kind: str, name: str, oid: str) -> bool:
    """Whether a document that can be read counts in the place of a newer one under its id; that goes then."""
    found = _oid(state, kind, name)
    if found is not None and found < oid:
        return False
    state.execute("DELETE FROM newer WHERE kind = ? AND name = ?", (kind, name))
    return True


def _oid(state: sqlite3.Connection, kind: str, name: str) -> str | None:
    row = state.execute("SELECT oid FROM newer WHERE kind = ? AND name = ?", (kind, name)).fetchone()
    return None if row is None else str(row[0])


def forget_readable(state: sqlite3.Connection) -> None:
    """After an upgrade: have everything read again where something can be read now that could not be."""
    if state.execute("SELECT 1 FROM newer WHERE version <= ?", (SCHEMA,)).fetchone() is not None:
        with transaction(state):
            for table in ("newer", "indexed", "outcomes"):
                state.execute(f"DELETE FROM {table}")  # noqa: S608 - constants


def refuse(state: sqlite3.Connection, kind: str, name: str) -> None:
    """Raises NewerSchema where the document of that kind (tasks, batches, results) and name is one."""
    query = "SELECT path, version FROM newer WHERE kind = ? AND name = ?"
    row = state.execute(query, (kind, name)).fetchone()
    if row is not None:
        raise NewerSchema(row[0], _KINDS[kind][0], row[1], SCHEMA)


def is_in(state: sqlite3.Connection, batch: str) -> bool:
    """Whether anything of the batch is one."""
    return state.execute("SELECT 1 FROM newer WHERE batch = ?", (batch,)).fetchone() is not None


def refuse_any_in(repository: Repository, batch: str, results: Sequence[str] = ()) -> None:
    """Raises NewerSchema where a task or result of the batch, or one of the named tasks' results, is one."""
    look(repository, results)
    for kind, name in repository.state.execute("SELECT kind, name FROM newer WHERE batch = ?", (batch,)):
        refuse(repository.state, kind, name)
    for name in results:
        refuse(repository.state, "results", name)


def note_result(state: sqlite3.Connection, task: str, oid: str, error: NewerSchema) -> None:
    """Keep in mind that the task's result, at that object id, is one."""
    query = "INSERT OR REPLACE INTO newer SELECT 'results', task, batch, path, oid, ? FROM results"
    schema = min(error.schema, _MOST_SCHEMA)
    state.execute(f"{query} WHERE task = ? AND oid = ?", (schema, task, oid))


def needed_by(state: sqlite3.Connection, task: Task) -> tuple[str, ...]:
    """Those that the task comes after, and retries of them, of which the document or the result is one."""
    query = (
        "SELECT DISTINCT n.name FROM newer n WHERE n.kind IN ('tasks', 'results') AND (n.name IN"
        " (SELECT needs FROM waits WHERE task = ?) OR n.name IN (SELECT value FROM json_each(?))) ORDER BY 1"
    )
    return tuple(name for (name,) in state.execute(query, (task.task, json.dumps(task.after))))


def look(repository: Repository, tasks: Iterable[str]) -> None:
    """Read the results of those tasks, so that it is known which of them are of a newer version."""
    names = list(tasks)
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        query = f"SELECT task, oid FROM results WHERE task IN ({','.join('?' * len(part))})"  # noqa: S608
        oids = dict(repository.state.execute(query, part).fetchall())
        bodies = repository.git.blobs(oids.values())
        for task, oid in oids.items():
            try:
                Result.parse(bodies.get(oid, b""), task)
            except NewerSchema as error:
                note_result(repository.state, task, oid, error)
            except BadInput:
                continue


def barred(repository: Repository, tasks: Sequence[Task]) -> set[str]:
    """Those of the tasks that nobody may claim here, because what they rest on is of a newer version.

    Reads the results that they build on, of those that build on any.
    """
    state = repository.state
    needed: set[str] = set()
    for task in tasks:
        needed.update(task.after)
        if task.is_merge:
            needed.update(name for (name,) in state.execute(
                "SELECT task FROM results WHERE batch = ?", (task.batch,)
            ))  # fmt: skip
        elif task.after:
            needed.update(n for (n,) in state.execute("SELECT needs FROM waits WHERE task = ?", (task.task,)))
    look(repository, sorted(needed))
    if state.execute("SELECT 1 FROM newer LIMIT 1").fetchone() is None:
        return set()
    found: set[str] = set()
    for task in tasks:
        known = f"SELECT 1 FROM tasks t WHERE t.task = ? AND {BARRED}"  # noqa: S608 - a constant
        if (
            state.execute(known, (task.task,)).fetchone() is not None
            or _oid(state, "tasks", task.task) is not None
            or _oid(state, "batches", task.batch) is not None
        ):
            found.add(task.task)
    return found


def all_of(repository: Repository, scope: Scope | None = None) -> list[Newer]:
    """Every one that this clone knows of, of the scope's batch and ids where one is given."""
    query = "SELECT kind, path, version FROM newer"
    values: list[str] = []
    if scope is not None:
        query += " WHERE (kind = 'batches' OR name GLOB ?)"
        values.append(scope.glob)
        if scope.batch is not None:
            query += " AND batch = ?"
            values.append(scope.batch)
    return [Newer(*row) for row in repository.state.execute(f"{query} ORDER BY kind, path", values)]


def problem(repository: Repository, scope: Scope) -> CortexError | None:
    """What to say where a scope is empty because all that is in it is of a newer version."""
    for kind, path, schema in all_of(repository, scope):
        if kind == "tasks":
            return NewerSchema(path, "task", schema, SCHEMA)
    return None


def told(found: Sequence[Newer]) -> list[str]:
    """What a person should know of them, a line for each kind."""
    lines = []
    for kind, (name, what) in _KINDS.items():
        these = [one for one in found if one.kind == kind]
        if these:
            many = f"1 {name} needs" if len(these) == 1 else f"{len(these)} {_plural(name)} need"
            schema = max(one.schema for one in these)
            lines.append(
                f"{many} a newer cortex-git (schema {schema}, this one reads up to {SCHEMA}),"
                f" for example {these[0].path}: {what}"
            )
    return lines


def _plural(name: str) -> str:
    return f"{name}es" if name.endswith("ch") else f"{name}s"
