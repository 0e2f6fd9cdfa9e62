"""Running a batch: claims ahead, a pool, and a committer, joined in one loop until every task has a result.

Owns the loop and its end: it drains on the first signal, kills on the second, and lets go when the
remote stays away. What becomes of each attempt is `attempts`' business.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cortex_git.errors import CortexError
from cortex_git.models import Result
from cortex_git.processes import hurry
from cortex_git.store.claims import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import Heart
from cortex_git.store.index import Scope
from cortex_git.workers.attempts import Attempts, BatchReport, Outcome, Watcher
from cortex_git.workers.claimer import Claimer, ClaimSource, GivenClaims
from cortex_git.workers.committer import Committer
from cortex_git.workers.pool import Died, Finished, Pool, Slot

_TICK_S = 0.5
_HURRY_S = 5.0
"""Seconds that git calls may take in all after the second interrupt."""

Merger = Callable[[Claim], tuple[Result, dict[str, bytes]]]
"""Carries out a batch's last task in this process: its result and the further files to publish with it."""


class BatchRun:
    """One run of the open tasks in `scope` on `pool`, or of the `given` claims alone.

    `runner` takes the place of each task's own; without `merger` the last tasks of batches are left to
    others.
    """

    def __init__(
        self,
        coordination: Coordination,
        pool: Pool,
        scope: Scope,
        *,
        watcher: Watcher,
        options: Mapping[str, Any] | None = None,
        merger: Merger | None = None,
        given: Sequence[Claim] | None = None,
        runner: str | None = None,
    ) -> None:
        self._scope = scope if merger else replace(scope, merges=False)
        self._coordination = coordination
        self._pool = pool
        self._watcher = watcher
        self._merger = merger
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._only_given = given is not None
        self._claimer: ClaimSource = (
            Claimer(coordination, self._scope, len(pool.slots), pool.slots[0].name, self._wake)
            if given is None
            else GivenClaims(coordination, given)
        )
        self._committer = Committer(coordination, self._on_pushed)
        self._attempts = Attempts(
            coordination, watcher, self._notify_committer, options=options or {}, runner=runner
        )
        self._heart = Heart(coordination.repository, lambda: len(pool.slots))
        self._draining = False
        self._killing = False
        self._used: set[str] = set()
        self._trouble_since: float | None = None
        self._began = 0.0
        self._first_dispatch: float | None = None

    @property
    def report(self) -> BatchReport:
        return self._attempts.report

    def interrupt(self) -> None:
        """Drain: start nothing more. A second call ends what runs. Safe in a signal handler."""
        if self._draining:
            self._killing = self.report.killed = True
            hurry(_HURRY_S)
        self._draining = True
        self.report.interrupted = True
        self._wake()

    def run(self) -> BatchReport:
        """Run until every task in scope has a result, or it was drained; then say what was done."""
        self._began = time.monotonic()
        self._committer.start()
        self._claimer.start()
        self._heart.start()
        try:
            while not self._over():
                self._step()
        finally:
            self._end()
        return self.report

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"w")
        except (BlockingIOError, OSError):
            return

    def _notify_committer(self) -> None:
        self._committer.notify(gather=bool(self._pool.busy()))

    def _on_pushed(self) -> None:
        """Called in the committer's thread after each try."""
        self._attempts.settle()
        self._claimer.look_again()
        self._wake()

    def _over(self) -> bool:
        if self._killing:
            return True
        for crash in (self._claimer.crash, self._committer.crash):
            if crash is not None:
                raise crash
        if self._pool.busy() or (self._attempts.orphans and not self._draining):
            return False
        if self._remote_lost():
            return True
        if self._attempts.unpublished:
            return False
        if self._draining:
            return True
        if self._only_given:
            return self._claimer.held == 0
        return self._claimer.looked and self._coordination.open_count(self._scope) == 0

    def _remote_lost(self) -> bool:
        """Whether there is nothing to run and the remote has not answered for too long.

        What waits is in the outbox, so the command may end and say so.
        """
        problem = self._committer.problem or self._claimer.problem
        if problem is None:
            self._trouble_since = None
            return False
        if self._trouble_since is None:
            self._trouble_since = time.monotonic()
            self._watcher.note(f"{problem}; trying again")
        limit = self._coordination.repository.settings.leases.give_up_s
        if time.monotonic() - self._trouble_since < limit and not self._draining:
            return False
        self.report.problem = problem
        return True

    def _step(self) -> None:
        if self._draining:
            self._claimer.stop()
        else:
            self._dispatch()
        finished: list[tuple[Slot, Outcome]] = []
        for event in self._pool.wait(_TICK_S, [self._wake_read]):
            if isinstance(event, Died):
                self._on_died(event)
            elif (outcome := self._attempts.finished(event)) is not None:
                finished.append((event.slot, outcome))
            else:
                self._released(event)
        self._drain_wakes()
        for claim in self._attempts.take_over_orphans():
            self._claimer.put_back(claim)
        if not self._draining:
            self._dispatch()
        if finished:
            self._attempts.enter([outcome for _, outcome in finished])
        for slot, (claim, _, _) in finished:
            self._pool.recorded(slot, claim.record.nonce)

    def _released(self, event: Finished) -> None:
        self._pool.recorded(event.slot, event.report.nonce)
        self._claimer.look_again()

    def _drain_wakes(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            return

    def _dispatch(self) -> None:
        for slot in self._pool.idle():
            claim = self._claimer.take()
            if claim is None:
                return
            if claim.record.attempt > claim.task.max_attempts:
                reason = f"its worker died in each of {claim.task.max_attempts} attempts"
                self._attempts.give_up(claim, reason)
            elif claim.task.is_merge and self._merger is not None:
                self._attempts.enter([(claim, *self._merger(claim))])
            else:
                self._start(slot, claim)

    def _start(self, slot: Slot, claim: Claim) -> None:
        try:
            assignment = self._attempts.assignment(claim, slot.name, self._pool.overhead_s(slot))
        except CortexError as error:
            self._attempts.give_up(claim, str(error))
            return
        if not self._pool.assign(slot, assignment):
            self._claimer.put_back(claim)
            return
        self._attempts.started(claim, slot.name)
        self._used.add(slot.name)
        self._first_dispatch = self._first_dispatch or time.monotonic()

    def _on_died(self, event: Died) -> None:
        if event.assignment is not None:
            claim = self._attempts.orphaned(event.assignment.nonce)
            how = "was ended for its time" if event.out_of_time else f"died (status {event.status})"
            self._watcher.note(f"{claim.task.task}: {event.slot.name} {how}")
            if event.out_of_time:
                reason = "took longer than its time, and did not end when asked"
                self._attempts.give_up(claim, reason, "timed_out")
            elif self._draining:
                self._coordination.claims.release([claim])
            else:
                self._attempts.orphans.append(claim)
        if not self._draining:
            self._pool.refill(event.slot)

    def _end(self) -> None:
        if self._killing:
            self._pool.kill()
            self._coordination.claims.release(self._attempts.running)
        try:
            self._heart.stop()
            self._claimer.stop()
            self._committer.stop()
        except CortexError as error:
            self.report.problem = error
        report = self.report
        report.pushes = self._committer.pushes
        report.waiting = self._attempts.unpublished
        report.workers_used = len(self._used)
        if self._first_dispatch is not None:
            warm = min(self._first_dispatch, max(self._began, self._pool.ready_at))
            report.real_s = max(self._attempts.last_published - self._began, 0.0)
            report.wall_s = max(self._attempts.last_published - warm, 0.0)
            report.scan_wall_s = max(self._attempts.last_report - self._first_dispatch, 0.0)
        os.close(self._wake_read)
        os.close(self._wake_write)
        hurry(None)
