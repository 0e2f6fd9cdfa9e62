"""What happens in a run, in words for people and in fields for programs: one function for each event.

Owns the names and the fields, which docs/events.md documents. Must never write anything: that is for
whoever watches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cortex_git.models import Result

EventName = Literal[
    "note",
    "error",
    "batch_started",
    "batch_finished",
    "task_started",
    "task_finished",
    "pool_scaled",
    "worker_started",
    "worker_recycled",
    "worker_died",
    "alert",
    "budget_level",
]
Level = Literal["info", "warning", "error"]
Value = str | int | float | None | list[str]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    name: EventName
    text: str
    """The same in one line for people."""
    level: Level = "info"
    fields: Mapping[str, Value] = field(default_factory=dict)
    for_people: bool = True
    """Whether a person is told too, not only programs that read every event."""


def note(text: str, level: Level = "info") -> Event:
    """Anything else that the person should know."""
    return Event("note", text, level)


def error(text: str, exit_code: int, **fields: Value) -> Event:
    """Why the command ends, and with which status."""
    return Event("error", text, "error", {"exit_code": exit_code, **fields})


def batch_started(text: str, tasks: int, workers: int, batch: str | None = None) -> Event:
    """A command begins to run `tasks` tasks on up to `workers` workers; `batch` None: of several batches."""
    return Event("batch_started", text, fields={"tasks": tasks, "workers": workers, "batch": batch})


def batch_finished(completed: int, failed: int, duration_s: float) -> Event:
    """A command made so many results."""
    text = f"{completed} completed, {failed} failed, {duration_s:.1f} s"
    fields: dict[str, Value] = {"completed": completed, "failed": failed, "duration_s": round(duration_s, 3)}
    return Event("batch_finished", text, fields=fields, for_people=False)


def task_started(task: str, worker: str, repo: str | None) -> Event:
    """A worker begins an attempt; `repo` is the repository that the task is about."""
    fields: dict[str, Value] = {"task": task, "worker": worker, "repo": repo}
    return Event("task_started", f"{worker} started {task}", fields=fields, for_people=False)


def task_finished(result: "Result") -> Event:
    """A task has its result, safe on this host's disk and published soon after."""
    names = ("task", "batch", "type", "master", "worker", "host", "status", "attempt", "tokens_used", "error")
    fields: dict[str, Value] = {name: getattr(result, name) for name in names}
    fields |= {"duration_s": round(result.duration_s, 3), "spawn_s": round(result.spawn_s, 6)}
    text = f"{result.worker} {result.status} {result.task}"
    level: Level = "info" if result.status in ("completed", "cancelled") else "warning"
    return Event("task_finished", f"{text}: {result.error}" if result.error else text, level, fields, False)


def pool_scaled(before: int, target: int, queue: int, reasons: Sequence[str]) -> Event:
    """The pool means to have another number of workers."""
    fields: dict[str, Value] = {"before": before, "target": target, "queue": queue, "reasons": list(reasons)}
    return Event("pool_scaled", f"{before} to {target} workers: {'; '.join(reasons)}", fields=fields)


def worker_started(worker: str, kind: str, pid: int) -> Event:
    """A worker process is there; `kind` is the type whose tasks it takes, empty for any."""
    fields: dict[str, Value] = {"worker": worker, "type": kind, "pid": pid}
    return Event("worker_started", f"{worker} started", fields=fields, for_people=False)


def worker_recycled(worker: str, reason: str, tasks_done: int, rss_mib: float) -> Event:
    """A worker left after its task and is replaced."""
    fields: dict[str, Value] = {
        "worker": worker,
        "reason": reason,
        "tasks_done": tasks_done,
        "rss_mib": round(rss_mib, 1),
    }
    return Event("worker_recycled", f"{worker} is replaced: {reason}", fields=fields)


def worker_died(worker: str, task: str | None, how: str) -> Event:
    """A worker ended by itself or for its time, in the midst of `task` if it had one."""
    text = f"{worker} {how}" if task is None else f"{task}: {worker} {how}"
    return Event("worker_died", text, "warning", {"worker": worker, "task": task, "reason": how})


def alert(text: str, queue: int, most: int) -> Event:
    """The backlog is beyond what `most` workers can clear in time."""
    return Event("alert", f"alert: {text}", "warning", {"queue": queue, "max": most})


def budget_level(level: str, account: str, spent: int, limit: int) -> Event:
    """Spending has reached another level: ok, warn, critical or out; of the account nearest to its limit."""
    fields: dict[str, Value] = {"reached": level, "account": account, "spent": spent, "limit": limit}
    text = f"budget {level}: {spent:,} of the {limit:,} tokens of {account} are spent"
    return Event("budget_level", text, "info" if level == "ok" else "warning", fields)
