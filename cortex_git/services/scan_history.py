"""Scan batches over time: which there were, what differs between two, and the trend over many.

Owns how batches are compared. A repository is always compared with its own last scan, so batches over
different repositories can follow each other. Reads only.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from cortex_git.errors import BadInput
from cortex_git.models import Batch
from cortex_git.results.scan_summary import rows_of
from cortex_git.scan.comparing import Difference, compare
from cortex_git.scan.fingerprints import name_then
from cortex_git.scan.records import SEVERITIES, RepositoryScan, Severity
from cortex_git.store import index, newer, tombstones
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

Counts = dict[Severity, int]
Judge = Callable[[Sequence[RepositoryScan]], Sequence[RepositoryScan]]
"""Takes out of rows what does not count, such as suppressed findings."""


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One scan batch of a list or a trend."""

    batch: str
    created_at: str
    repositories: int
    failed: int
    not_done: int
    """Repositories whose task has no result yet."""
    open: Counts
    """Findings of the batch, by severity."""


@dataclass(frozen=True, slots=True)
class TrendLine:
    """One scan batch beside what came before."""

    line: BatchLine
    new: Counts
    """Found now, and not by the last scan of the same repository; all of a repository's first scan."""
    fixed: Counts
    first_scanned: int
    """Repositories that no earlier batch of the trend scanned."""
    not_compared: int
    """Findings of the last scans of which this batch cannot tell, such as those of a failed repository."""


@dataclass(frozen=True, slots=True)
class BatchDifference:
    """Two batches compared."""

    earlier: BatchLine
    later: BatchLine
    difference: Difference
    databases: tuple[tuple[str, ...], tuple[str, ...]]
    """Which advisory databases answered in each: an advisory that is new may be all that changed."""


def scan_batches(coordination: Coordination, newest: int | None = None) -> list[Batch]:
    """The scan batches that are not archived, oldest first, or the `newest` of them."""
    coordination.pull()
    found = [one for one in index.batches(coordination.repository) if one.options.get("kind") == "scan"]
    return found if newest is None else found[max(0, len(found) - newest) :]


def archived_note(coordination: Coordination) -> str | None:
    """What a person should know of archived batches, which no list has; None where there are none."""
    count, _ = tombstones.counts(coordination.repository.state)
    many = "1 archived batch is not listed: `scans diff` takes it by name"
    if count > 1:
        many = f"{count:,} archived batches are not listed: `scans diff` takes scans among them by name"
    return many if count else None


def last_finished(coordination: Coordination, other_than: Collection[str]) -> Batch | None:
    """The newest scan batch of which every repository is done, None where there is none."""
    batches = (one for one in reversed(scan_batches(coordination)) if one.batch not in other_than)
    return next((one for one in batches if is_done(coordination, one)), None)


def is_done(coordination: Coordination, batch: Batch) -> bool:
    """Whether every repository of the batch has a result."""
    return not coordination.open_count(Scope(batch=batch.batch, merges=False))


def two_of(coordination: Coordination, earlier: str | None, later: str | None) -> tuple[str, str]:
    """The names of the two batches to compare: those given, else the last finished ones.

    Raises BadInput where there are not so many.
    """
    second = later or _name(last_finished(coordination, [earlier] if earlier else []))
    first = earlier or _name(last_finished(coordination, [second]))
    return first, second


def _name(batch: Batch | None) -> str:
    if batch is None:
        raise BadInput("there are no two finished scan batches yet", "run `cortex-git multi-repo-scan` again")
    return batch.batch


def scan_batch(coordination: Coordination, name: str) -> Batch:
    """The scan batch of that name, archived or not. Raises BadInput where there is none."""
    coordination.pull()
    newer.refuse(coordination.repository.state, "batches", name)
    batch = index.any_batch(coordination.repository, name)
    if batch is None:
        raise no_batch(name)
    if batch.options.get("kind") != "scan":
        raise BadInput(f"batch {name!r} is no scan", "see `cortex-git scans list`")
    return batch


def no_batch(name: str) -> BadInput:
    """The error where there is no batch of that name."""
    return BadInput(f"there is no batch {name!r}", "see `cortex-git scans list`")


def scan_rows(coordination: Coordination, batch: Batch) -> list[RepositoryScan]:
    """The rows of the batch's repositories that are done."""
    results = coordination.each_result(Scope(batch=batch.batch, merges=False))
    return rows_of(coordination, batch, results)


def all_count(rows: Sequence[RepositoryScan]) -> Sequence[RepositoryScan]:
    """Every finding counts."""
    return rows


def batch_lines(coordination: Coordination, newest: int | None, judge: Judge = all_count) -> list[BatchLine]:
    """What `scans list` shows, oldest first."""
    found = scan_batches(coordination, newest)
    return [_line(coordination, one, judge(scan_rows(coordination, one))) for one in found]


def difference(
    coordination: Coordination, earlier: str, later: str, judge: Judge = all_count
) -> BatchDifference:
    """Two batches compared, repository by repository. Raises BadInput where one of them is no scan batch."""
    first, second = scan_batch(coordination, earlier), scan_batch(coordination, later)
    then, now = judge(scan_rows(coordination, first)), judge(scan_rows(coordination, second))
    return BatchDifference(
        _line(coordination, first, then),
        _line(coordination, second, now),
        compare(then, now),
        (_databases(then), _databases(now)),
    )


def trend(coordination: Coordination, newest: int | None, judge: Judge = all_count) -> list[TrendLine]:
    """The scan batches one after the other, oldest first."""
    last: dict[str, list[RepositoryScan]] = {}
    lines: list[TrendLine] = []
    for batch in scan_batches(coordination, newest):
        rows = judge(scan_rows(coordination, batch))
        by_repo: dict[str, list[RepositoryScan]] = {}
        for row in rows:
            by_repo.setdefault(name_then(row.repo, row.folder), []).append(row)
        before = [row for repo in by_repo for row in last.get(repo, ())]
        found = compare(before, rows)
        read = {repo: own for repo, own in by_repo.items() if any(row.status != "failed" for row in own)}
        lines.append(
            TrendLine(
                line=_line(coordination, batch, rows),
                new=counts(one.finding.severity for one in found.new),
                fixed=counts(one.finding.severity for one in found.fixed),
                first_scanned=len(read.keys() - last.keys()),
                not_compared=len(found.not_compared),
            )
        )
        last |= read
        for left in found.not_compared:  # it may be there still: when it is seen again it is not new
            if (name := name_then(left.repo, left.folder)) in read:
                seen = RepositoryScan(left.repo, "incomplete", findings=(left.finding,), folder=left.folder)
                last[name] = [*last[name], seen]
    return lines


def counts(severities: Iterable[Severity]) -> Counts:
    """How often each severity comes, most severe first."""
    counted = Counter(severities)
    return {name: counted[name] for name in SEVERITIES}


def _line(coordination: Coordination, batch: Batch, rows: Sequence[RepositoryScan]) -> BatchLine:
    return BatchLine(
        batch=batch.batch,
        created_at=batch.created_at,
        repositories=len(rows),
        failed=sum(row.status == "failed" for row in rows),
        not_done=coordination.open_count(Scope(batch=batch.batch, merges=False)),
        open=counts(finding.severity for row in rows for finding in row.findings),
    )


def _databases(rows: Iterable[RepositoryScan]) -> tuple[str, ...]:
    return tuple(sorted({row.database for row in rows if row.database}))
