"""What a pool looks like at one moment: the one view that `pool status`, `top`, metrics and samples share.

Owns the form, as dataclasses here and as JSON on the pool's socket. Holds values only, no processes.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

WorkerStatus = Literal["starting", "idle", "busy", "leaving"]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker process."""

    worker: str
    type: str
    """The worker type whose tasks it takes; empty for one that takes any."""
    pid: int
    status: WorkerStatus
    started_at: str
    """When the process was asked for, ISO 8601 in UTC."""
    task: str | None = None
    master: str | None = None
    """The master that the task belongs to."""
    task_s: float = 0.0
    """Seconds that the task has run."""
    token_budget: int = 0
    """Tokens that the task may use."""
    tasks_done: int = 0
    """Tasks this process has carried out."""
    rss_mib: float = 0.0
    """Resident memory of the process and what it started, in MiB."""


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """One pool at one moment."""

    pid: int
    owner: str
    """The command that holds the pool: `pool`, `spawn-workers`, `multi-repo-scan` or `spawn-worker`."""
    started_at: str
    policy: str
    strategy: str
    min: int
    max: int
    target: int
    """Workers that the pool means to have."""
    reasons: tuple[str, ...] = ()
    """Why the target is what it is."""
    alert: str | None = None
    """Why the backlog is beyond what the maximum can clear; None where it is not."""
    draining: bool = False
    queue: int = 0
    """Tasks in scope that wait or run here: open, and not claimed by another host."""
    completed: int = 0
    """Results with status `completed` that this pool made."""
    failed: int = 0
    """Results with another status."""
    unpublished: int = 0
    """Results that the remote has not acknowledged."""
    problem: str | None = None
    """What keeps the remote from answering; None while it does."""
    tokens_used: int = 0
    workers: tuple[WorkerView, ...] = field(default=())

    @property
    def busy(self) -> int:
        return sum(worker.status == "busy" for worker in self.workers)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values, `workers` a list of objects."""
        return asdict(self)
