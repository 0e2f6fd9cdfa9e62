"""What becomes of attempts: a result in the outbox, a release to be tried again, a last failure.

Owns the claims that run and those whose result is not acknowledged yet. Used by one loop; only
`settle` is called from the committer's thread.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from cortex_git.errors import BadInput, CortexError, LimitReached
from cortex_git.models import Result, ResultStatus, Task
from cortex_git.runners import split_name
from cortex_git.state import PASSING, monotonic, problem_of
from cortex_git.store import index
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.workers.allowances import Allowances
from cortex_git.workers.claimer import ClaimSource
from cortex_git.workers.continuing import earlier_output
from cortex_git.workers.events import Event
from cortex_git.workers.hand_offs import asked_for, hand_over
from cortex_git.workers.messages import Assignment, to_result
from cortex_git.workers.pool import Finished

_LATELY = 50
"""Attempts whose mean time stands for what a task takes now."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a request asks of one attempt beyond what the task says."""

    requested: float = 0.0
    """`state.monotonic` of the request; 0 where nobody waits for the attempt."""
    claim_s: float = 0.0
    """Seconds of that which went into the claim."""
    queued: bool = False
    """No worker was idle: the wait for one is not the start of one."""


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


@dataclass(frozen=True, slots=True)
class Settled:
    """How one attempt that somebody waits for ended."""

    result: Result | None
    """None where it was released to be tried again, or somebody else has the task now."""
    state: str
    """`done` or `fenced` when the remote has answered, else why there is no result."""


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
        self._options = options
        self._allowances = allowances
        self._keep = keep
        self._outputs = outputs
        self._guard = threading.Lock()
        self._running: dict[str, Claim] = {}
        self._unpublished: dict[str, tuple[Claim, Result]] = {}
        self._followed: dict[str, list[Future[Settled]]] = {}
        self._lately: deque[float] = deque(maxlen=_LATELY)
        self.orders: dict[str, Order] = {}
        """What was asked of us by task, until an attempt of it has begun."""
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

    def follow(self, task: str) -> "Future[Settled]":
        """The end of the next attempt of `task` that this run settles. Safe from any thread."""
        with self._guard:
            future: Future[Settled] = Future()
            self._followed.setdefault(task, []).append(future)
            return future

    def unfollow(self, task: str, future: "Future[Settled]") -> None:
        """Whoever asked for this future does not wait for it; others who follow the task still do."""
        with self._guard:
            others = [one for one in self._followed.pop(task, []) if one is not future]
            if others:
                self._followed[task] = others

    def has(self, task: str) -> bool:
        """Whether the task runs here, or its result is on its way. Safe from any thread."""
        ours = [*self._running.values(), *(claim for claim, _ in list(self._unpublished.values()))]
        return any(claim.task.task == task for claim in [*ours, *self.orphans])

    def let_go(self, task: str, why: str) -> None:
        """Tell whoever follows the task that nothing more comes of it here."""
        self._tell(task, Settled(None, why))

    def let_all_go(self, why: str) -> None:
        """Nothing more comes of anything here."""
        for task in list(self._followed):
            self.let_go(task, why)

    def _tell(self, task: str, settled: Settled) -> None:
        with self._guard:
            futures = self._followed.pop(task, [])
        for future in futures:
            future.set_result(settled)

    @property
    def running(self) -> list[Claim]:
        return list(self._running.values())

    def assignment(self, claim: Claim, worker: str, overhead_s: float) -> Assignment:
        """What a worker needs for this attempt. Raises BadInput where no runner is known for the task."""
        task = claim.task
        limits = self._coordination.repository.settings.limits_for(task.type, task.budget, task.deadline)
        order = self.orders.pop(task.task, Order())
        dispatched = monotonic() - overhead_s
        if order.requested and not order.queued:
            dispatched = order.requested + order.claim_s
        return Assignment(
            task=task.for_runner(),
            runner=self._runner_of(task),
            worker=worker,
            host=self._coordination.repository.host,
            nonce=claim.record.nonce,
            claim=claim.oid,
            epoch=claim.record.epoch,
            attempt=claim.record.attempt,
            path=self._coordination.result_path(task),
            repository=str(self._coordination.repository.folder),
            dispatched=dispatched,
            deadline_s=limits.seconds,
            budget=limits.tokens,
            options=self._options(task),
            earlier=earlier_output(self._coordination.repository, task) if task.continues else {},
        )

    def _runner_of(self, task: Task) -> str:
        """Its runner here; what a runner is given (`replay=FILE`) may only come from this host."""
        name = self._allowances.runner_of(task)
        own = index.find_task(self._coordination.repository.state, task.task) if split_name(name)[1] else None
        if own is not None and own.runner == name:
            raise BadInput(f"a task cannot say {name!r}", "give that with --runner")
        return name

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
        self.let_go(claim.task.task, reason)

    def orphaned(self, nonce: str) -> tuple[Claim, int]:
        """The claim of an attempt whose worker died, and the tokens that it had spent."""
        return self._running.pop(nonce), self._allowances.close(nonce)

    def refuse(self, claim: Claim) -> None:
        """Give a claim back, as if never taken: there are no tokens for the task, or no runner that works."""
        self._coordination.claims.release([claim])
        self.let_go(claim.task.task, self._allowances.why_refused(claim.task.task))

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
                    self.let_go(claim.task.task, "somebody else has it now")
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
            self._tell(claim.task.task, Settled(result, state))
