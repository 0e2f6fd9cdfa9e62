"""What became of tasks, without their documents: status, worker, host, times and tokens of each result.

Owns the table `outcomes`. It is made from the result documents, each read once, and can be made anew.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.llm import Usage
from cortex_git.models import MERGE_SUFFIX, Result
from cortex_git.state import transaction
from cortex_git.store import newer, tombstones
from cortex_git.store.index import Scope
from cortex_git.store.repository import Repository

_AT_ONCE = 100
"""Documents read in one git call."""
MOST_TOKENS = 10**12
"""More is no count of tokens, and would not add up in SQLite."""
_LATEST = 1000
"""Attempts of a worker type that what the next one takes is judged by."""
UNREADABLE = "unreadable"
"""The status of a result that is no valid document: its task has ended all the same."""

_Row = tuple[str, str, str, str, str, str, int, str, str, float, int, int, int, int]


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


@dataclass(frozen=True, slots=True)
class Spent:
    """What one attempt that used tokens took."""

    type: str
    model: str
    """Empty where the result does not say."""
    status: str
    tokens: int
    duration_s: float
    usage: Usage
    """The tokens by kind; all zero where the result does not say."""


def outcomes(repository: Repository, last: int) -> Outcomes:
    """Everything up to the last pull, with the `last` results themselves."""
    _catch_up(repository)
    state = repository.state
    totals = state.execute("SELECT status, sum(results), sum(tokens) FROM totals GROUP BY status").fetchall()
    newest = state.execute(
        "SELECT task, status, worker, host, completed_at, tokens_used FROM outcomes"
        " ORDER BY completed_at DESC, task LIMIT ?",
        (last,),
    )
    return Outcomes(
        by_status=Counter({status: count for status, count, _ in totals if count}),
        tokens_used=sum(tokens for _, _, tokens in totals),
        last=tuple(Outcome(*row) for row in newest),
    )


def since(repository: Repository, host: str, at: str) -> Counter[str]:
    """How many results of that host were completed at `at` (ISO 8601, UTC) or later, by status."""
    _catch_up(repository)
    query = "SELECT status, count(*) FROM outcomes WHERE host = ? AND completed_at >= ? GROUP BY status"
    return Counter(dict(repository.state.execute(query, (host, at)).fetchall()))


def latest(repository: Repository, scope: Scope, limit: int) -> list[str]:
    """The tasks in scope whose results were completed last, up to the last pull; in the order they were."""
    _catch_up(repository)
    condition, values = scope.where
    rows = repository.state.execute(
        "SELECT o.task FROM outcomes o JOIN tasks t ON t.task = o.task"  # noqa: S608
        f" WHERE {condition} ORDER BY o.completed_at DESC, o.task DESC LIMIT ?",
        (*values, limit),
    )
    return [task for (task,) in rows][::-1]


def ended(repository: Repository, *, batch: str | None = None) -> list[str]:
    """The tasks with a result, of a batch or of all, archived ones too; not the last tasks of batches."""
    query = f"SELECT r.task FROM results r WHERE r.task NOT LIKE '%{MERGE_SUFFIX}'"  # noqa: S608
    values: list[str] = []
    if batch is not None:
        query += " AND r.batch = ?"
        values.append(batch)
    return [task for (task,) in repository.state.execute(f"{query} ORDER BY r.task", values)]


def spent_lately(repository: Repository, types: Collection[str]) -> list[Spent]:
    """The latest attempts of those worker types that used tokens, up to the last pull; newest first."""
    _catch_up(repository)
    found: list[Spent] = []
    for kind in sorted(types):
        rows = repository.state.execute(
            "SELECT type, model, status, tokens_used, duration_s, input, output, cache_write, cache_read"
            " FROM outcomes WHERE type = ? AND tokens_used > 0 ORDER BY completed_at DESC LIMIT ?",
            (kind, _LATEST),
        )
        for name, model, status, tokens, duration_s, *kinds in rows:
            found.append(Spent(name, model, status, tokens, duration_s, Usage(*kinds)))
    return found


def tokens_by_host(repository: Repository) -> dict[str, int]:
    """Tokens that the results of each host say were used, up to the last pull."""
    _catch_up(repository)
    query = "SELECT host, sum(tokens) FROM totals GROUP BY host"
    return {host: int(tokens) for host, tokens in repository.state.execute(query)}


def _catch_up(repository: Repository) -> None:
    """Read the documents of results that are new since the last time."""
    query = "SELECT r.task, r.path, r.oid FROM unread u JOIN results r ON r.task = u.task LIMIT ?"
    while places := repository.state.execute(query, (_AT_ONCE,)).fetchall():
        blobs = tombstones.blobs(repository, [oid for _, _, oid in places])
        rows = [_row(task, path, oid, blobs.get(oid, b"")) for task, path, oid in places]
        with transaction(repository.state) as state:
            state.executemany("DELETE FROM outcomes WHERE task = ?", [row[:1] for row in rows])
            marks = ",".join("?" * len(rows[0]))
            state.executemany(f"INSERT INTO outcomes VALUES ({marks})", rows)  # noqa: S608
        newer.look(repository, [row[0] for row in rows if row[2] == UNREADABLE])


def _row(task: str, path: str, oid: str, body: bytes) -> _Row:
    try:
        result = Result.parse(body, path)
    except BadInput:
        return task, oid, UNREADABLE, "", "", "", 0, "", "", 0.0, 0, 0, 0, 0
    tokens = min(result.tokens_used, MOST_TOKENS)
    used = usage_of(result.output)
    return (
        task, oid, result.status, result.worker, result.host, result.completed_at, tokens,
        result.type, text_of(result.output.get("model")), result.duration_s,
        used.input, used.output, used.cache_write, used.cache_read,
    )  # fmt: skip


def text_of(value: Any) -> str:
    """A value of a result's output as text; empty where it is none."""
    return value if isinstance(value, str) else ""


def usage_of(output: Mapping[str, Any]) -> Usage:
    """The tokens by kind that a result's output tells as `usage`; none where it tells no sensible ones."""
    told = output.get("usage")
    if not isinstance(told, dict):
        return Usage()
    counts = [told.get(kind, 0) for kind in ("input", "output", "cache_write", "cache_read")]
    if not all(isinstance(count, int) and 0 <= count <= MOST_TOKENS for count in counts):
        return Usage()
    return Usage(*counts)
