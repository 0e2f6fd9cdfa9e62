"""Lanes: the tasks that one group of workers takes, with their claims and the size of the group.

Owns which idle worker of a lane starts which claim. A worker type with bounds of its own has a lane of
its own; all others share one.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from cortex_git.config import Bounds
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.activation import Policy
from cortex_git.workers.balancing import Floor, Seat, StrategyName, Waiting, plan
from cortex_git.workers.claimer import Claimer, Held
from cortex_git.workers.pool import Pool, Slot
from cortex_git.workers.sizing import Decision, Sizer


@dataclass(frozen=True, slots=True)
class LanePlan:
    """How a lane is to be staffed; without a policy it keeps the workers that the pool was opened with."""

    scope: Scope
    kind: str = ""
    """Its worker type; empty for every type that has no lane of its own."""
    name: Callable[[int], str] | None = None
    """Names of its workers; None for the pool's own."""
    policy: Policy | None = None
    bounds: Bounds = field(default_factory=Bounds)
    fixed: int | None = None

    @property
    def called(self) -> str:
        """The lane in words."""
        return f"{self.kind} tasks" if self.kind else "all other tasks" if self.scope.without else "all tasks"


class Lane:
    """One lane of a run."""

    def __init__(self, plan: LanePlan, claims: Claimer, sizer: Sizer | None) -> None:
        self.plan = plan
        self.claims = claims
        self.sizer = sizer
        self.decision: Decision | None = None
        """The last one; None where the size is fixed by the pool."""
        self.queue = 0
        """Tasks that wait or run here, as last counted."""
        self.finished_before: int | None = None
        """Tasks in scope without those that waited at the first look: these arrived at that moment."""
        self._hints: dict[str, str] = {}
        self._turn = 0

    def slots(self, pool: Pool) -> list[Slot]:
        return [slot for slot in pool.slots if slot.kind == self.plan.kind]

    def starts(
        self, pool: Pool, strategy: StrategyName, held_back: Collection[str] = ()
    ) -> list[tuple[Slot, str]]:
        """Which idle worker is to start which task now; the others get a hint of what comes next.

        Those that are held back wait for something else than a worker.
        """
        every = {held.claim.task.task: held for held in self.claims.waiting()}
        waiting = {task: held for task, held in every.items() if task not in held_back}
        slots = {slot.name: slot for slot in self.slots(pool) if slot.ready and not slot.leaving}
        if not waiting or not any(slot.assignment is None for slot in slots.values()):
            return []
        hints = {worker: task for worker, task in self._hints.items() if worker in slots and task in waiting}
        hinted = set(hints.values())
        seats = tuple(
            _seat(slot, waiting[hints[name]] if name in hints else None) for name, slot in slots.items()
        )
        line = tuple(_waiting(held) for task, held in waiting.items() if task not in hinted)
        chosen = plan(strategy, Floor(seats, line, self._turn))
        self._hints, self._turn = chosen.hints, chosen.turn
        return [(slots[worker], task) for worker, task in chosen.starts.items()]


def open_lane(
    coordination: Coordination,
    pool: Pool,
    plan: LanePlan,
    wake: Callable[[], None],
    refused: Callable[[], Collection[str]],
    *,
    merges: bool,
    kept: bool,
    starved: Callable[[], None] = lambda: None,
) -> Lane:
    """The lane of a plan, its claimer not started yet; without `merges` it leaves the last tasks of batches.

    `wake` is called when there are new claims; tasks in `refused` are not claimed. One that is `kept` looks
    for new tasks for ever. `starved` is called when its workers have nothing left but what other hosts hold.
    """
    if not merges:
        plan = replace(plan, scope=replace(plan.scope, merges=False))
    settings = coordination.repository.settings.pool
    sizer = None
    if plan.policy is not None:
        sizer = Sizer(settings, policy=plan.policy, bounds=plan.bounds, fixed=plan.fixed)
    size = sum(slot.kind == plan.kind for slot in pool.slots)
    name = (plan.name or pool.name)(1)
    look_s = settings.look_s if kept else None

    def idle() -> int:
        slots = [slot for slot in list(pool.slots) if slot.kind == plan.kind and slot.ready]
        return sum(slot.assignment is None and not slot.leaving for slot in slots)

    claims = Claimer(
        coordination, plan.scope, max(size, 1), name, wake, look_s, refused, idle=idle, starved=starved
    )
    return Lane(plan, claims, sizer)


def _seat(slot: Slot, hint: Held | None) -> Seat:
    busy_s = slot.busy_s + (time.monotonic() - slot.assigned_at if slot.assignment else 0.0)
    return Seat(
        worker=slot.name,
        idle=slot.assignment is None,
        hint=_waiting(hint) if hint else None,
        done=slot.tasks_done,
        busy_s=busy_s,
        last_type=slot.last_type,
    )


def _waiting(held: Held) -> Waiting:
    task = held.claim.task
    score = task.context.get("confidence") if task.confidence is None else task.confidence
    return Waiting(task.task, task.type, held.ticket, confidence_of(score))


def confidence_of(value: object) -> float:
    """The router's score of 0 to 100 in a task's context as 0.0 to 1.0; 1.0 where there is none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:
        return value / 100
    return 1.0
