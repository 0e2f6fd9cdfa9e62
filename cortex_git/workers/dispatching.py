"""Which claim goes to which worker, and when.

Owns the hand-over of claims to workers: one to each that is idle, and of short scans some more ahead, so
that a worker goes from one small repository to the next without waiting for the pool. Each stays a task of
its own, with its own claim, result and failure. What a worker has not come to is nobody's attempt, and is
taken back where the worker dies, is held up, or the run is drained.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from cortex_git.errors import CortexError
from cortex_git.runners import AHEAD, split_name
from cortex_git.state import PASSING, problem_of
from cortex_git.store.claim_records import Claim
from cortex_git.workers.allowances import Allowances
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.balancing import StrategyName
from cortex_git.workers.claimer import ClaimSource, GivenClaims
from cortex_git.workers.dependencies import Dependencies
from cortex_git.workers.lanes import Lane
from cortex_git.workers.messages import Assignment
from cortex_git.workers.orders import Orders
from cortex_git.workers.pool import Pool, Slot

_AHEAD_S = 0.25
"""Seconds of work that a worker is handed ahead."""
_MOST_AHEAD = 4
_HELD_UP_S = 1.0
"""Seconds on one task, after which a worker gives back what it was handed ahead: another may do it sooner."""
_LINGER_S = 0.03
"""Pause before results are looked for where every worker has something ahead: several are entered at once."""


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
        self._ahead: dict[str, ClaimSource] = {}
        """By nonce: where a claim that a worker has not come to came from."""
        self.used: set[str] = set()
        """Workers that were given anything."""
        self.first: float | None = None
        """`time.monotonic` of the first hand-over."""

    def dispatch(self) -> None:
        """Give every idle worker what there is for it, and busy ones what they may have ahead."""
        for source, slot, task in self._starts():
            if (claim := self._attempts.taken(source, task)) is not None:
                self._start(source, slot, claim)
        for slot in self._pool.busy():
            if slot.ahead and _held_up(slot):
                self._pool.recall(slot)
        depth = self._depth()
        for lane in self._lanes if depth else ():
            self._hand_ahead(lane, depth)

    def linger(self) -> None:
        """Wait a moment where no worker needs us soon."""
        busy = self._pool.busy()
        if busy and all(slot.ahead for slot in self._pool.slots):
            time.sleep(_LINGER_S)

    def recall_all(self) -> None:
        """Have back what was handed ahead and not begun."""
        for slot in self._pool.slots:
            self._pool.recall(slot)

    def come_to(self, slot: Slot, assignment: Assignment) -> None:
        """A worker has come to what it was handed ahead."""
        self._ahead.pop(assignment.nonce)
        self._attempts.come_to(assignment.nonce, slot.name)

    def not_begun(self, assignments: Sequence[Assignment]) -> None:
        """What was handed ahead came back: its claims are in hand again, first in line, as if never given."""
        for assignment in reversed(assignments):
            source = self._ahead.pop(assignment.nonce)
            source.put_back(self._attempts.not_begun(assignment.nonce))

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

    def _depth(self) -> int:
        """How many tasks a worker may have ahead: none where tasks take their time."""
        task_s = self._attempts.task_s
        return 0 if task_s is None else min(int(_AHEAD_S / max(task_s, 0.001)), _MOST_AHEAD)

    def _hand_ahead(self, lane: Lane, depth: int) -> None:
        """One more task for each worker of the lane that has fewer than `depth` ahead.

        So many are left in hand as there are workers: at the end nobody is to wait behind another. Only what
        was never tried is handed ahead: a repository that ended a worker goes alone.
        """
        slots = lane.slots(self._pool)
        open_ones = [slot for slot in slots if len(slot.ahead) < depth and _takes_more(slot)]
        open_ones.sort(key=lambda slot: len(slot.ahead))
        held_back = self._allowances.held_back()
        small = [
            held.claim.task
            for held in lane.claims.waiting()
            if held.claim.record.attempt == 1
            and held.claim.task.task not in held_back
            and _is_short(self._allowances.runner_of(held.claim.task))
        ]
        for slot, task in zip(open_ones, small[: max(len(small) - len(slots), 0)], strict=False):
            if (claim := self._attempts.taken(lane.claims, task.task)) is not None:
                self._start(lane.claims, slot, claim)

    def _start(self, source: ClaimSource, slot: Slot, claim: Claim) -> None:
        try:
            if not self._dependencies.allow(claim):
                return
        except PASSING as error:  # of this host, and no reason to end everybody's run
            self._attempts.put_off(claim, str(problem_of(error)))
            return
        try:
            assignment = self._attempts.assignment(claim, slot.name, self._pool.overhead_s(slot))
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
        if slot.assignment is assignment:
            self._attempts.started(claim, slot.name)
        else:
            self._ahead[claim.record.nonce] = source
            self._attempts.handed(claim)
        self.used.add(slot.name)
        self.first = self.first or time.monotonic()


def _held_up(slot: Slot) -> bool:
    return time.monotonic() - slot.assigned_at > _HELD_UP_S


def _takes_more(slot: Slot) -> bool:
    """Whether the worker is on a short task, and neither leaving nor held up."""
    on = slot.assignment
    quiet = slot.ready and not slot.leaving and not slot.recalled and not slot.told
    return on is not None and quiet and not _held_up(slot) and _is_short(on.runner)


def _is_short(runner: str) -> bool:
    return split_name(runner)[0] in AHEAD
