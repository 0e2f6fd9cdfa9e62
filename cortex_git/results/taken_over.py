"""Rows that a scan batch took over from earlier ones: references in its document, read like rows of its own.

A batch over repositories that have not changed would otherwise write the same tasks and results every night.
Each reference names the task whose result has the row, never another reference. Must never leave a row out:
one that cannot be read is a failed row.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from cortex_git.models import Batch, Task
from cortex_git.results.rows import row_of
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.records import RepositoryScan
from cortex_git.store import index, results, tasks
from cortex_git.store.repository import Repository

KEY = "unchanged"
"""The option of a batch that holds its references."""
MOST = 100_000
"""References that are read; a document of more was not written by this program."""
_NUMBERED = re.compile(r"(?P<stem>.*-)(?P<number>[0-9]{1,9})")
_read_before: dict[str, RepositoryScan] = {}
"""By the object id of their result, which stands for its content: a command both chooses and reports rows."""
_GONE = "the row that was taken over cannot be read here: its result is damaged, missing or newer"


class Reference(NamedTuple):
    """One row that was taken over."""

    number: int
    """The repository's place in the batch, from 1."""
    task: str
    """The task of an earlier batch whose result has the row."""


def written(references: Iterable[Reference]) -> list[list[Any]]:
    """The references as a batch keeps them: `[number, task, count]`, neighbouring ones together."""
    runs: list[list[Any]] = []
    for reference in sorted(references):
        if runs and reference == _nth(runs[-1], runs[-1][2]):
            runs[-1][2] += 1
        else:
            runs.append([reference.number, reference.task, 1])
    return runs


def references_of(batch: Batch) -> list[Reference]:
    """What the batch took over, in the order of its repositories; what is not of this form names no task."""
    return list(_read(_runs(batch)))


def names_beside(batch: Batch, seen: set[str]) -> list[str]:
    """The tasks whose rows the batch took over, but for runs that are in `seen`, to which its own are added.

    Every night takes over nearly the same, and many nights are looked through.
    """
    fresh = [run for run in _runs(batch) if str(run) not in seen]
    seen.update(str(run) for run in fresh)
    return [reference.task for reference in _read(fresh)]


def _runs(batch: Batch) -> list[Any]:
    runs = batch.options.get(KEY, [])
    return runs if isinstance(runs, list) else [runs]


def _read(runs: Sequence[Any]) -> Iterator[Reference]:
    left = MOST
    for run in runs:
        match run:
            case [int(number), str(_), int(count)] if number > 0 and 0 < count <= left:
                left -= count
                yield from (_nth(run, place) for place in range(count))
            case _:
                yield Reference(MOST, "")


def _nth(run: Sequence[Any], place: int) -> Reference:
    number, task, _ = run
    found = _NUMBERED.fullmatch(task)
    if place == 0 or found is None:
        return Reference(number + place, task if place == 0 else "")
    digits = found["number"]
    return Reference(number + place, f"{found['stem']}{int(digits) + place:0{len(digits)}d}")


def taken_over(repository: Repository, batch: Batch) -> list[tuple[int, RepositoryScan]]:
    """The rows that the batch took over, each with its place, which says since when it is unchanged."""
    references = references_of(batch)
    names = [reference.task for reference in references]
    rows = earlier_rows(repository, names)
    missing = tasks.named(repository, [name for name in names if name not in rows])
    folders = tasks.local_paths(repository, names)
    return [
        (number, replace(rows.get(task) or _failed(task, missing.get(task)), folder=folders.get(task, "")))
        for number, task in references
    ]


def earlier_rows(
    repository: Repository, names: Sequence[str], cache: ScanCache | None = None
) -> dict[str, RepositoryScan]:
    """By task the rows of those of the tasks that have a readable result, marked with their batch.

    Those that the cache has need no git process and a third of the time.
    """
    oids = index.result_oids(repository, names)
    if cache is not None:
        _read_before.update(cache.rows([oid for oid in oids.values() if oid not in _read_before]))
    unknown = [name for name, oid in oids.items() if oid not in _read_before]
    if len(_read_before) + len(unknown) > MOST:
        _read_before.clear()
    for result in results.read_results(repository, unknown):
        _read_before[oids[result.task]] = replace(row_of(result, result.task), unchanged_since=result.batch)
    return {name: _read_before[oid] for name, oid in oids.items() if oid in _read_before}


def place_of(task: str) -> int:
    """Which of its batch's repositories a scan task is for, by the number that ends its id, else MOST."""
    found = _NUMBERED.fullmatch(task)
    return int(found["number"]) if found else MOST


def keep_rows(
    repository: Repository, batch: str, rows: Mapping[str, RepositoryScan], cache: ScanCache
) -> None:
    """Have the rows of these tasks of the batch at hand for batches that take them over."""
    for task, oid in index.result_oids(repository, list(rows)).items():
        cache.remember_row(oid, replace(rows[task], unchanged_since=batch))
    cache.save()


def _failed(name: str, task: Task | None) -> RepositoryScan:
    repo = (task.repo or task.title) if task else name or "a repository of this batch"
    return RepositoryScan(repo, "failed", error=_GONE, unchanged_since=task.batch if task else None)
