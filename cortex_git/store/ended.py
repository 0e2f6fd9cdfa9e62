"""Every task that ended in a period or a batch, with its document and its result, a thousand at a time.

Owns how many are in memory at once: one git call, or two where some are archived, reads them all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cortex_git.errors import BadInput
from cortex_git.models import Result, Task
from cortex_git.store import outcomes, tombstones
from cortex_git.store.archivable import seconds_of
from cortex_git.store.repository import Repository

AT_ONCE = 1000
_SPREAD = timedelta(days=1)
"""Stamps are compared as text first; those of another time zone are this far from what they say."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One task that has ended."""

    task: str
    batch: str
    document: Task | None
    """None where it cannot be read here."""
    result: Result | None
    """None where it cannot be read here."""
    redone: bool
    """Whether another task does its work again."""


def ended(
    repository: Repository,
    *,
    batch: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Iterator[Ended]:
    """Those of a batch or of all, archived ones too, as of the last pull; in no order.

    `since` and `until` (seconds since 1970) are by the clock of the host that published the result. What does
    not say when it was completed, or cannot be read, is in no period.
    """
    outcomes.outcomes(repository, 0)  # catches up
    clauses, values = ["1"], []
    if batch is not None:
        clauses.append("r.batch = ?")
        values.append(batch)
    if since is not None:
        clauses.append("o.completed_at >= ?")
        values.append(_stamp(since, -_SPREAD))
    if until is not None:
        clauses.append("o.completed_at < ?")
        values.append(_stamp(until, _SPREAD))
    rows = repository.state.execute(
        "SELECT o.task, r.batch, r.path, r.oid, t.body,"  # noqa: S608
        " EXISTS (SELECT 1 FROM retries a WHERE a.retry_of = o.task)"
        " FROM outcomes o JOIN results r ON r.task = o.task LEFT JOIN tasks t ON t.task = o.task"
        f" WHERE {' AND '.join(clauses)}",
        values,
    )
    while found := rows.fetchmany(AT_ONCE):
        for one in _read(repository, found):
            if (since is None and until is None) or _within(one.result, since, until):
                yield one


def _within(result: Result | None, since: float | None, until: float | None) -> bool:
    at = None if result is None else seconds_of(result.completed_at)
    return at is not None and (since is None or since <= at) and (until is None or at < until)


def newest_batch(repository: Repository, until: float) -> str | None:
    """The batch in which a task ended last before `until` (seconds since 1970); None without any."""
    outcomes.outcomes(repository, 0)  # catches up
    row = repository.state.execute(
        "SELECT r.batch FROM outcomes o JOIN results r ON r.task = o.task WHERE o.completed_at < ?"
        " AND o.completed_at != '' ORDER BY o.completed_at DESC, o.task DESC LIMIT 1",
        (_stamp(until, timedelta()),),
    ).fetchone()
    return None if row is None else str(row[0])


_Row = tuple[str, str, str, str, bytes | None, int]


def _read(repository: Repository, rows: Sequence[_Row]) -> Iterator[Ended]:
    bodies = tombstones.blobs(repository, [oid for _, _, _, oid, _, _ in rows])
    archived = tombstones.tasks(repository, [row[0] for row in rows if row[4] is None])
    for task, batch, path, oid, body, redone in rows:
        document = archived.get(task) if body is None else _task(body, task)
        yield Ended(task, batch, document, _result(bodies.get(oid, b""), path), bool(redone))


def _task(body: bytes, name: str) -> Task | None:
    try:
        return Task.parse(body, name)
    except BadInput:
        return None


def _result(body: bytes, path: str) -> Result | None:
    try:
        return Result.parse(body, path)
    except BadInput:
        return None


def _stamp(at: float, by: timedelta) -> str:
    """A moment as results write it down; the first or last there is, where it is beyond those."""
    try:
        return (datetime.fromtimestamp(at, UTC) + by).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return "0001" if at < 0 else "9999"
