"""What becomes of attempts: a result in the outbox, a release to be tried again, a last failure.

Owns the claims that run and those whose result is not acknowledged yet. Used by one loop; only
`settle` is called from the committer's thread. What a worker is told is for `assigning`, who waits for the
end for `waiters`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from cortex_git.errors import CortexError, LimitReached
from cortex_git.models import Result, ResultStatus, Task
from cortex_git.state import PASSING, problem_of
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.workers.allowances import Allowances
from cortex_git.workers.assigning import Assignments
from cortex_git.workers.claimer import ClaimSource
from cortex_git.workers.events import Event
from cortex_git.workers.hand_offs import asked_for, hand_over
from cortex_git.workers.messages import to_result
from cortex_git.workers.pool import Finished
from cortex_git.workers.waiters import Settled, Waiters

_LATELY = 50
"""Attempts whose mean time stands for what a task takes now."""


class Watcher(Protocol):
    """What a command is told while its batch runs, to show it."""

    def started(self, task: str, worker: str, repo: str | None) -> None: ...
    def finished(self, result: Result) -> None: ...
    def event(self, event: Event) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass
class BatchReport:
    """What a run did. Times are seconds."""

    results: dict[str, Result] = field(default_factory=dict)
    """Results this run made, by task; whether published is in the outbox. A long-lived pool keeps some."""
    completed: int = 0
    failed: int = 0
    """Results with another status than `completed`."""
    tokens_used: int = 0
    """By every attempt, also those that led to no result."""
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
    metered: bool = False
    """Whether any attempt could spend tokens."""
    limit: LimitReached | None = None
    """Why tasks were left open for want of tokens."""
    problem: CortexError | None = None
    """What kept results from being published."""

    def add(self, result: Result) -> None:
        """Count one more result."""
        self.completed += result.status == "completed"
        self.failed += result.status != "completed"
        self.tokens_used += result.tokens_used
        self.results[result.task] = result


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
        options: Callable[[Task], Mapping[str, Any]],
        allowances: Allowances,
        keep: int | None = None,
        outputs: bool = True,
    ) -> None:
        """`notify` is called when something waits in the outbox; only the last `keep` results are kept,
        and their outputs only with `outputs`.
        """
        self._coordination = coordination
        self._watcher = watcher
        self._notify = notify
        self._allowances = allowances
        self._keep = keep
        self._outputs = outputs
        self._guard = threading.Lock()
        self._running: dict[str, Claim] = {}
        self._unpublished: dict[str, tuple[Claim, Result]] = {}
        self._lately: deque[float] = deque(maxlen=_LATELY)
        self.assignments = Assignments(coordination, allowances, options)
        self.waiters = Waiters()
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
    def task_s(self) -> float | None:
        """Mean seconds of the attempts that ended lately; None before the first."""
        lately = list(self._lately)
        return sum(lately) / len(lately) if lately else None

    def has(self, task: str) -> bool:
        """Whether the task runs here, or its result is on its way. Safe from any thread."""
        ours = [*self._running.values(), *(claim for claim, _ in list(self._unpublished.values()))]
        return any(claim.task.task == task for claim in [*ours, *self.orphans])

    @property
    def running(self) -> list[Claim]:
        return list(self._running.values())

    def taken(self, source: ClaimSource, task: str) -> Claim | None:
        """A claim in hand, to be carried out now; None where it is lost, or was taken over too often."""
        claim = source.take(task)
        if claim is not None and claim.record.attempt > claim.task.max_attempts:
            self.give_up(claim, f"its worker died in each of {claim.task.max_attempts} attempts")
            return None
        return claim

    def started(self, claim: Claim, worker: str) -> None:
        self._running[claim.record.nonce] = claim
        self._coordination.claims.started(claim)
        self._watcher.started(claim.task.task, worker, claim.task.repo)

    def finished(self, event: Finished) -> Outcome | None:
        """The result a worker reported; None where the attempt failed and was released to be tried again."""
        spent = self._allowances.close(event.report.nonce)
        claim = self._running.pop(event.report.nonce)
        self.last_report = time.monotonic()
        self._lately.append(event.report.duration_s)
        if event.report.retry and claim.record.attempt < claim.task.max_attempts:
            self.report.tokens_used += spent
            self.put_off(claim, f"attempt {claim.record.attempt} failed: {event.report.error}")
            return None
        report = replace(event.report, tokens_used=max(event.report.tokens_used, spent))
        try:
            return claim, to_result(event.assignment, report), {}
        except ValueError as error:  # a runner of another package may answer anything
            first = str(error).replace("\n", " ")[:200]
            self.give_up(claim, f"its runner's answer is no result: {first}", spent=spent)
            return None

    def put_off(self, claim: Claim, reason: str) -> None:
        """Release a claim that did not lead to a result just now, to be tried again after a pause."""
        self._watcher.note(f"{claim.task.task}: {reason}")
        self._coordination.claims.put_off(claim)
        self.waiters.let_go(claim.task.task, reason)

    def orphaned(self, nonce: str) -> tuple[Claim, int]:
        """The claim of an attempt whose worker died, and the tokens that it had spent."""
        return self._running.pop(nonce), self._allowances.close(nonce)

    def refuse(self, claim: Claim) -> None:
        """Give a claim back, as if never taken: there are no tokens for the task, or no runner that works."""
        self._coordination.claims.release([claim])
        self.waiters.let_go(claim.task.task, self._allowances.why_refused(claim.task.task))

    def take_over_orphans(self) -> list[Claim]:
        """The next epoch of claims whose worker died, for another worker; those lost are dropped.

        What does not arrive is tried again at the next call, unless another round proves it meanwhile.
        """
        orphans, self.orphans = self.orphans, []
        taken: list[Claim] = []
        for claim in orphans:
            try:
                again = self._coordination.claims.take_over(claim)
            except PASSING as error:
                self._watcher.note(f"{claim.task.task}: {problem_of(error)}")
                self.orphans.append(claim)
            else:
                taken += [again] if again is not None else []
                if again is None:
                    self.waiters.let_go(claim.task.task, "somebody else has it now")
        return taken

    def give_up(self, claim: Claim, error: str, status: ResultStatus = "failed", *, spent: int = 0) -> None:
        """End a task without (another) attempt; `spent` are the tokens of the one that was not finished."""
        host = self._coordination.repository.host
        result = claim.ended(status, error).model_copy(update={"host": host, "tokens_used": spent})
        self.enter([(claim, result, {})])

    def enter(self, outcomes: list[Outcome]) -> None:
        """Put results into the outbox: safe on this disk when this returns, published soon after."""
        outcomes = [self._handed_over(*outcome) for outcome in outcomes]
        # Noted first: another process of this clone may publish them the moment they are recorded.
        with self._guard:
            self._unpublished |= {claim.record.nonce: (claim, result) for claim, result, _ in outcomes}
        recorded = self._coordination.record(outcomes)
        self._notify()
        for result in recorded:
            self._count(result)
            self._watcher.finished(result)

    def _handed_over(self, claim: Claim, result: Result, extra: dict[str, bytes]) -> Outcome:
        """The outcome with the tasks that its result asks for."""
        result, added = hand_over(self._coordination.repository, claim.task, result)
        if asked := asked_for(added):
            self._watcher.note(f"{claim.task.task} asks for {', '.join(asked)}")
        return claim, result, {**extra, **added}

    def _count(self, result: Result) -> None:
        report = self.report
        report.add(result if self._outputs else result.model_copy(update={"output": {}}))
        if self._keep is not None and len(report.results) > self._keep:
            del report.results[next(iter(report.results))]

    def states(self) -> dict[str, str]:
        """What the outbox says of this run's results that are not settled, by nonce."""
        with self._guard:
            waiting = list(self._unpublished)
        return self._coordination.outbox.states(waiting)

    def acknowledged(self, states: Mapping[str, str]) -> list[str]:
        """Tasks that have a published result now, and are not settled yet."""
        return [self._unpublished[nonce][0].task.task for nonce, state in states.items() if state == "done"]

    def settle(self, states: Mapping[str, str]) -> None:
        """See which results are acknowledged by now, whichever process of this clone pushed them."""
        with self._guard:
            waiting = dict(self._unpublished)
        settled = {nonce: state for nonce, state in states.items() if state in ("done", "fenced")}
        for nonce in settled:
            self._coordination.locks.release(waiting[nonce][0].task.task)
        if any(not waiting[nonce][0].task.is_merge for nonce in settled):
            self.last_published = time.monotonic()
        fenced = sum(state == "fenced" for state in settled.values())
        self.report.fenced += fenced
        self.report.published += len(settled) - fenced
        with self._guard:
            for nonce in settled:
                del self._unpublished[nonce]
        for nonce, state in settled.items():
            claim, result = waiting[nonce]
            self.waiters.tell(claim.task.task, Settled(result, state))
