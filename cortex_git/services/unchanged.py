"""Which repositories of a scan need none, because an earlier batch has their row.

A row is taken over only where a scan would make the same one: it was complete, of the commit that the
repository is at now, by the same readers with the same limits against the same database. Must never take over
anything else; what cannot be told is scanned. Where there is no such row, nobody is asked for anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from cortex_git.errors import BadInput
from cortex_git.models import Batch, Task
from cortex_git.results.taken_over import Reference, earlier_rows, names_beside
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.gap_kinds import LASTING
from cortex_git.scan.reading.heads import heads_of
from cortex_git.scan.reading.host_gate import HostGate
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.sources import Credentials, Source
from cortex_git.store import index, tasks
from cortex_git.store.coordination import Coordination

LAST = "last"
"""The newest scan batch of each repository."""
MOST_BATCHES = 100
"""Scan batches that are looked into for those, the newest ones: a first scan beside many must not be slow."""
_KNOWN_CONTEXT = frozenset({"url", "ref", "secrets"})
"""What the task of a plain scan says. One that says more asked others, whose answers are not ours to keep."""

_Key = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Since:
    """What rows may be taken over from: `text` names a batch, or is `last`; else batches after `moment`."""

    text: str = LAST
    moment: float | None = None
    """Seconds since 1970, where `text` is a moment too."""


def done_before(
    coordination: Coordination, sources: Sequence[Source], since: Since, *, sample: bool, secrets: bool
) -> dict[int, str]:
    """By the place of a repository in `sources`, from 1, the task of its newest scan that is done.

    Of scans that looked for secrets, too, or that did not, and of samples or not. Looks at what was last
    pulled. Raises BadInput where `since` is neither a scan batch, a moment nor `last`.
    """
    left: dict[_Key, int] = {
        (source.repo, source.url, source.ref): number for number, source in enumerate(sources, 1)
    }
    found: dict[int, str] = {}
    seen: set[str] = set()
    for batch in _batches(coordination, since, sample=sample):
        if not left:
            break
        of_batch = dict(_in(coordination, batch, left, seen, secrets=secrets))
        done = index.with_result(coordination.repository, list(of_batch.values()))
        found |= {left.pop(key): task for key, task in of_batch.items() if task in done}
    return dict(sorted(found.items()))


def unchanged(
    coordination: Coordination,
    sources: Sequence[Source],
    found: Mapping[int, str],
    *,
    mark: str,
    credentials: Credentials | None = None,
    gate: HostGate | None = None,
    cache: ScanCache | None = None,
) -> list[Reference]:
    """Those of the rows that `done_before` found that a scan whose `row_mark` is `mark` would make again."""
    rows = earlier_rows(coordination.repository, list(found.values()), cache)
    whole = {number: commit for number, task in found.items() if (commit := _commit(rows.get(task), mark))}
    heads = heads_of([sources[number - 1] for number in whole], credentials, gate=gate)
    return [
        Reference(number, found[number])
        for (number, commit), head in zip(whole.items(), heads, strict=True)
        if commit == head
    ]


def _commit(row: RepositoryScan | None, mark: str) -> str | None:
    """Of which commit the row is, if it could be taken over at all."""
    if row is None or row.mark != mark or not _same_again(row):
        return None
    return row.commit


def _same_again(row: RepositoryScan) -> bool:
    """Whether what the row says would be found again: it is whole, or all that it lacks is in the commit."""
    if row.status == "incomplete":
        return bool(row.not_scanned) and all(gap.kind in LASTING for gap in row.not_scanned)
    return row.status == "scanned"


def _batches(coordination: Coordination, since: Since, *, sample: bool) -> Iterator[Batch]:
    """The batches to look into, newest first."""
    repository = coordination.repository
    named = index.any_batch(repository, since.text)
    if named is not None and named.options.get("kind") == "scan":
        return iter([named])
    if since.moment is None and since.text != LAST:
        raise BadInput(*no_such(since.text))
    alike = (
        batch
        for batch in reversed(index.batches(repository))
        if batch.options.get("kind") == "scan" and bool(batch.options.get("sample")) == sample
    )
    if since.moment is None:
        return islice(alike, MOST_BATCHES)
    earliest = since.moment
    return (batch for batch in alike if _made_at(batch) >= earliest)


def no_such(text: str) -> tuple[str, str]:
    """What is wrong with a `--changed-since` that says nothing, and what to do."""
    return (
        f"--changed-since {text!r} is no scan batch and no moment",
        "name a batch, or give last, 24h or 2026-11-01",
    )


def _made_at(batch: Batch) -> float:
    try:
        return datetime.fromisoformat(batch.created_at.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _in(
    coordination: Coordination, batch: Batch, wanted: Mapping[_Key, int], seen: set[str], *, secrets: bool
) -> Iterator[tuple[_Key, str]]:
    """Those of the wanted repositories that the batch has a row of, each with the row's task.

    Not what was taken over and `seen` in another batch.
    """
    names = names_beside(batch, seen)
    repos = {repo for repo, _, _ in wanted}
    for task in _plain(tasks.about(coordination.repository, repos, batch.batch, names), secrets=secrets):
        url, ref = task.context.get("url"), task.context.get("ref")
        if isinstance(url, str) and isinstance(ref, str | None) and (task.repo or "", url, ref) in wanted:
            yield (task.repo or "", url, ref), task.task


def _plain(found: Iterable[Task], *, secrets: bool) -> Iterator[Task]:
    """The tasks of our own scanner alone that looked for the same."""
    return (
        task
        for task in found
        if task.context.keys() <= _KNOWN_CONTEXT
        and (task.context.get("secrets") is True) == secrets
        and task.runner in ("", "scan")
    )
