"""Which workers live in this clone, over all its pools, and the snapshot of them that people read.

Owns who counts as alive and the file `coordination/worker-pool.json`, which nothing ever reads back as
truth: it is computed from the workers table and from git.
"""

import json
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cortex_git.flocks import file_lock
from cortex_git.models import WORKER_TYPES
from cortex_git.state import process_alive
from cortex_git.store import layout
from cortex_git.store.repository import Repository

FILE = f"{layout.ROOT}/worker-pool.json"
ANY_TYPE = "any"
"""The type of a worker that takes tasks of any type."""
_COLUMNS = ", ".join(
    f"w.{name}"
    for name in (
        "worker",
        "type",
        "owner",
        "pool",
        "pid",
        "started_at",
        "status",
        "task",
        "master",
        "token_budget",
    )
)


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """One worker process of this clone whose pool lives."""

    worker: str
    type: str
    owner: str
    """The command that holds its pool."""
    pool: int
    """Process id of that command."""
    pid: int
    started_at: str
    status: str
    task: str | None
    master: str | None
    token_budget: int
    task_type: str | None
    """The worker type that the task asks for; None without a task."""


def live_workers(repository: Repository) -> list[LiveWorker]:
    """Workers of all living pools of this clone; what a pool that was killed left behind is passed over."""
    query = (
        f"SELECT w.boot, w.pool, w.pool_started, {_COLUMNS}, t.type FROM workers w"  # noqa: S608 - constants
        " LEFT JOIN tasks t ON t.task = w.task"
        " WHERE w.ended_at IS NULL ORDER BY w.pool, w.worker, w.started_at"
    )
    alive: dict[tuple[int, float, str], bool] = {}
    found: list[LiveWorker] = []
    for boot, pool, started, *rest in repository.state.execute(query):
        key = (pool, started, boot)
        if key not in alive:
            alive[key] = process_alive(*key)
        if alive[key]:
            found.append(LiveWorker(*rest))
    return found


def shown_type(worker: str, kind: str) -> str:
    """The worker's type for people: its own, the one its name says, or `any`."""
    named = worker.removeprefix("worker-").rpartition("-")[0] + "-worker"
    return kind or (named if named in WORKER_TYPES else ANY_TYPE)


def document(repository: Repository, published: Counter[str]) -> dict[str, Any]:
    """The published form; `published` are today's results by status."""
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    query = "SELECT count(*) FROM workers WHERE started_at >= ?"
    spawned = repository.state.execute(query, (since,)).fetchone()[0]
    tried = published.total() - published["cancelled"]
    return {
        "active_workers": [
            {
                "worker_id": worker.worker,
                "worker_type": worker.task_type or shown_type(worker.worker, worker.type),
                "spawned_by": worker.master or worker.owner,
                "status": worker.status,
                "task_id": worker.task,
                "token_budget": worker.token_budget,
            }
            for worker in live_workers(repository)
        ],
        "stats": {
            "total_spawned_today": spawned,
            "total_completed_today": published["completed"],
            "success_rate": round(published["completed"] / tried, 4) if tried else 0.0,
        },
    }


def write_document(repository: Repository, published: Counter[str]) -> bool:
    """Put the file in place, whole or not at all, unless it says all that already; whether it was written.

    Under a lock, so that of two pools the one that writes last has looked last.
    """
    with file_lock(repository.private / "worker-pool.lock"):
        text = json.dumps(document(repository, published), indent=2, ensure_ascii=False) + "\n"
        return put_in_place(repository, FILE, text.encode("utf-8", "backslashreplace"))


def put_in_place(repository: Repository, file: str, data: bytes) -> bool:
    """Write a file of the work tree, whole or not at all, unless it is that already; whether it was.

    The caller holds a lock of the file's own.
    """
    path = repository.folder / file
    if _content(path) == data:
        return False
    beside = repository.private / f"{path.name}.new"
    try:
        beside.write_bytes(data)
        _replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return True


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _replace(beside: Path, path: Path) -> None:
    try:
        beside.replace(path)
    except OSError:  # the git folder may lie on another file system than the work tree
        near = path.with_name(f".{path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            near.unlink()
        try:
            near.write_bytes(beside.read_bytes())
            near.replace(path)
        finally:
            near.unlink(missing_ok=True)
