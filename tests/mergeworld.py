"""Tasks of several parts, for tests of what becomes of their results."""

from collections.abc import Mapping
from typing import Any

from gitworld import result_for

from cortex_git.models import MERGE_RUNNER, MergeStrategy, Task
from cortex_git.state import now
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

PARTS = {"security": ("fix-worker", 88.0), "development": ("implementation-worker", 70.0)}


def whole(
    name: str = "t", batch: str = "b", *, runner: str = "echo", strategy: MergeStrategy = "weighted"
) -> list[Task]:
    """A task for two experts: its parts, and itself last."""
    parts = [
        Task(
            task=f"{name}-{expert}",
            batch=batch,
            title=f"{expert} of {name}",
            type=kind,
            runner=runner,
            parent=name,
            confidence=confidence,
            created_at=now(),
        )
        for expert, (kind, confidence) in PARTS.items()
    ]
    last = Task(
        task=name,
        batch=batch,
        title=f"Both of {name}",
        type="analysis-worker",
        runner=MERGE_RUNNER,
        after=tuple(part.task for part in parts),
        strategy=strategy,
        created_at=now(),
    )
    return [*parts, last]


def end(
    coordination: Coordination, task: str, output: Mapping[str, Any] | None = None, **fields: Any
) -> None:
    """Publish a result for the task, completed unless `fields` say otherwise."""
    (claim,) = coordination.claim(Scope(glob=task), 1, lambda _: "worker-test-001")
    result = result_for(coordination, claim, output=dict(output or {}), type=claim.task.type, **fields)
    coordination.record([(claim, result, {})])
    coordination.flush()
    coordination.locks.release(task)


def trial(name: str, *after: str, **fields: object) -> Task:
    """A task of batch `tasks` that comes after those."""
    return Task.model_validate(
        {"task": name, "batch": "tasks", "title": name, "runner": "echo", "after": after, "created_at": now()}
        | fields
    )
