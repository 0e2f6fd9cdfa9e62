"""`multi-repo-scan --changed-since`: which repositories need no scan, because an earlier batch has their row.

A row is taken over only where a scan would make the same one: it was complete, of the commit that the
repository is at now, by the same readers with the same limits against the same database. Must never take over
anything else; what cannot be told is scanned.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cortex_git.errors import BadInput
from cortex_git.models import Batch, Task
from cortex_git.results.taken_over import Reference, earlier_rows, references_of
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.reading.heads import heads_of
from cortex_git.scan.reading.host_gate import HostGate
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.sources import Credentials, Source
from cortex_git.store import index, tasks, tombstones
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

LAST = "last"
"""The newest scan batch that has any of the repositories."""
_KNOWN_CONTEXT = frozenset({"url", "ref", "secrets"})
"""What the task of a plain scan says; of secrets the row's mark tells.

One that says more asked others, whose answers are not ours to keep."""

_Key = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Since:
    """What rows may be taken over from: `text` names a batch, or is `last`; else batches after `moment`."""

    text: str
    moment: float | None = None
    """Seconds since 1970, where `text` is a moment too."""


def unchanged(
    coordination: Coordination,
    sources: Sequence[Source],
    since: Since,
    *,
    mark: str,
    sample: bool = False,
    credentials: Credentials | None = None,
    gate: HostGate | None = None,
    cache: ScanCache | None = None,
) -> list[Reference]:
    """The rows to take over, by their places in `sources` from 1. Looks at what was last pulled.

    Raises BadInput where `since` is neither a scan batch, a moment nor `last`.
    """
    wanted: dict[_Key, int] = {_key(source): number for number, source in enumerate(sources, 1)}
    candidates: dict[int, list[str]] = {}
    for batch in _batches(coordination, since, sample):
        for number, task in _in(coordination, batch, wanted):
            candidates.setdefault(number, []).append(task)
        if candidates and (since.text == LAST or len(candidates) == len(sources)):
            break
    heads = heads_of([sources[number - 1] for number in candidates], credentials, gate=gate)
    tasks_of_all = [task for names in candidates.values() for task in names]
    rows = earlier_rows(coordination.repository, tasks_of_all, cache)
    found: list[Reference] = []
    for (number, names), head in zip(candidates.items(), heads, strict=True):
        same = [name for name in names if head and _is_the_same(rows.get(name), head, mark)]
        found += [Reference(number, name) for name in same[:1]]
    return found


def _is_the_same(row: RepositoryScan | None, head: str, mark: str) -> bool:
    return row is not None and (row.status, row.commit, row.mark) == ("scanned", head, mark)


def _key(source: Source) -> _Key:
    return source.repo, source.url, source.ref


def _batches(coordination: Coordination, since: Since, sample: bool) -> Iterator[Batch]:
    """The batches to look into, newest first."""
    repository = coordination.repository
    named = index.find_batch(repository.state, since.text) or tombstones.batch(repository, since.text)
    if named is not None and named.options.get("kind") == "scan":
        yield named
        return
    if since.moment is None and since.text != LAST:
        raise BadInput(
            f"--changed-since {since.text!r} is no scan batch and no moment",
            "name a batch, or give last, 24h or 2026-11-01",
        )
    for batch in reversed(index.batches(repository)):
        of_this_kind = batch.options.get("kind") == "scan" and bool(batch.options.get("sample")) == sample
        if of_this_kind and _made_at(batch) >= (since.moment or 0.0):
            yield batch


def _made_at(batch: Batch) -> float:
    try:
        return datetime.fromisoformat(batch.created_at.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _in(coordination: Coordination, batch: Batch, wanted: Mapping[_Key, int]) -> Iterator[tuple[int, str]]:
    """The places of the wanted repositories that the batch has a row of, each with the row's task."""
    own = tasks.listed(coordination.repository, Scope(batch=batch.batch, merges=False))
    names = [reference.task for reference in references_of(batch)]
    for task in _plain((*own, *tasks.named(coordination.repository, names).values())):
        url, ref = task.context.get("url"), task.context.get("ref")
        number = wanted.get((task.repo or "", url, ref)) if isinstance(url, str) else None
        if number is not None:
            yield number, task.task


def _plain(found: Iterable[Task]) -> Iterator[Task]:
    return (task for task in found if task.context.keys() <= _KNOWN_CONTEXT and task.runner in ("", "scan"))
