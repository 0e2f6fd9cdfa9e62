"""Which claim goes to which worker, and when.

Owns the hand-over of claims to workers: one to each that is idle. A worker is never handed a second task
behind the one it is on: tried with scans of small repositories, it saved a twentieth of the processor time at
most, and orders, leaving workers and stopped ones then wait for, or hold, what others could have done.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from cortex_git.errors import CortexError
from cortex_git.state import PASSING, problem_of
from cortex_git.store.claim_records import Claim
from cortex_git.workers.allowances import Allowances
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.balancing import StrategyName
from cortex_git.workers.claimer import ClaimSource, GivenClaims
from cortex_git.workers.dependencies import Dependencies
from cortex_git.workers.lanes import Lane
from cortex_git.workers.orders import Orders
from cortex_git.workers.pool import Pool, Slot


class Dispatcher:
    """Hands the claims of `given` and `lanes` to the workers of one pool, from one thread."""

    def __init__(
        self,
        pool: Pool,
        attempts: Attempts,
        allowances: Allowances,
        dependencies: Dependencies,
        given: GivenClaims,
        lanes: Sequence[Lane],
        orders: Orders,
        *,
        strategy: StrategyName,
        make_room: Callable[[str], None],
    ) -> None:
        """`make_room` is called with the kind of worker that a given claim waits for."""
        self._pool = pool
        self._attempts = attempts
        self._allowances = allowances
        self._dependencies = dependencies
        self._given = given
        self._lanes = lanes
        self._orders = orders
        self._strategy = strategy
        self._make_room = make_room
        self.used: set[str] = set()
        """Workers that were given anything."""
        self.first: float | None = None
        """`time.monotonic` of the first hand-over."""

    def dispatch(self) -> None:
        """Give every idle worker what there is for it."""
        for source, slot, task in self._starts():
            if (claim := self._attempts.taken(source, task)) is not None:
                self._start(source, slot, claim)

    def _starts(self) -> Iterator[tuple[ClaimSource, Slot, str]]:
        """Which claim each idle worker starts: those that were given first, then its lane's."""
        held_back = self._allowances.held_back()
        for held in self._given.waiting():
            if held.claim.task.task in held_back:
                continue
            kind = self._orders.kind_for(held.claim.task.type)
            idle = [slot for slot in self._pool.idle() if slot.kind == kind]
            if idle:
                yield self._given, idle[0], held.claim.task.task
            else:
                self._make_room(kind)
        for lane in self._lanes:
            for slot, task in lane.starts(self._pool, self._strategy, held_back):
                yield lane.claims, slot, task

    def _start(self, source: ClaimSource, slot: Slot, claim: Claim) -> None:
        try:
            if not self._dependencies.allow(claim):
                return
        except PASSING as error:  # of this host, and no reason to end everybody's run
            self._attempts.put_off(claim, str(problem_of(error)))
            return
        try:
            assignment = self._attempts.assignments.make(claim, slot.name, self._pool.overhead_s(slot))
        except CortexError as error:
            self._attempts.give_up(claim, str(error))
            return
        answer = self._allowances.ask(claim, assignment)
        if answer == "exhausted":
            self._attempts.refuse(claim)
            return
        if answer == "wait" or not self._pool.assign(slot, assignment):
            self._allowances.close(claim.record.nonce)
            source.put_back(claim)
            return
        self._attempts.started(claim, slot.name)
        self.used.add(slot.name)
        self.first = self.first or time.monotonic()
