"""Open tasks: those that could be claimed now, in the order in which they should be.

Owns what gates a claim before anybody tries it. Reads the index and changes nothing. What it costs depends on
how many tasks are asked for, not on how many there are: see `derived`.

A task is left out while one that it comes after has no result. As results never vanish, what was let
through once stays let through: an old view can hold a task back for a moment, and never lets one go early.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice

from cortex_git.derived import AGE_LEVELS_PER_DAY
from cortex_git.models import MERGE_SUFFIX, Task
from cortex_git.store.index import Scope, chunks, find_batch, task_of
from cortex_git.store.newer import BARRED
from cortex_git.store.repository import Repository

NEEDED = "NOT EXISTS (SELECT 1 FROM results d WHERE d.task = w.needs)"
"""The condition on table `waits` as `w`: what is waited for has no result."""
READY = f"t.unmet = 0 AND NOT (EXISTS (SELECT 1 FROM newer) AND {BARRED})"  # noqa: S608 - a constant
"""The condition on table `open_tasks` as `t`: all that it comes after have results that can be read."""
WAITING = "t.unmet > 0"
"""The condition on table `open_tasks` as `t`: one that it comes after has no result."""
_HELD_UP = f"""
    t.task LIKE '%{MERGE_SUFFIX}'
    AND EXISTS (SELECT 1 FROM open_tasks o WHERE o.batch = t.batch AND o.unmet > 0)"""  # noqa: S608
"""It is the last task of a batch of which others still wait for tasks."""
_LEAST_WINDOW = 2_000
_WINDOW_EACH = 8
"""Hosts are spread over so many of the most urgent tasks: enough that they seldom meet."""


def open_tasks(repository: Repository, scope: Scope, limit: int, skip: Iterable[str] = ()) -> list[Task]:
    """Up to `limit` tasks in scope that can be claimed, most urgent first, rotated by host within a level.

    A batch's `.merge` task is open only when every other task of the sealed batch has a result.
    `skip` are ids to leave out (claimed by a living owner).
    """
    skipped = set(skip)
    chosen: list[Task] = []
    # The order of `due` is that of the levels, at any time: a window of it holds the most urgent ones.
    rows = _in_order(repository.state, scope)
    free = ((task, level) for task, level in rows if task not in skipped)
    while len(chosen) < limit and (window := list(islice(free, _LEAST_WINDOW + _WINDOW_EACH * limit))):
        levels: dict[int, list[str]] = {}
        for task, level in window:
            levels.setdefault(level, []).append(task)
        for name in _rotated(levels, repository.host):
            if name.endswith(MERGE_SUFFIX) and not _mergeable(repository.state, name):
                continue
            chosen.append(task_of(repository, name))
            if len(chosen) >= limit:
                break
    return chosen


def _in_order(state: sqlite3.Connection, scope: Scope) -> Iterable[tuple[str, int]]:
    """Tasks in scope that wait for none, each with its level as of now; read as far as it is asked for."""
    condition, values = scope.where
    rows: Iterable[tuple[str, int]] = state.execute(
        "SELECT t.task, t.rank - CAST((julianday('now') - t.since) * ? AS INTEGER)"  # noqa: S608
        f" FROM open_tasks t WHERE {condition} AND {READY} ORDER BY t.due, t.created_at, t.task",
        (AGE_LEVELS_PER_DAY, *values),
    )
    return rows


def count_ready(repository: Repository, scope: Scope) -> int:
    """How many tasks in scope have no result and wait for none that comes before them.

    The last task of a batch is one of them as long as no other task of the batch waits like that.
    """
    condition, values = scope.where
    query = f"SELECT count(*) FROM open_tasks t WHERE {condition} AND {READY} AND NOT ({_HELD_UP})"  # noqa: S608
    return int(repository.state.execute(query, values).fetchone()[0])


def count_ready_of(repository: Repository, scope: Scope, tasks: Sequence[str]) -> int:
    """How many of the named tasks are in scope, have no result and wait for none."""
    condition, values = scope.where
    found = 0
    for part in chunks(tasks):
        marks = ",".join("?" * len(part))
        query = f"SELECT count(*) FROM open_tasks t WHERE {condition} AND t.task IN ({marks}) AND {READY}"  # noqa: S608
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
    if state.execute("SELECT 1 FROM open_tasks WHERE batch = ? AND task != ?", (name, task)).fetchone():
        return False
    query = "SELECT count(*) FROM tasks WHERE batch = ? AND task != ?"
    return bool(state.execute(query, (name, task)).fetchone()[0] >= batch.tasks)
