"""`--baseline last`: for each repository the row of its newest finished scan batch.

Owns which earlier scan a repository is compared with. Must never give one another's row: a name is a
repository's own only with the same address, so a local one's with the same folder. Reads only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from cortex_git.config import cache_folder
from cortex_git.models import Batch, Task
from cortex_git.results.taken_over import earlier_rows, names_beside, references_of
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.sources import Source
from cortex_git.services.resuming import LAST, looks_for_secrets
from cortex_git.services.scan_history import is_done, scan_batches
from cortex_git.store import tasks, tombstones
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


class Wanted(NamedTuple):
    """A repository to find the last scan of."""

    repo: str
    folder: str
    """Its absolute path, where it is a local one."""
    ref: str | None


class LastScans(NamedTuple):
    """What was found of the repositories' last scans."""

    rows: tuple[RepositoryScan, ...]
    batches: tuple[str, ...]
    """Those that the rows are from, newest first."""
    unknown: tuple[str, ...]
    """The repositories of which there is none, by their names."""


def last_scans(
    coordination: Coordination,
    running: str | None,
    sources: Sequence[Source],
    *,
    sample: bool = False,
    secrets: bool = False,
) -> LastScans:
    """The rows of the repositories, each from the newest scan batch that is done and could read it.

    Of the same `@ref`, and where secrets are looked for one that looked for them too; where there is none,
    of another ref or without secrets. Where `running` goes on: from older ones alone, and of its repositories
    too. Samples are compared with samples alone: no repository of theirs is anybody's.
    """
    known = scan_batches(coordination)
    going_on = _running(coordination, running, known)
    wanted = [_wanted(source.repo, source.url, source.ref) for source in sources]
    if going_on is not None:
        known = [one for one in known if one.created_at <= going_on.created_at and one != going_on]
        sample, secrets = bool(going_on.options.get("sample")), secrets or looks_for_secrets(going_on)
        wanted += [_of(task) for task in _tasks(coordination, going_on)]
    search = _Search(coordination, wanted, secrets=secrets)
    for batch in reversed(known):
        if not search.left:
            break
        if bool(batch.options.get("sample")) == sample and is_done(coordination, batch):
            search.look_into(batch)
    return search.found(known)


def _running(coordination: Coordination, name: str | None, known: Sequence[Batch]) -> Batch | None:
    if name is None:
        return None
    if name == LAST:
        return next((one for one in reversed(known) if not is_done(coordination, one)), None)
    there = next((one for one in known if one.batch == name), None)
    return there or tombstones.batch(coordination.repository, name)


def _tasks(coordination: Coordination, batch: Batch) -> Iterator[Task]:
    yield from tasks.listed(coordination.repository, Scope(batch=batch.batch, merges=False))
    others = [reference.task for reference in references_of(batch)]
    yield from tasks.named(coordination.repository, others).values()


def _of(task: Task) -> Wanted:
    ref = task.context.get("ref")
    return _wanted(task.repo or "", tasks.local_path(task), ref if isinstance(ref, str) else None)


def _wanted(repo: str, url: str, ref: str | None) -> Wanted:
    return Wanted(repo, url if url.startswith("/") else "", ref)


class _Search:
    """Goes through batches, newest first, until every repository is found."""

    def __init__(self, coordination: Coordination, wanted: Sequence[Wanted], *, secrets: bool) -> None:
        self._repository = coordination.repository
        self._secrets = secrets
        self._cache = ScanCache(cache_folder())
        self._seen: set[str] = set()
        self._all = list(dict.fromkeys(wanted))
        self.left = set(self._all)
        self._rows: dict[Wanted, tuple[str, RepositoryScan]] = {}
        self._second: dict[tuple[str, str], list[tuple[str, RepositoryScan]]] = {}
        """Rows of the newest batch that has the repository at another ref, or without secrets."""

    def look_into(self, batch: Batch) -> None:
        """Take from the batch what it has of the repositories that are not found yet."""
        names = names_beside(batch, self._seen)
        places = {one[:2] for one in self.left}
        about = tasks.about(self._repository, {repo for repo, _ in places}, batch.batch, names)
        found = {task.task: one for task in about if (one := _of(task))[:2] in places}
        rows = earlier_rows(self._repository, list(found), self._cache)
        second: dict[tuple[str, str], list[tuple[str, RepositoryScan]]] = {}
        for task, one in found.items():
            row = rows.get(task)
            if row is None or row.status == "failed":  # it knows nothing, and what was there is there still
                continue
            own = (batch.batch, replace(row, folder=one.folder))
            if one in self.left and (row.secrets_looked is not None or not self._secrets):
                self.left.discard(one)
                self._rows[one] = own
            else:
                second.setdefault(one[:2], []).append(own)
        self._second = second | self._second

    def found(self, known: Sequence[Batch]) -> LastScans:
        """What came of it."""
        chosen: dict[Wanted | tuple[str, str], list[tuple[str, RepositoryScan]]] = {}
        unknown: dict[str, None] = {}
        for one in self._all:
            if one in self._rows:
                chosen[one] = [self._rows[one]]
            elif one[:2] in self._second:
                chosen[one[:2]] = self._second[one[:2]]
            else:
                unknown[one.repo] = None
        pairs = [pair for each in chosen.values() for pair in each]
        used = {name for name, _ in pairs}
        batches = tuple(one.batch for one in reversed(known) if one.batch in used)
        return LastScans(tuple(row for _, row in pairs), batches, tuple(unknown))
