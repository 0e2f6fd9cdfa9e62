"""Which tasks do the work of which others again, or wait for them.

Owns how a task's retries are found: everybody derives the same ids. Reads the index and changes nothing.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cortex_git.models import Task, derived_name
from cortex_git.store import index
from cortex_git.store.index import Scope
from cortex_git.store.repository import Repository


@dataclass(frozen=True, slots=True)
class Lineage:
    """A task and all that did its work again, in their order; `next_id` is the first id that nobody has."""

    tasks: tuple[Task, ...]
    next_id: str

    @property
    def newest(self) -> Task:
        return self.tasks[-1]


def lineage_of(repository: Repository, task: str) -> Lineage:
    """The whole line that `task` is in, from its beginning. Raises BadInput where there is no such task."""
    line = [_first(repository, task)]
    family = {line[0].task}
    base, number = line[0].task, 1
    while (found := index.known_task(repository, derived_name(base, f"r{number}"))) is not None:
        number += 1
        if found.retry_of in family:  # else somebody named a task of their own like this
            family.add(found.task)
            line.append(found)
    return Lineage(tuple(line), derived_name(base, f"r{number}"))


def done_again_by(repository: Repository, task: str) -> list[str]:
    """Those after `task` that do its work again, in their order; none of a task that nobody has added."""
    if index.known_task(repository, task) is None:
        return []  # its result was pushed by hand
    line = [one.task for one in lineage_of(repository, task).tasks]
    return line[line.index(task) + 1 :] if task in line else []


def _first(repository: Repository, task: str) -> Task:
    """The task at the beginning of the line of retries that `task` is in."""
    first = index.task_of(repository, task)
    seen = {task}
    while first.retry_of is not None and first.retry_of not in seen:
        seen.add(first.retry_of)
        before = index.known_task(repository, first.retry_of)
        if before is None:
            break
        first = before
    return first


def waits_for(repository: Repository, task: str) -> list[str]:
    """Tasks without a result that `task` comes after, as of the last pull."""
    query = (
        "SELECT w.needs FROM waits w LEFT JOIN results r ON r.task = w.needs"
        " WHERE w.task = ? AND r.task IS NULL ORDER BY w.needs"
    )
    return [needs for (needs,) in repository.state.execute(query, (task,))]


def joins_after(
    repository: Repository, ended: Iterable[str] | None, besides: Scope | None = None
) -> list[Task]:
    """Merge tasks without a result that come after one of those, but for those in the scope `besides`.

    With None: after any task.
    """
    condition = "EXISTS (SELECT 1 FROM waits w WHERE w.task = t.task)"
    values: list[str] = []
    if ended is not None:
        condition = "t.task IN (SELECT task FROM waits WHERE needs IN (SELECT value FROM json_each(?)))"
        values = [json.dumps(list(ended))]
    query = f"SELECT t.body FROM open_tasks o JOIN tasks t ON t.task = o.task WHERE {condition}"  # noqa: S608
    if besides is not None:
        where, more = besides.where
        query += f" AND NOT ({where})"
        values += more
    rows = repository.state.execute(f"{query} ORDER BY t.task", values)
    return [task for (body,) in rows if (task := Task.parse(body, "index")).is_aggregate]


def descendants(repository: Repository, task: str) -> Sequence[str]:
    """Its parts, and what its result asked for, and theirs; sorted."""
    query = (
        "WITH RECURSIVE family(task) AS (VALUES (?) UNION SELECT c.task FROM children c"
        " JOIN family f ON c.parent = f.task), children(task, parent) AS MATERIALIZED"
        " (SELECT t.task, CASE WHEN json_valid(CAST(t.body AS TEXT)) THEN"
        " json_extract(CAST(t.body AS TEXT), '$.parent') END FROM tasks t)"
        " SELECT task FROM family WHERE task != ? ORDER BY task"
    )
    return [name for (name,) in repository.state.execute(query, (task, task))]
