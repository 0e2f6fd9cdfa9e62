"""What became of tasks, without their documents: status, worker, host, time and tokens of each result.

Owns the table `outcomes`. It is made from the result documents, each read once, and can be made anew.
"""

from collections import Counter
from dataclasses import dataclass

from cortex_git.errors import BadInput
from cortex_git.models import Result
from cortex_git.state import transaction
from cortex_git.store.repository import Repository

_AT_ONCE = 1000
"""Documents read in one git call."""
_MOST_TOKENS = 10**12
"""More is no count of tokens, and would not add up in SQLite."""
UNREADABLE = "unreadable"
"""The status of a result that is no valid document: its task has ended all the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One result."""

    task: str
    status: str
    worker: str
    host: str
    completed_at: str
    tokens_used: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All results that this clone knows of."""

    by_status: Counter[str]
    tokens_used: int
    last: tuple[Outcome, ...]
    """Those completed last, newest first."""


def outcomes(repository: Repository, last: int) -> Outcomes:
    """Everything up to the last pull, with the `last` results themselves."""
    _catch_up(repository)
    state = repository.state
    totals = state.execute(
        "SELECT status, count(*), sum(tokens_used) FROM outcomes GROUP BY status"
    ).fetchall()
    newest = state.execute(
        "SELECT task, status, worker, host, completed_at, tokens_used FROM outcomes"
        " ORDER BY completed_at DESC, task LIMIT ?",
        (last,),
    )
    return Outcomes(
        by_status=Counter({status: count for status, count, _ in totals}),
        tokens_used=sum(tokens for _, _, tokens in totals),
        last=tuple(Outcome(*row) for row in newest),
    )


def _catch_up(repository: Repository) -> None:
    query = (
        "SELECT r.task, r.path, r.oid FROM results r LEFT JOIN outcomes o ON o.task = r.task"
        " AND o.oid = r.oid WHERE o.task IS NULL LIMIT ?"
    )
    while places := repository.state.execute(query, (_AT_ONCE,)).fetchall():
        blobs = repository.git.blobs(oid for _, _, oid in places)
        rows = [_row(task, path, oid, blobs.get(oid, b"")) for task, path, oid in places]
        with transaction(repository.state) as state:
            state.executemany("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _row(task: str, path: str, oid: str, body: bytes) -> tuple[str, str, str, str, str, str, int]:
    try:
        result = Result.parse(body, path)
    except BadInput:
        return task, oid, UNREADABLE, "", "", "", 0
    tokens = min(result.tokens_used, _MOST_TOKENS)
    return task, oid, result.status, result.worker, result.host, result.completed_at, tokens
