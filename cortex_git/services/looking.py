"""What is there: tasks with what became of them, and results, as plain rows.

Owns the row that `task list` and `results list` share. Changes nothing.
"""

from collections.abc import Collection, Sequence
from typing import Any, get_args

from cortex_git.models import ClaimRecord, ClaimState, Result, ResultStatus, Task
from cortex_git.store import index, tombstones, unmet
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope, View
from cortex_git.store.lineage import waits_for
from cortex_git.store.outcomes import latest
from cortex_git.store.results import read_results
from cortex_git.store.tasks import listed

STATUSES: tuple[str, ...] = tuple(
    dict.fromkeys(("open", "waiting", *get_args(ClaimState), *get_args(ResultStatus)))
)
"""What a task's row can say: open, or waiting for others; its claim's state; its result's status."""


def task_rows(coordination: Coordination, scope: Scope, newest: int | None = None) -> list[dict[str, Any]]:
    """One row for each task in scope, or for the `newest` of them, oldest first.

    The keys are those of `results list`; `status` is one of `STATUSES`.
    """
    view = coordination.pull()
    tasks = listed(coordination.repository, scope, newest)
    waiting = unmet.unmet(coordination.repository, scope)
    if newest is None:
        results = coordination.results(scope)
    else:
        results = read_results(coordination.repository, [task.task for task in tasks])
    return _rows(coordination, view, tasks, results, waiting)


def rows_of(coordination: Coordination, tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Like `task_rows`, for these tasks, as of the last pull."""
    results = read_results(coordination.repository, [task.task for task in tasks])
    waiting = unmet.unmet(coordination.repository, Scope())
    return _rows(coordination, coordination.view(), tasks, results, waiting)


def _rows(
    coordination: Coordination,
    view: View,
    tasks: Sequence[Task],
    found: Sequence[Result],
    waiting: Collection[str],
) -> list[dict[str, Any]]:
    results = {result.task: result for result in found}
    coordination.claims.unavailable(view)  # loads every claim's record in one call
    rows: list[dict[str, Any]] = []
    for task in tasks:
        result = results.get(task.task)
        oid = view.claims.get(task.task)
        record = coordination.claims.record(oid, task.task) if oid and result is None else None
        rows.append(_result_row(result) if result else _open_row(task, record, waiting=task.task in waiting))
    return rows


def result_rows(coordination: Coordination, scope: Scope, newest: int | None = None) -> list[dict[str, Any]]:
    """One row for each result in scope, or for the `newest` of them, in the order they were completed."""
    coordination.pull()
    if newest is None or tombstones.has_any(coordination.repository.state, scope.batch):
        results = coordination.results(scope)
    else:
        results = read_results(coordination.repository, latest(coordination.repository, scope, newest))
    rows = [_result_row(result) for result in sorted(results, key=lambda r: (r.completed_at, r.task))]
    return rows if newest is None else rows[max(len(rows) - newest, 0) :]


def _result_row(result: Result) -> dict[str, Any]:
    return {
        "task": result.task,
        "batch": result.batch,
        "status": result.status,
        "worker": result.worker,
        "host": result.host,
        "attempt": result.attempt,
        "started_at": result.started_at,
        "completed_at": result.completed_at,
        "tokens_used": result.tokens_used,
        "error": result.error,
    }


def _open_row(task: Task, record: ClaimRecord | None, *, waiting: bool) -> dict[str, Any]:
    return {
        "task": task.task,
        "batch": task.batch,
        "status": record.state if record else "waiting" if waiting else "open",
        "worker": record.worker if record else None,
        "host": record.host if record else None,
        "attempt": record.attempt if record else 0,
        "started_at": record.claimed_at if record else None,
        "completed_at": None,
        "tokens_used": 0,
        "error": None,
    }


def left_out(coordination: Coordination, scope: Scope) -> str | None:
    """What a person should know of archived tasks that a list has not; None where it has all."""
    if scope.batch is not None:
        return None
    count = tombstones.count_like(coordination.repository.state, scope.glob)
    many = "1 archived task is" if count == 1 else f"{count} archived tasks are"
    return f"{many} not listed: --batch lists all of a batch" if count else None


def task_detail(coordination: Coordination, task: str) -> dict[str, Any]:
    """The task's document, its claim and its result (None where there is none), and what it waits for.

    Raises BadInput.
    """
    view = coordination.pull()
    document = index.task_of(coordination.repository, task)
    oid = view.claims.get(task)
    record = coordination.claims.record(oid, task) if oid else None
    results = read_results(coordination.repository, [task])
    waits = [] if results else waits_for(coordination.repository, task)
    return {
        "task": document.model_dump(mode="json", by_alias=True),
        "claim": record.model_dump(mode="json", by_alias=True) if record else None,
        "result": results[0].model_dump(mode="json", by_alias=True) if results else None,
        "waits_for": waits,
    }
