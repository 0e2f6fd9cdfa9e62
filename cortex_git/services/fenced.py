"""Superseded results as plain rows: whose they are, and what stands in their place.

Owns the row of `results list --fenced`. Changes nothing.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.models import ClaimRecord, Result
from cortex_git.store import index
from cortex_git.store.coordination import Coordination
from cortex_git.store.fenced import Fenced, fenced_results
from cortex_git.store.index import Scope
from cortex_git.store.outcomes import UNREADABLE
from cortex_git.store.results import read_results


def fenced_rows(coordination: Coordination, scope: Scope) -> list[dict[str, Any]]:
    """One row for each superseded result in scope, the oldest first.

    `instead` says what ended the task, or who has it now; None where it is open. Raises RemoteUnreachable.
    """
    coordination.pull()
    found = [one for one in fenced_results(coordination.repository) if fnmatchcase(one.task, scope.glob)]
    return [row for row in _rows(coordination, found) if scope.batch in (None, row["batch"])]


def fenced_of(coordination: Coordination, task: str) -> list[dict[str, Any]]:
    """The rows of one task's superseded results, each with its whole document as `result`.

    Raises BadInput where there is none, RemoteUnreachable.
    """
    coordination.pull()
    found = fenced_results(coordination.repository, task)
    if not found:
        raise BadInput(f"task {task!r} has no fenced result", "see `cortex-git results list --fenced`")
    documents = [one.result.model_dump(mode="json", by_alias=True) if one.result else None for one in found]
    return [
        row | {"result": document}
        for row, document in zip(_rows(coordination, found), documents, strict=True)
    ]


def _rows(coordination: Coordination, found: Sequence[Fenced]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(one.task for one in found))
    results = {result.task: result for result in read_results(coordination.repository, names)}
    finished = index.with_result(coordination.repository, names)
    rows = []
    for one in found:
        result = one.result
        task = index.known_task(coordination.repository, one.task)
        rows.append(
            {
                "task": one.task,
                "batch": result.batch if result else task.batch if task else None,
                "status": result.status if result else UNREADABLE,
                "worker": result.worker if result else None,
                "host": result.host if result else None,
                "attempt": result.attempt if result else None,
                "epoch": result.epoch if result else None,
                "nonce": one.nonce,
                "fenced_at": one.fenced_at,
                "kept": "outbox" if one.waits else "shared",
                "completed_at": result.completed_at if result else None,
                "tokens_used": result.tokens_used if result else 0,
                "error": result.error if result else None,
                "instead": _instead(coordination, one.task, results.get(one.task), one.task in finished),
            }
        )
    return rows


def _instead(
    coordination: Coordination, task: str, result: Result | None, finished: bool
) -> dict[str, Any] | None:
    """What stands in the place of a task's superseded results, as of the last pull."""
    if result is not None:
        return _told(result.status, result)
    if finished:
        return {"status": UNREADABLE, "worker": None, "host": None, "attempt": None, "epoch": None}
    oid = coordination.view().claims.get(task)
    record = coordination.claims.record(oid, task) if oid else None
    return _told(record.state, record) if record is not None else None


def _told(status: str, by: Result | ClaimRecord) -> dict[str, Any]:
    return {
        "status": status, "worker": by.worker, "host": by.host, "attempt": by.attempt, "epoch": by.epoch,
    }  # fmt: skip
