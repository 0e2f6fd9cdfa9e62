"""Staffing: how many workers each lane has, and who is replaced.

Owns when workers are added, let go and recycled; `sizing` and `recycling` say how many and why. Must
never end a worker that is busy: it leaves after its task.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from cortex_git.config import PoolSettings
from cortex_git.runners import metered
from cortex_git.store.coordination import Coordination
from cortex_git.workers import events
from cortex_git.workers.allowances import Allowances
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.events import Event
from cortex_git.workers.lanes import Lane
from cortex_git.workers.memory import free_mib
from cortex_git.workers.pool import Pool, Slot
from cortex_git.workers.recycling import Memory, measure, why_leave
from cortex_git.workers.sizing import Decision, Demand

FEWER = "fewer workers are enough"
_TRIM_S = 30.0
"""How often the workers' logs are looked at."""


class Staffing:
    """The workers of one run."""

    def __init__(
        self,
        coordination: Coordination,
        pool: Pool,
        lanes: Sequence[Lane],
        attempts: Attempts,
        allowances: Allowances,
        tell: Callable[[Event], None],
        *,
        alerts: bool,
    ) -> None:
        """`alerts`: somebody is to be told when the backlog is too much; a batch's has an end anyway."""
        self._coordination = coordination
        self._pool = pool
        self._lanes = lanes
        self._attempts = attempts
        self._allowances = allowances
        self._tell = tell
        self._settings: PoolSettings = coordination.repository.settings.pool
        self._memory = Memory(self._settings.sample_s)
        self._alerts: dict[str, str] = {}
        self._alerts_wanted = alerts
        self._trim_at = 0.0

    @property
    def alert(self) -> str | None:
        """Why the backlog is beyond what the maximum can clear; None where it is not."""
        return "; ".join(self._alerts.values()) or None

    def tick(self, *, draining: bool) -> None:
        """Look at memory and demand, and give every lane the workers it should have."""
        self._memory.look(self._pool.slots)
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + _TRIM_S
            self._pool.trim_logs()
        for slot in [] if draining else self._pool.idle():
            slot.leaving = why_leave(slot, self._settings, time.monotonic())
            self.depart(slot)
        for lane in self._lanes:
            self._count(lane)
            if lane.sizer is not None and not draining:
                self._fit(lane, lane.sizer.decide(
                    self._demand(lane), now_s=time.monotonic(), clock=datetime.now()
                ))  # fmt: skip

    def _count(self, lane: Lane) -> None:
        scope = lane.plan.scope
        ready = self._coordination.ready_count(scope) - lane.claims.elsewhere
        lane.queue = max(ready - self._attempts.unpublished, 0)

    def _demand(self, lane: Lane) -> Demand:
        slots = lane.slots(self._pool)
        measured = [slot.rss_mib for slot in slots if slot.rss_mib]
        known = self._coordination.known_count(lane.plan.scope)
        if lane.finished_before is None and lane.claims.looked:
            lane.finished_before = known - lane.queue
        allowed = self._allowances if self._is_metered(lane, slots) else None
        return Demand(
            queue=lane.queue,
            live=len(slots),
            busy=sum(slot.assignment is not None for slot in slots),
            arrived=0 if lane.finished_before is None else max(known - lane.finished_before, 0),
            task_s=self._attempts.task_s,
            free_mib=free_mib(),
            rss_mib=sum(measured) / len(measured) if measured else None,
            rate_workers=allowed.gates.workers_fed() if allowed else None,
            tokens_left=allowed.tokens_left if allowed else None,
            tokens_per_task=allowed.tokens_per_task if allowed else None,
        )

    def _is_metered(self, lane: Lane, slots: Sequence[Slot]) -> bool:
        """Whether all that the lane has in hand needs tokens: else others are not to be kept from work."""
        running = [slot.assignment.runner for slot in slots if slot.assignment is not None]
        return (
            self._allowances.metered
            and bool(running)
            and all(map(metered, running))
            and all(self._allowances.is_metered(held.claim.task) for held in lane.claims.waiting())
        )

    def _fit(self, lane: Lane, decision: Decision) -> None:
        before, lane.decision = lane.decision, decision
        if before is not None and decision.changed:
            self._tell(events.pool_scaled(before.target, decision.target, lane.queue, decision.reasons))
        self._alert(lane, decision)
        self._size(lane, decision)

    def _alert(self, lane: Lane, decision: Decision) -> None:
        kind = lane.plan.kind
        if decision.alert is None or not self._alerts_wanted:
            self._alerts.pop(kind, None)
        else:
            if kind not in self._alerts:
                self._tell(events.alert(decision.alert, lane.queue, lane.plan.bounds.max))
            self._alerts[kind] = decision.alert

    def _size(self, lane: Lane, decision: Decision) -> None:
        slots = lane.slots(self._pool)
        staying = [slot for slot in slots if slot.leaving != FEWER]
        for slot in slots:  # those on their way out are kept on before new ones are started
            if slot.leaving == FEWER and len(staying) < decision.target:
                slot.leaving = ""
                staying.append(slot)
            elif slot.leaving == FEWER:  # one that was only starting when it was told
                self.depart(slot)
        for _ in range(min(decision.target, decision.ceiling) - len(staying)):
            self.add(lane)
        surplus = len(staying) - decision.target
        idle_first = sorted(staying, key=lambda slot: (slot.assignment is not None, -slot.asked_at))
        for slot in idle_first[: max(surplus, 0)]:
            slot.leaving = FEWER
            self.depart(slot)
        lane.claims.resize(decision.target)

    def add(self, lane: Lane) -> Slot:
        """One more worker for the lane."""
        slot = self._pool.add(lane.plan.name, lane.plan.kind)
        self._tell(events.worker_started(slot.name, slot.kind, slot.pid))
        return slot

    def ended(self, slot: Slot) -> None:
        """The worker has ended an assignment: see whether it may stay. It leaves at `depart`."""
        measure(slot, whole=False)
        if not slot.leaving:
            slot.leaving = why_leave(slot, self._settings, time.monotonic())

    def depart(self, slot: Slot) -> None:
        """Let the worker go if it is to leave, and is neither busy nor holds a result of ours."""
        if not slot.leaving or slot.assignment is not None or not slot.ready:
            return
        if slot.leaving == FEWER:
            self._pool.remove(slot)
            return
        self._tell(events.worker_recycled(slot.name, slot.leaving, slot.tasks_done, slot.rss_mib))
        self._pool.replace(slot)
