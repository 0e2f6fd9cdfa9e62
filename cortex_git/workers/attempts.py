"""What becomes of attempts: a result in the outbox, a release to be tried again, a last failure.

Owns the claims that run and those whose result is not acknowledged yet. Used by one loop; only
`settle` is called from the committer's thread.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cortex_git.errors import CortexError
from cortex_git.models import Result, ResultStatus
from cortex_git.runners import runner_name
from cortex_git.state import monotonic, now
from cortex_git.store.claims import Claim, backoff_s
from cortex_git.store.coordination import Coordination
from cortex_git.workers.messages import Assignment, to_result
from cortex_git.workers.pool import Finished


class Watcher(Protocol):
    """What a command is told while its batch runs, to show it."""

    def started(self, task: str, worker: str, repo: str | None) -> None: ...
    def finished(self, result: Result) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass
class BatchReport:
    """What a run did. Times are seconds."""

    results: dict[str, Result] = field(default_factory=dict)
    """Results this run made, by task; whether published is in the outbox."""
    real_s: float = 0.0
    """From the start to the last acknowledged result, the summary's own not counted."""
    wall_s: float = 0.0
    """The same, from when the pool was warm."""
    scan_wall_s: float = 0.0
    """From the first dispatch to the last report of a worker: the phase in which workers worked."""
    workers_used: int = 0
    published: int = 0
    fenced: int = 0
    pushes: int = 0
    waiting: int = 0
    """Results that the remote has not acknowledged."""
    interrupted: bool = False
    killed: bool = False
    """Interrupted twice: what ran was ended, and nothing more is to be waited for."""
    problem: CortexError | None = None
    """What kept results from being published."""


Outcome = tuple[Claim, Result, dict[str, bytes]]
"""A claim, its result, and further files to publish with it."""


class Attempts:
    """The attempts of one run, from the claim to the acknowledged result."""

    def __init__(
        self,
        coordination: Coordination,
        watcher: Watcher,
        notify: Callable[[], None],
        *,
        options: Mapping[str, Any],
        runner: str | None,
    ) -> None:
        """`notify` is called when something waits in the outbox."""
        self._coordination = coordination
        self._watcher = watcher
        self._notify = notify
        self._options = dict(options)
        self._runner = runner
        self._guard = threading.Lock()
        self._running: dict[str, Claim] = {}
        self._unpublished: dict[str, Claim] = {}
        self.orphans: list[Claim] = []
        """Claims whose worker died and that were not taken over yet."""
        self.report = BatchReport()
        self.last_report = self.last_published = 0.0
        """`time.monotonic` of the last report of a worker, and of the last acknowledged result."""

    @property
    def unpublished(self) -> int:
        """Results that the remote has not acknowledged yet."""
        return len(self._unpublished)

    @property
    def running(self) -> list[Claim]:
        return list(self._running.values())

    def assignment(self, claim: Claim, worker: str, overhead_s: float) -> Assignment:
        """What a worker needs for this attempt. Raises BadInput where no runner is known for the task."""
        task = claim.task
        limits = self._coordination.repository.settings.limits_of(task.type)
        return Assignment(
            task=task.model_dump(mode="json", by_alias=True) | {"master": task.responsible},
            runner=runner_name(self._runner or task.runner, task.type),
            worker=worker,
            host=self._coordination.repository.host,
            nonce=claim.record.nonce,
            claim=claim.oid,
            epoch=claim.record.epoch,
            attempt=claim.record.attempt,
            path=self._coordination.result_path(task),
            repository=str(self._coordination.repository.folder),
            dispatched=monotonic() - overhead_s,
            deadline_s=(task.deadline or limits.minutes) * 60,
            budget=limits.tokens if task.budget is None else task.budget,
            options=self._options,
        )

    def started(self, claim: Claim, worker: str) -> None:
        self._running[claim.record.nonce] = claim
        self._coordination.claims.started(claim)
        self._watcher.started(claim.task.task, worker, claim.task.repo)

    def finished(self, event: Finished) -> Outcome | None:
        """The result a worker reported; None where the attempt failed and was released to be tried again."""
        claim = self._running.pop(event.report.nonce)
        self.last_report = time.monotonic()
        if event.report.retry and claim.record.attempt < claim.task.max_attempts:
            reason = f"attempt {claim.record.attempt} failed: {event.report.error}"
            self._watcher.note(f"{claim.task.task}: {reason}")
            leases = self._coordination.repository.settings.leases
            pause = backoff_s(claim.record.attempt, leases.retry_base_s, leases.retry_max_s)
            self._coordination.claims.release([claim], retry_after_s=pause)
            return None
        return claim, to_result(event.assignment, event.report), {}

    def orphaned(self, nonce: str) -> Claim:
        """The claim of an attempt whose worker died."""
        return self._running.pop(nonce)

    def take_over_orphans(self) -> list[Claim]:
        """The next epoch of claims whose worker died, for another worker; those lost are dropped.

        What does not arrive is tried again at the next call, unless another round proves it meanwhile.
        """
        orphans, self.orphans = self.orphans, []
        taken: list[Claim] = []
        for claim in orphans:
            try:
                again = self._coordination.claims.take_over(claim)
            except CortexError as error:
                self._watcher.note(f"{claim.task.task}: {error}")
                self.orphans.append(claim)
            else:
                taken += [again] if again is not None else []
        return taken

    def give_up(self, claim: Claim, error: str, status: ResultStatus = "failed") -> None:
        """End a task without (another) attempt."""
        result = Result(
            task=claim.task.task,
            batch=claim.task.batch,
            status=status,
            type=claim.task.type,
            master=claim.task.responsible,
            worker=claim.record.worker,
            host=self._coordination.repository.host,
            nonce=claim.record.nonce,
            epoch=claim.record.epoch,
            attempt=min(claim.record.attempt, claim.task.max_attempts),
            completed_at=now(),
            error=error,
        )
        self.enter([(claim, result, {})])

    def enter(self, outcomes: list[Outcome]) -> None:
        """Put results into the outbox: safe on this disk when this returns, published soon after."""
        # Noted first: another process of this clone may publish them the moment they are recorded.
        with self._guard:
            self._unpublished |= {claim.record.nonce: claim for claim, _, _ in outcomes}
        recorded = self._coordination.record(outcomes)
        self._notify()
        for result in recorded:
            self.report.results[result.task] = result
            self._watcher.finished(result)

    def settle(self) -> None:
        """See which results are acknowledged by now, whichever process of this clone pushed them."""
        with self._guard:
            waiting = dict(self._unpublished)
        states = self._coordination.outbox.states(list(waiting))
        settled = {nonce: state for nonce, state in states.items() if state in ("done", "fenced")}
        for nonce in settled:
            self._coordination.locks.release(waiting[nonce].task.task)
        if any(not waiting[nonce].task.is_merge for nonce in settled):
            self.last_published = time.monotonic()
        fenced = sum(state == "fenced" for state in settled.values())
        self.report.fenced += fenced
        self.report.published += len(settled) - fenced
        with self._guard:
            for nonce in settled:
                del self._unpublished[nonce]
