"""What a worker is told of an attempt: its task, its limits, and what whoever asked for it wants.

Owns what was asked until the attempt begins. Used by the loop, but for `orders`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.models import Task
from cortex_git.runners import split_name
from cortex_git.state import monotonic
from cortex_git.store import index
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.workers.allowances import Allowances
from cortex_git.workers.continuing import earlier_output
from cortex_git.workers.messages import Assignment


@dataclass(frozen=True, slots=True)
class Order:
    """What a request asks of one attempt beyond what the task says."""

    requested: float = 0.0
    """`state.monotonic` of the request; 0 where nobody waits for the attempt."""
    claim_s: float = 0.0
    """Seconds of that which went into the claim."""
    queued: bool = False
    """No worker was idle: the wait for one is not the start of one."""


class Assignments:
    """Makes the assignments of one run."""

    def __init__(
        self,
        coordination: Coordination,
        allowances: Allowances,
        options: Callable[[Task], Mapping[str, Any]],
    ) -> None:
        """`options` is what this host tells a worker beyond the task."""
        self._coordination = coordination
        self._allowances = allowances
        self._options = options
        self.orders: dict[str, Order] = {}
        """What was asked of us by task, until an attempt of it has begun."""

    def make(self, claim: Claim, worker: str, overhead_s: float) -> Assignment:
        """What a worker needs for this attempt. Raises BadInput where no runner is known for the task."""
        task = claim.task
        limits = self._coordination.repository.settings.limits_for(task.type, task.budget, task.deadline)
        order = self.orders.pop(task.task, Order())
        dispatched = monotonic() - overhead_s
        if order.requested and not order.queued:
            dispatched = order.requested + order.claim_s
        return Assignment(
            task=task.for_runner(),
            runner=self._runner_of(task),
            worker=worker,
            host=self._coordination.repository.host,
            nonce=claim.record.nonce,
            claim=claim.oid,
            epoch=claim.record.epoch,
            attempt=claim.record.attempt,
            path=self._coordination.result_path(task),
            repository=str(self._coordination.repository.folder),
            dispatched=dispatched,
            deadline_s=limits.seconds,
            budget=limits.tokens,
            options=self._options(task),
            earlier=earlier_output(self._coordination.repository, task) if task.continues else {},
        )

    def _runner_of(self, task: Task) -> str:
        """Its runner here; what a runner is given (`replay=FILE`) may only come from this host."""
        name = self._allowances.runner_of(task)
        own = index.find_task(self._coordination.repository.state, task.task) if split_name(name)[1] else None
        if own is not None and own.runner == name:
            raise BadInput(f"a task cannot say {name!r}", "give that with --runner")
        return name
