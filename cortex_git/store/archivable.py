"""What may be archived: batches all of whose tasks have ended, and of open batches the tasks that have.

Owns the conditions. Looks at the branch as last fetched and at the index; changes nothing.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cortex_git.errors import BadInput
from cortex_git.models import MERGE_SUFFIX, Batch, Tombstone
from cortex_git.store import layout, newer, outcomes, tombstones
from cortex_git.store.index import View, find_batch
from cortex_git.store.repository import Repository

DAY_S = 24 * 3600.0
ARCHIVED = "archived already"
"""Why a batch that is archived as a whole stays as it is."""
_NAMED_BY_OPEN = """
    WITH plain AS MATERIALIZED (
        SELECT t.task, CAST(t.body AS TEXT) AS body FROM tasks t
        WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.task = t.task) AND json_valid(CAST(t.body AS TEXT)))
    SELECT n.needs, n.task FROM (
        SELECT w.task, w.needs FROM waits w
        UNION ALL SELECT j.task, json_extract(j.body, '$.retry_of') FROM plain j
        UNION ALL SELECT j.task, json_extract(j.body, '$.parent') FROM plain j
    ) n JOIN tasks o ON o.task = n.task
    WHERE n.needs IS NOT NULL AND NOT EXISTS (SELECT 1 FROM results r WHERE r.task = n.task)"""
"""Tasks that open ones come after, do again, or are a part of."""


@dataclass(frozen=True, slots=True)
class Due:
    """One archive to be made."""

    stone: Tombstone
    """Its `commit` is the branch as it was looked at."""
    files: Mapping[str, str]
    """Every file that leaves the branch, with its object id."""
    back: bool = False
    """It was made before, and an older cortex-git folded these files again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A batch that stays, or of which nothing more can go, and why."""

    batch: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Ended:
    task: str
    documents: tuple[str, str]
    at: float | None
    """Seconds since 1970 by the clock of the host that published it; None where it does not say."""


def look(
    repository: Repository, view: View, base: str, older_s: float, batches: Sequence[str] = ()
) -> tuple[list[Due], list[Kept]]:
    """What of the branch's commit `base` can be archived, and what cannot, as of the pull that `view` is of.

    Batches named in `batches` whatever their age, else all that ended more than `older_s` seconds ago.
    """
    outcomes.outcomes(repository, 0)
    by_batch = _by_batch(repository, base)
    wanted = list(dict.fromkeys(batches)) or sorted(by_batch)
    named: dict[str, str] = dict(repository.state.execute(_NAMED_BY_OPEN).fetchall())
    due = _came_back(repository, base, by_batch)
    kept: list[Kept] = []
    for name in wanted:
        try:
            one = _Batch(repository, view, base, name, by_batch.get(name, {}), named)
            found = one.due(math.inf if batches else time.time() - older_s)
            if found is not None:
                due.append(found)
        except _Stays as why:
            kept.append(Kept(name, str(why)))
    return due, kept


def _by_batch(repository: Repository, base: str) -> dict[str, dict[str, str]]:
    """The files of each batch on the branch, with their object ids."""
    found: dict[str, dict[str, str]] = {}
    for path, oid in tombstones.listed(repository, base, f"{layout.ROOT}/"):
        owner = layout.owner_of(path)
        if owner is not None:
            found.setdefault(owner[0], {})[path] = oid
    return found


def _came_back(repository: Repository, base: str, by_batch: Mapping[str, Mapping[str, str]]) -> list[Due]:
    """Archives some of whose files are on the branch again."""
    archived = repository.state.execute("SELECT DISTINCT batch FROM archives").fetchall()
    paths = [path for (batch,) in archived for path in by_batch.get(batch, ())]
    found: list[Due] = []
    for stone in tombstones.standing_for(repository, base, paths):
        files = by_batch[stone.batch].items()
        again = {path: oid for path, oid in files if tombstones.stands_for(stone, path)}
        found += [Due(stone, again, back=True)] if again else []
    return found


class _Stays(Exception):
    """Why a batch is not archived."""


class _Batch:
    """One batch, as it is on the branch and in the index."""

    def __init__(
        self,
        repository: Repository,
        view: View,
        base: str,
        name: str,
        files: Mapping[str, str],
        named: Mapping[str, str],
    ) -> None:
        self._repository = repository
        self._view = view
        self._base = base
        self._name = name
        self._files = files
        self._named = named

    def due(self, before: float) -> Due | None:
        """Its archive; None where what ended did so after `before`, in seconds since 1970. Raises _Stays."""
        batch = self._document()
        ended, others = self._tasks()
        if not batch.sealed:
            old = [one for one in ended if before == math.inf or (one.at is not None and one.at <= before)]
            return self._archive(batch, old, self._next_part()) if old else None
        self._check_whole(batch, ended, others)
        too_young = before < math.inf and self._ended_at(batch, ended) > before
        return None if too_young else self._archive(batch, ended, 0)

    def _document(self) -> Batch:
        state = self._repository.state
        if tombstones.is_archived(state, self._name):
            raise _Stays(ARCHIVED)
        if newer.is_in(state, self._name):
            raise _Stays("a newer cortex-git wrote some of it: archive it with that")
        try:
            batch = find_batch(state, self._name)
        except BadInput as error:
            raise _Stays(error.message) from error
        if batch is None:
            raise _Stays("nobody has added such a batch")
        if layout.batch_path(self._name) not in self._files:
            raise _Stays("not folded into the branch yet")
        return batch

    def _tasks(self) -> tuple[list[_Ended], dict[str, str]]:
        """Its tasks that can go, and of each other why not."""
        rows = self._repository.state.execute(
            "SELECT t.task, t.path, t.oid, r.path, r.oid, o.completed_at FROM tasks t"
            " LEFT JOIN results r ON r.task = t.task LEFT JOIN outcomes o ON o.task = t.task"
            " WHERE t.batch = ? ORDER BY t.task",
            (self._name,),
        ).fetchall()
        ended: list[_Ended] = []
        others: dict[str, str] = {}
        for task, path, oid, result_path, result, completed_at in rows:
            why = self._why_not(task, path, result_path, result)
            if why is None:
                ended.append(_Ended(task, (oid, result), seconds_of(completed_at)))
            else:
                others[task] = why
        return ended, others

    def _why_not(self, task: str, path: str, result_path: str | None, result: str | None) -> str | None:
        if result is None or result_path is None:
            return "has no result"
        if path not in self._files or self._files.get(result_path) != result:
            return "is not folded into the branch yet"
        if task in self._view.claims:
            return "has a claim still"
        if task in self._named:
            return f"is needed by {self._named[task]}, which is open"
        return None

    def _check_whole(self, batch: Batch, ended: Sequence[_Ended], others: Mapping[str, str]) -> None:
        if others:
            task, why = next(iter(others.items()))
            more = f", and {len(others) - 1} more tasks" if len(others) > 1 else ""
            raise _Stays(f"{task} {why}{more}")
        names = {one.task for one in ended}
        last = f"{self._name}{MERGE_SUFFIX}"
        if len(names - {last}) < batch.tasks or (batch.merge and last not in names):
            raise _Stays("not all of its tasks are known here")

    def _ended_at(self, batch: Batch, ended: Sequence[_Ended]) -> float:
        times = [one.at for one in ended if one.at is not None]
        if (made := seconds_of(batch.created_at)) is not None:
            times.append(made)
        if not times:
            raise _Stays("its results do not say when it ended: name it to archive it")
        return max(times)

    def _next_part(self) -> int:
        query = "SELECT max(part) FROM archives WHERE batch = ?"
        return int(self._repository.state.execute(query, (self._name,)).fetchone()[0] or 0) + 1

    def _archive(self, batch: Batch, ended: Sequence[_Ended], part: int) -> Due:
        stone = Tombstone(
            batch=self._name,
            part=part,
            commit=self._base,
            sharded=batch.sharded,
            tasks={one.task: one.documents for one in ended},
        )
        files = {path: oid for path, oid in self._files.items() if tombstones.stands_for(stone, path)}
        return Due(stone, files)


def seconds_of(stamp: str | None) -> float | None:
    """A moment that some host wrote down, in seconds since 1970; None for what is none."""
    try:
        return datetime.fromisoformat((stamp or "").replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
