"""Bringing the index up to date: what changed on the refs since it was looked at last is read and entered.

Owns reading tasks and batches out of git, and which of two documents under one id counts. No step reads
everything every time: only the difference between the tips seen last and those seen now.
"""

import json
import math
import sqlite3
from collections.abc import Iterable, Sequence

from cortex_git.errors import BadInput, NewerSchema
from cortex_git.models import PRIORITIES, Batch, Task
from cortex_git.state import boot_id, transaction
from cortex_git.store import layout, newer, tombstones
from cortex_git.store.differences import bodies, new_in
from cortex_git.store.index import View, chunks
from cortex_git.store.repository import Repository

_AGAIN = """
    WITH RECURSIVE again(task) AS (
        SELECT value FROM json_each(?)
        UNION SELECT r.task FROM again a JOIN retries r ON r.retry_of = a.task)"""
"""`again`: the tasks of a JSON list, and all that do their work again."""


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
