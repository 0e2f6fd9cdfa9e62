"""Open tasks: those that could be claimed now, in the order in which they should be.

Owns what gates a claim before anybody tries it. Reads the index and changes nothing.

A task is left out while one that it comes after has no result. As results never vanish, what was let
through once stays let through: an old view can hold a task back for a moment, and never lets one go early.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from cortex_git.models import MERGE_SUFFIX, Task
from cortex_git.store.index import Scope, chunks, find_batch, task_of
from cortex_git.store.newer import BARRED
from cortex_git.store.repository import Repository

_AGE_LEVELS_PER_DAY = 48
"""A waiting task gains one priority level each half hour, so that nothing starves."""
_AGE_DAYS = """
    CASE WHEN julianday('now') - julianday(t.created_at) >= -1
    THEN julianday('now') - julianday(t.created_at) ELSE 1000000 END"""
"""Without a date, or with one of the future that no honest clock shows, an age would never grow: such a
task counts as the oldest there is."""
UNFINISHED = "NOT EXISTS (SELECT 1 FROM results r WHERE r.task = t.task)"
"""The condition on table `tasks` as `t`: it has no result."""
NEEDED = "NOT EXISTS (SELECT 1 FROM results d WHERE d.task = w.needs)"
"""The condition on table `waits` as `w`: what is waited for has no result."""
WAITING = f"EXISTS (SELECT 1 FROM waits w WHERE w.task = t.task AND {NEEDED})"  # noqa: S608 - a constant
"""The condition on table `tasks` as `t`: one that it comes after has no result."""
_READY = f"{UNFINISHED} AND NOT {WAITING} AND NOT {BARRED}"
_HELD_UP = f"""
    t.task LIKE '%{MERGE_SUFFIX}' AND EXISTS (
        SELECT 1 FROM waits w JOIN tasks o ON o.task = w.task WHERE o.batch = t.batch
        AND NOT EXISTS (SELECT 1 FROM results r WHERE r.task = o.task)
        AND {NEEDED})"""  # noqa: S608
"""It is the last task of a batch of which others still wait for tasks."""


def open_tasks(repository: Repository, scope: Scope, limit: int, skip: Iterable[str] = ()) -> list[Task]:
    """Up to `limit` tasks in scope that can be claimed, most urgent first, rotated by host within a level.

    A batch's `.merge` task is open only when every other task of the sealed batch has a result.
    `skip` are ids to leave out (claimed by a living owner).
    """
    condition, values = scope.where
    rows = repository.state.execute(
        f"SELECT t.task, t.rank - CAST(({_AGE_DAYS}) * ? AS INTEGER)"  # noqa: S608
        f" FROM tasks t WHERE {condition} AND {_READY}"
        " ORDER BY 2, t.created_at, t.task",
        (_AGE_LEVELS_PER_DAY, *values),
    ).fetchall()
    skipped = set(skip)
    levels: dict[int, list[str]] = {}
    for task, level in rows:
        if task not in skipped:
            levels.setdefault(level, []).append(task)
    chosen: list[Task] = []
    for name in _rotated(levels, repository.host):
        if name.endswith(MERGE_SUFFIX) and not _mergeable(repository.state, name):
            continue
        chosen.append(task_of(repository, name))
        if len(chosen) >= limit:
            break
    return chosen


def count_ready(repository: Repository, scope: Scope) -> int:
    """How many tasks in scope have no result and wait for none that comes before them.

    The last task of a batch is one of them as long as no other task of the batch waits like that.
    """
    condition, values = scope.where
    query = f"SELECT count(*) FROM tasks t WHERE {condition} AND {_READY} AND NOT ({_HELD_UP})"  # noqa: S608
    return int(repository.state.execute(query, values).fetchone()[0])


def count_ready_of(repository: Repository, scope: Scope, tasks: Sequence[str]) -> int:
    """How many of the named tasks are in scope, have no result and wait for none."""
    condition, values = scope.where
    found = 0
    for part in chunks(tasks):
        marks = ",".join("?" * len(part))
        query = f"SELECT count(*) FROM tasks t WHERE {condition} AND t.task IN ({marks}) AND {_READY}"  # noqa: S608
        found += int(repository.state.execute(query, (*values, *part)).fetchone()[0])
    return found


def _rotated(levels: dict[int, list[str]], host: str) -> Iterable[str]:
    """The names level by level, each level started at a place that depends on the host."""
    turn = sum(host.encode()) * 7919
    for _, names in sorted(levels.items()):
        start = turn % len(names)
        yield from names[start:]
        yield from names[:start]


def _mergeable(state: sqlite3.Connection, task: str) -> bool:
    """Whether every other task of the sealed batch has a result, also those another host added to it."""
    name = task.removesuffix(MERGE_SUFFIX)
    batch = find_batch(state, name)
    if batch is None or not batch.sealed:
        return False
    query = (
        "SELECT count(r.task), count(*) FROM tasks t LEFT JOIN results r ON r.task = t.task"
        " WHERE t.batch = ? AND t.task != ?"
    )
    done, known = state.execute(query, (name, task)).fetchone()
    return bool(done == known >= batch.tasks)
