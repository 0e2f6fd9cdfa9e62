"""Running a batch: claims ahead, a pool, and a committer, joined in one loop until every task has a result.

Owns what happens to an attempt: it becomes a result, is released to be tried again, or is taken over
because its worker died. Drains on the first signal and kills on the second.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from cortex_git.errors import CortexError
from cortex_git.models import Result
from cortex_git.runners import runner_name
from cortex_git.state import monotonic, now
from cortex_git.store.claims import Claim, backoff_s
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import Heart
from cortex_git.store.index import Scope
from cortex_git.workers.claimer import Claimer, ClaimSource, GivenClaims
from cortex_git.workers.committer import Committer
from cortex_git.workers.messages import Assignment, to_result
from cortex_git.workers.pool import Died, Finished, Pool, Slot

_TICK_S = 0.5


class Watcher(Protocol):
    """What a command is told while its batch runs, to show it."""

    def started(self, task: str, worker: str, repo: str | None) -> None: ...
    def finished(self, result: Result) -> None: ...
    def note(self, text: str) -> None: ...


Merger = Callable[[Claim], tuple[Result, dict[str, bytes]]]
"""Carries out a batch's last task in this process: its result and the further files to publish with it."""


@dataclass
class BatchReport:
    """What a run did. Times are seconds."""

    results: dict[str, Result] = field(default_factory=dict)
    """Results this run made, by task; whether published is in the outbox."""
    wall_s: float = 0.0
    """From the start, or from when the pool was warm, to the last acknowledged result."""
    scan_wall_s: float = 0.0
    """From the first dispatch to the last report of a worker: the phase in which workers worked."""
    workers_used: int = 0
    published: int = 0
    fenced: int = 0
    pushes: int = 0
    waiting: int = 0
    """Results that the remote has not acknowledged."""
    interrupted: bool = False
    problem: CortexError | None = None
    """What kept results from being published."""


