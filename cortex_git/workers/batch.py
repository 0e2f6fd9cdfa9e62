"""Running tasks: claims ahead, a pool, and a committer, joined in one loop.

Owns the loop and its end: a batch ends when every task in scope has a result, a long-lived pool when it
is told to; both drain on the first signal, kill on the second. What becomes of each attempt is
`attempts`' business, how many workers there are `staffing`'s.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cortex_git.errors import CortexError
from cortex_git.models import Task
from cortex_git.processes import hurry
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import Heart, Signs
from cortex_git.store.index import Scope
from cortex_git.workers import events
from cortex_git.workers.allowances import Allowances
from cortex_git.workers.attempts import Attempts, BatchReport, Outcome, Watcher
from cortex_git.workers.balancing import StrategyName
from cortex_git.workers.claimer import ClaimSource, GivenClaims
from cortex_git.workers.committer import Committer
from cortex_git.workers.dependencies import Dependencies
from cortex_git.workers.dispatching import Dispatcher
from cortex_git.workers.lanes import Lane, LanePlan, open_lane
from cortex_git.workers.merges import Merger, Merges
from cortex_git.workers.orders import Orders
from cortex_git.workers.patience import Patience
from cortex_git.workers.pool import Died, Finished, Pool, Slot
from cortex_git.workers.snapshot import PoolSnapshot
from cortex_git.workers.staffing import FEWER, Staffing
from cortex_git.workers.viewing import Frame, Views
from cortex_git.workers.waking import Waker

_TICK_S = 0.5
_STAFF_S = 1.0
"""How often the number of workers is looked at."""
_HURRY_S = 5.0
"""Seconds that git calls may take in all after the second interrupt."""
_KEPT = 1000
"""Results that a long-lived pool remembers."""

Options = Mapping[str, Any] | Callable[[Task], Mapping[str, Any]]
"""What this host tells its workers, the same for every task or not."""


class BatchRun:
    """One run of the open tasks in `scope` on `pool`, or of the `given` claims alone.

    `runner` takes the place of each task's own; without `merger` the last tasks of batches are left to
    others, but merge tasks are carried out here, those outside of the scope too that became ready by it.
    `plans` are the lanes, one of the whole scope by default. A run that is `kept` goes on when nothing is
    left to do, and takes `orders`.
    """

    def __init__(
        self,
        coordination: Coordination,
        pool: Pool,
        scope: Scope,
        *,
        watcher: Watcher,
        options: Options | None = None,
        merger: Merger | None = None,
        given: Sequence[Claim] | None = None,
        runner: str | None = None,
        plans: Sequence[LanePlan] = (),
        strategy: StrategyName = "least-loaded",
        kept: bool = False,
        owner: str = "spawn-workers",
        outputs: bool = True,
    ) -> None:
        self._scope = scope if merger else replace(scope, merges=False)
        self._coordination = coordination
        self._pool = pool
        self._watcher = watcher
        self._merger = merger
        self._strategy = strategy
        self._kept = kept
        self._waker = Waker()
        self._wake = self._waker.wake
        self._given = GivenClaims(coordination, given or ())
        self._lanes: list[Lane] = []
        self._heart = Heart(coordination.repository, self._signs)
        self._allowances = Allowances(coordination, self._scope, self._wake, runner=runner, kept=kept)
        if given is None:
            self._lanes = [
                open_lane(coordination, pool, plan, self._wake, self._allowances.refused,
                          merges=merger is not None, kept=kept, starved=self._heart.beat_soon)
                for plan in plans or (LanePlan(self._scope),)
            ]  # fmt: skip
        self._sources: list[ClaimSource] = [self._given, *(lane.claims for lane in self._lanes)]
        self._committer = Committer(coordination, self._on_pushed)
        told = options if callable(options) else lambda _task: options or {}
        keep = _KEPT if kept else None
        self._attempts = Attempts(
            coordination,
            watcher,
            self._notify_committer,
            options=told,
            allowances=self._allowances,
            keep=keep,
            outputs=outputs,
        )
        self._dependencies = Dependencies(coordination, self._attempts.give_up, self._attempts.waiters.let_go)
        self._merges = Merges(
            coordination, self._attempts, self._given, last=merger, name=pool.name(1),
            allow=self._dependencies.allow, note=watcher.note, kept=kept,
        )  # fmt: skip
        self._staffing = Staffing(
            coordination, pool, self._lanes, self._attempts, self._allowances, watcher.event, alerts=kept
        )
        self._views = Views(coordination, Frame(owner, strategy, tuple(self._lanes), pool, self._attempts))
        self.orders = Orders(coordination, self._attempts, self._given, self._lanes, pool, self._wake)
        self._dispatcher = Dispatcher(
            pool, self._attempts, self._allowances, self._dependencies, self._given, self._lanes, self.orders,
            strategy=strategy, make_room=self._make_room,
        )  # fmt: skip
        self._patience = Patience(
            coordination, [self._committer, *self._sources, self._allowances], watcher, kept=kept
        )
        self._draining = False
        self._killing = False
        self._began = 0.0
        self._staff_at = 0.0

    @property
    def report(self) -> BatchReport:
        return self._attempts.report

    @property
    def snapshot(self) -> PoolSnapshot:
        """What the pool looked like a moment ago. Safe from any thread."""
        return self._views.latest

    def look(self) -> PoolSnapshot:
        """What the pool looks like now. Safe from any thread but the run's own."""
        return self._views.fresh(self._wake)

    @property
    def draining(self) -> bool:
        return self._draining

    def interrupt(self, *, person: bool = True) -> None:
        """Drain: start nothing more. A second call ends what runs. Safe in a signal handler.

        `person`: somebody cut the work short, which is no regular end.
        """
        if self._draining:
            self._killing = self.report.killed = True
            hurry(_HURRY_S)
        self._draining = True
        self._merges.close()
        self.report.interrupted = self.report.interrupted or person
        self._wake()

    def look_at_all(self) -> None:
        """There is something new, perhaps in the budget: look at once. Safe from any thread."""
        self._allowances.look()
        self.look_again()

    def look_again(self) -> None:
        """Something changed: look at the remote at once. Safe from any thread."""
        for source in self._sources:
            source.look_again()

    def run(self) -> BatchReport:
        """Run until every task in scope has a result, or it was drained; then say what was done."""
        self._began = time.monotonic()
        self._committer.start()
        for source in self._sources:
            source.start()
        self._heart.start()
        self._allowances.start()
        try:
            while not self._over():
                self._step()
        finally:
            self._end()
        return self.report

    def _signs(self) -> Signs:
        idle = sum(lane.claims.starving for lane in self._lanes)
        return Signs(len(self._pool.slots), idle, self._scope.batch)

    def _notify_committer(self) -> None:
        self._committer.notify(gather=bool(self._pool.busy()))

    def _on_pushed(self) -> None:
        """Called in the committer's thread after each try."""
        states = self._attempts.states()
        # Taken on before they are settled: no run is over while results of its own are not.
        self._merges.look(self._attempts.acknowledged(states), self._scope if self._lanes else None)
        self._attempts.settle(states)
        self.look_again()
        self._wake()

    def _over(self) -> bool:
        if self._killing:
            return True
        for crash in (*(source.crash for source in self._sources), self._committer.crash):
            if crash is not None:
                raise crash
        if self._pool.busy() or (self._attempts.orphans and not self._draining):
            return False
        if (problem := self._patience.ended(draining=self._draining)) is not None:
            self.report.problem = problem
            return True
        if self._attempts.unpublished:
            return False
        if self._draining:
            return True
        if self._kept or self._given.waiting():
            return False
        if not all(source.looked for source in self._sources):
            return False
        scopes = [lane.plan.scope for lane in self._lanes]
        if any(self._allowances.left_over(scope) > 0 for scope in scopes):
            return False
        return not self._dependencies.may_open(scopes)

    def _step(self) -> None:
        self._look_round()
        if self._draining:
            for source in self._sources:
                source.stop()
        else:
            self._dispatch()
        finished: list[tuple[Slot, Outcome]] = []
        ended: list[Slot] = []
        for event in self._pool.wait(_TICK_S, [self._waker.read_end]):
            if isinstance(event, Died):
                self._on_died(event)
            else:
                ended.append(event.slot)
                if (outcome := self._on_finished(event)) is not None:
                    finished.append((event.slot, outcome))
        self._waker.drain()
        for claim in self._attempts.take_over_orphans():
            self._given.put_back(claim)
        if not self._draining:
            self._dispatch()
        if finished:
            self._attempts.enter([outcome for _, outcome in finished])
        for slot, (claim, _, _) in finished:
            self._pool.recorded(slot, claim.record.nonce)
        for slot in ended:
            self._staffing.depart(slot)

    def _look_round(self) -> None:
        """Once a second: how many workers there should be, and a view of it all for whoever looks."""
        due = time.monotonic() >= self._staff_at
        if due:
            self._staff_at = time.monotonic() + _STAFF_S
            self._staffing.tick(draining=self._draining)
            if (news := self._allowances.tick()) is not None:
                self._watcher.event(news)
        elif not self._views.wanted:
            return
        self._views.take(
            draining=self._draining, alert=self._staffing.alert, problem=self._patience.problem,
            reasons=self._allowances.reasons,
        )  # fmt: skip

    def _on_finished(self, event: Finished) -> Outcome | None:
        """The attempt's outcome; None where it was released, to be tried again."""
        self._staffing.ended(event.slot)
        if (outcome := self._attempts.finished(event)) is not None:
            return outcome
        self._pool.recorded(event.slot, event.report.nonce)
        self.look_again()
        return None

    def _dispatch(self) -> None:
        self._merges.carry_out(self._sources)
        self._dispatcher.dispatch()

    def _make_room(self, kind: str) -> None:
        if self._kept:
            self.orders.make_room(kind, self._staffing)

    def _on_died(self, event: Died) -> None:
        how = "was ended for its time" if event.out_of_time else f"died (status {event.status})"
        if event.assignment is not None:
            claim, spent = self._attempts.orphaned(event.assignment.nonce)
            self._watcher.event(events.worker_died(event.slot.name, claim.task.task, how))
            if event.out_of_time:
                reason = "took longer than its time, and did not end when asked"
                self._attempts.give_up(claim, reason, "timed_out", spent=spent)
                spent = 0
            elif self._draining:
                self._coordination.claims.release([claim])
                self._attempts.waiters.let_go(claim.task.task, "its worker died while the pool was draining")
            else:
                self._attempts.orphans.append(claim)
            self.report.tokens_used += spent
        else:
            self._watcher.event(events.worker_died(event.slot.name, None, how))
        if event.slot.leaving == FEWER:
            self._pool.slots.remove(event.slot)
        elif not self._draining:
            self._pool.refill(event.slot)

    def _end(self) -> None:
        self._merges.close()
        if self._killing:
            self._pool.kill()
            self._coordination.claims.release(self._attempts.running)
        self.report.tokens_used += self._allowances.close_all()
        try:
            self._heart.stop()
            for source in self._sources:
                source.stop()
            self._committer.stop()
            self._allowances.stop()
        except CortexError as error:
            self.report.problem = error
        self.orders.close()
        self._views.close()
        report = self.report
        report.pushes = self._committer.pushes
        report.metered, report.limit = self._allowances.metered, self._allowances.limit
        report.waiting = self._attempts.unpublished
        report.workers_used = len(self._dispatcher.used)
        if (first := self._dispatcher.first) is not None:
            warm = min(first, max(self._began, self._pool.ready_at))
            report.real_s = max(self._attempts.last_published - self._began, 0.0)
            report.wall_s = max(self._attempts.last_published - warm, 0.0)
            report.scan_wall_s = max(self._attempts.last_report - first, 0.0)
        if not self._kept:  # whoever serves requests may still wake us, and their numbers may be reused
            self._waker.close()
        hurry(None)
