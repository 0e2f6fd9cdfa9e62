"""Views of a running pool: the snapshot that others read, and what is written down about it.

Owns when a view is taken and recorded. Must never change what it looks at.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cortex_git.errors import CortexError
from cortex_git.state import PASSING, now
from cortex_git.store.coordination import Coordination
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.lanes import Lane
from cortex_git.workers.pool import Pool, Slot
from cortex_git.workers.records import PoolRecords
from cortex_git.workers.snapshot import PoolSnapshot, WorkerStatus, WorkerView

_FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What a view is taken of."""

    owner: str
    strategy: str
    lanes: tuple[Lane, ...]
    pool: Pool
    attempts: Attempts


class Views:
    """The latest view of one run; each is recorded as it is taken."""

    def __init__(self, coordination: Coordination, frame: Frame) -> None:
        self._frame = frame
        self._began_at = now()
        self._records = PoolRecords(coordination.repository)
        self._condition = threading.Condition()
        self._taken = 0
        self.wanted = False
        """Whether somebody waits for a view of this very moment."""
        self.latest = self._view(draining=False, alert=None, problem=None)

    def fresh(self, wake: Callable[[], None]) -> PoolSnapshot:
        """A view taken from now on; the last one where the loop has no time for it. From any thread."""
        with self._condition:
            before, self.wanted = self._taken, True
            wake()
            self._condition.wait_for(lambda: self._taken != before, timeout=_FRESH_S)
            return self.latest

    def take(
        self, *, draining: bool, alert: str | None, problem: CortexError | None, reasons: Sequence[str] = ()
    ) -> None:
        """Look, remember, and write it down; a disk that is full keeps nobody from working."""
        with self._condition:
            self.latest = self._view(draining=draining, alert=alert, problem=problem, reasons=reasons)
            self._taken += 1
            self.wanted = False
            self._condition.notify_all()
        try:
            self._records.observe(self.latest)
        except PASSING:
            return

    def close(self) -> None:
        """The pool has ended."""
        try:
            self._records.close()
        except PASSING:
            return

    def _view(
        self, *, draining: bool, alert: str | None, problem: CortexError | None, reasons: Sequence[str] = ()
    ) -> PoolSnapshot:
        frame, report = self._frame, self._frame.attempts.report
        lanes = [lane for lane in frame.lanes if lane.decision is not None]
        size = len(frame.pool.slots)
        decided = [lane.decision for lane in lanes if lane.decision is not None]
        policies = {lane.plan.policy or "fixed" for lane in frame.lanes} or {"fixed"}
        return PoolSnapshot(
            pid=os.getpid(),
            owner=frame.owner,
            started_at=self._began_at,
            policy="/".join(sorted(policies)),
            strategy=frame.strategy,
            min=sum(lane.plan.bounds.min for lane in lanes) if lanes else size,
            max=sum(lane.plan.bounds.max for lane in lanes) if lanes else size,
            target=sum(decision.target for decision in decided) if decided else size,
            reasons=tuple(reasons)
            + tuple(
                f"{lane.plan.kind}: {reason}" if lane.plan.kind else reason
                for lane in lanes
                for reason in (lane.decision.reasons if lane.decision else ())
            ),
            alert=alert,
            draining=draining,
            queue=sum(lane.queue for lane in frame.lanes),
            completed=report.completed,
            failed=report.failed,
            unpublished=frame.attempts.unpublished,
            problem=str(problem) if problem else None,
            tokens_used=report.tokens_used,
            workers=tuple(_worker(slot) for slot in list(frame.pool.slots) if slot.connection is not None),
        )


def _worker(slot: Slot) -> WorkerView:
    assignment = slot.assignment
    return WorkerView(
        worker=slot.name,
        type=slot.kind,
        pid=slot.pid,
        status=_status(slot),
        started_at=slot.since,
        task=str(assignment.task["task"]) if assignment else None,
        master=str(assignment.task["master"]) if assignment else None,
        task_s=time.monotonic() - slot.assigned_at if assignment else 0.0,
        token_budget=assignment.budget if assignment else 0,
        tasks_done=slot.tasks_done,
        rss_mib=round(slot.rss_mib, 1),
    )


def _status(slot: Slot) -> WorkerStatus:
    if not slot.ready:
        return "starting"
    if slot.leaving:
        return "leaving"
    return "busy" if slot.assignment else "idle"