class BatchRun:
    """One run of the open tasks in `scope` on `pool`."""

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
        scope = scope if merger else replace(scope, merges=False)
        self._coordination = coordination
        self._pool = pool
        self._watcher = watcher
        self._options = dict(options or {})
        self._runner = runner
        self._merger = merger
        self._scope = scope
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._claimer: ClaimSource = (
            Claimer(coordination, scope, len(pool.slots), pool.slots[0].name, self._wake)
            if given is None
            else GivenClaims(coordination, given)
        )
        self._retrying = given is None
        self._committer = Committer(coordination, self._on_published)
        self._claims: dict[str, Claim] = {}
        self._unpublished: dict[str, Claim] = {}
        self._guard = threading.Lock()
        self._draining = False
        self._killing = False
        self._used: set[str] = set()
        self._trouble_since: float | None = None
        self._heart = Heart(coordination.repository, lambda: len(pool.slots))
        self._began = 0.0
        self._first_dispatch: float | None = None
        self._last_published = 0.0
        self._last_report = 0.0
        self.report = BatchReport()

    def interrupt(self) -> None:
        """Drain: start nothing more. A second call ends what runs. Safe in a signal handler."""
        self._killing = self._draining
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

    def _over(self) -> bool:
        if self._killing:
            return True
        for crash in (self._claimer.crash, self._committer.crash):
            if crash is not None:
                raise crash
        if self._pool.busy():
            return False
        if self._remote_lost():
            return True
        if self._unpublished:
            return False
        if self._draining:
            return True
        if not self._retrying:
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
        finished: list[tuple[Slot, Claim, Result]] = []
        for event in self._pool.wait(_TICK_S, [self._wake_read]):
            if isinstance(event, Finished):
                finished += self._on_finished(event)
            else:
                self._on_died(event)
        self._drain_wakes()
        if finished and not self._draining:
            self._dispatch()
        self._record(finished)

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
                self._give_up(claim, f"its worker died in each of {claim.task.max_attempts} attempts")
            elif claim.task.is_merge:
                self._merge(claim)
            else:
                self._start(slot, claim)

    def _start(self, slot: Slot, claim: Claim) -> None:
        task = claim.task
        limits = self._coordination.repository.settings.limits_of(task.type)
        document = task.model_dump(mode="json", by_alias=True) | {"master": task.responsible}
        assignment = Assignment(
            task=document,
            runner=runner_name(self._runner or task.runner, task.type),
            worker=slot.name,
            host=self._coordination.repository.host,
            nonce=claim.record.nonce,
            claim=claim.oid,
            epoch=claim.record.epoch,
            attempt=claim.record.attempt,
            path=self._coordination.result_path(task),
            repository=str(self._coordination.repository.folder),
            dispatched=monotonic() - self._pool.overhead_s(slot),
            deadline_s=(task.deadline or limits.minutes) * 60,
            budget=limits.tokens if task.budget is None else task.budget,
            options=self._options,
        )
        if not self._pool.assign(slot, assignment):
            self._claimer.put_back(claim)
            return
        self._claims[claim.record.nonce] = claim
        self._used.add(slot.name)
        self._first_dispatch = self._first_dispatch or time.monotonic()
        self._watcher.started(task.task, slot.name, task.repo)

    def _on_finished(self, event: Finished) -> list[tuple[Slot, Claim, Result]]:
        claim = self._claims.pop(event.report.nonce)
        report = event.report
        self._last_report = time.monotonic()
        if report.retry and claim.record.attempt < claim.task.max_attempts:
            self._watcher.note(f"{claim.task.task}: attempt {claim.record.attempt} failed: {report.error}")
            self._release_later(claim)
            self._pool.recorded(event.slot, report.nonce)
            return []
        return [(event.slot, claim, to_result(event.assignment, report))]

    def _record(self, finished: list[tuple[Slot, Claim, Result]]) -> None:
        if not finished:
            return
        self._enter([(claim, result, {}) for _, claim, result in finished])
        for slot, claim, _ in finished:
            self._pool.recorded(slot, claim.record.nonce)

    def _enter(self, outcomes: list[tuple[Claim, Result, dict[str, bytes]]]) -> None:
        # Noted first: another process of this clone may publish them the moment they are recorded.
        with self._guard:
            self._unpublished |= {claim.record.nonce: claim for claim, _, _ in outcomes}
        self._coordination.record(outcomes)
        self._committer.notify(gather=bool(self._pool.busy()))
        for claim, result, _ in outcomes:
            self.report.results[claim.task.task] = result
            self._watcher.finished(result)

    def _release_later(self, claim: Claim) -> None:
        leases = self._coordination.repository.settings.leases
        pause = backoff_s(claim.record.attempt, leases.retry_base_s, leases.retry_max_s)
        self._coordination.claims.release([claim], retry_after_s=pause)
        self._claimer.look_again()

    def _on_died(self, event: Died) -> None:
        if event.assignment is not None:
            claim = self._claims.pop(event.assignment.nonce)
            how = "was ended for its time" if event.out_of_time else f"died (status {event.status})"
            self._watcher.note(f"{claim.task.task}: {event.slot.name} {how}")
            if event.out_of_time:
                self._give_up(claim, "took longer than its time, and did not end when asked", "timed_out")
            elif not self._killing:
                self._take_over(claim)
        if not self._draining:
            self._pool.refill(event.slot)

    def _take_over(self, claim: Claim) -> None:
        try:
            again = self._coordination.claims.take_over(claim)
        except CortexError as error:
            # The new claim is kept as unproven, and the claimer's next round proves or drops it.
            self._watcher.note(f"{claim.task.task}: {error}")
            return
        if again is not None:
            self._claimer.put_back(again)

    def _give_up(self, claim: Claim, error: str, status: str = "failed") -> None:
        result = Result(
            task=claim.task.task,
            batch=claim.task.batch,
            status="timed_out" if status == "timed_out" else "failed",
            type=claim.task.type,
            master=claim.task.responsible,
            worker=claim.record.worker,
            host=self._coordination.repository.host,
            nonce=claim.record.nonce,
            epoch=claim.record.epoch,
            attempt=claim.record.attempt,
            completed_at=now(),
            error=error,
        )
        self._enter([(claim, result, {})])

    def _merge(self, claim: Claim) -> None:
        if self._merger is not None:
            result, files = self._merger(claim)
            self._enter([(claim, result, files)])

    def _on_published(self) -> None:
        """Called in the committer's thread, after each push of this process or of another one."""
        with self._guard:
            waiting = dict(self._unpublished)
        states = self._coordination.outbox.states(list(waiting))
        settled = [nonce for nonce, state in states.items() if state in ("done", "fenced")]
        for nonce in settled:
            self._coordination.locks.release(waiting[nonce].task.task)
        if settled:
            self._last_published = time.monotonic()
        self.report.fenced += sum(states[nonce] == "fenced" for nonce in settled)
        self.report.published += sum(states[nonce] == "done" for nonce in settled)
        with self._guard:
            for nonce in settled:
                del self._unpublished[nonce]
        self._claimer.look_again()
        self._wake()

    def _end(self) -> None:
        if self._killing:
            self._pool.kill()
            self._coordination.claims.release(
                [c for n, c in self._claims.items() if n not in self._unpublished]
            )
        try:
            self._heart.stop()
            self._claimer.stop()
            self._committer.stop()
        except CortexError as error:
            self.report.problem = error
        self.report.pushes = self._committer.pushes
        self.report.waiting = self._coordination.outbox.count()
        self.report.workers_used = len(self._used)
        if self._first_dispatch is not None:
            warm = min(self._first_dispatch, max(self._began, self._pool.ready_at))
            self.report.wall_s = max(self._last_published - warm, 0.0)
            self.report.scan_wall_s = max(self._last_report - self._first_dispatch, 0.0)
        os.close(self._wake_read)
        os.close(self._wake_write)
