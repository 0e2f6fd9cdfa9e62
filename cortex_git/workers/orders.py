"""Orders: single tasks that a running pool is asked for, by `spawn-worker`, a hook or CI.

Owns how a request's claim gets to a worker ahead of the line, and who waits for its end. Used from the
threads that serve requests, except where it says otherwise.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from cortex_git.errors import CortexError
from cortex_git.models import Result, Task
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.workers.assigning import Order
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.claimer import GivenClaims
from cortex_git.workers.lanes import Lane
from cortex_git.workers.pool import Pool
from cortex_git.workers.waiters import Settled

if TYPE_CHECKING:
    from cortex_git.workers.staffing import Staffing


class Orders:
    """What was asked of one run."""

    def __init__(
        self,
        coordination: Coordination,
        attempts: Attempts,
        given: GivenClaims,
        lanes: Sequence[Lane],
        pool: Pool,
        wake: Callable[[], None],
    ) -> None:
        self._coordination = coordination
        self._attempts = attempts
        self._given = given
        self._lanes = lanes
        self._pool = pool
        self._wake = wake
        self.closed = False

    def place(self, claim: Claim, order: Order) -> "Future[Settled]":
        """Have the claim carried out next, as `order` says; its end."""
        kind = self.kind_for(claim.task.type)
        queued = not any(slot.kind == kind for slot in self._pool.idle())
        task = claim.task.task
        self._attempts.assignments.orders[task] = replace(order, queued=queued)
        future = self._attempts.waiters.follow(task)
        self._given.give(claim)
        self._wake()
        if self.closed:
            self._given.stop()
            self._attempts.waiters.let_go(task, "the pool was stopped")
        return future

    def join(self, task: str, order: Order, change: Callable[[Task], Task]) -> "Future[Settled] | None":
        """The end of a task that this run has already, moved to the front of its line; None otherwise.

        `change` is what the request changes in the task for this attempt, should it not run yet.
        """
        future = self._attempts.waiters.follow(task)
        for lane in self._lanes:
            if task in {held.claim.task.task for held in lane.claims.waiting()}:
                claim = lane.claims.take(task)
                if claim is not None:
                    return self.place(replace(claim, task=change(claim.task)), order)
        if future.done() or self._attempts.has(task) or self._is_given(task):
            return future
        # Others may follow it: it is in no list while the loop starts it or takes it over.
        self._attempts.waiters.unfollow(task, future)
        return None

    def kind_for(self, worker_type: str) -> str:
        """Whose workers carry out an order: its type's own, else those for any type, else any."""
        kinds = [lane.plan.kind for lane in self._lanes]
        wanted = [kind for kind in (worker_type, "") if kind in kinds]
        return next(iter([*wanted, *kinds]), "")

    def next_of(self, worker_type: str) -> str | None:
        """A task of that type which this run holds and has not started."""
        held = [held.claim.task for lane in self._lanes for held in lane.claims.waiting()]
        return next((task.task for task in held if task.type == worker_type), None)

    def _is_given(self, task: str) -> bool:
        return any(held.claim.task.task == task for held in self._given.waiting())

    def result_of(self, task: str) -> Result | None:
        """What this run made of the task lately."""
        return self._attempts.report.results.get(task)

    def make_room(self, kind: str, staffing: "Staffing") -> None:
        """In the run's own thread: one more worker for an order, where the bounds leave room for one."""
        lane = next((lane for lane in self._lanes if lane.plan.kind == kind), None)
        if lane is None or lane.decision is None:
            return
        slots = lane.slots(self._pool)
        starting = any(not slot.ready for slot in slots)
        if not starting and len(slots) < lane.decision.ceiling:
            staffing.add(lane)

    def close(self) -> None:
        """The run has ended: nobody waits any longer."""
        self.closed = True
        self._attempts.waiters.let_all_go("the pool was stopped")
        with suppress(CortexError):  # the claims lapse with this process
            self._given.stop()  # what came while the run ended
