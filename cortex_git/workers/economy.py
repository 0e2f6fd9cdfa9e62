"""Tasks that can wait, handed in together to a provider's batches at its lower price.

Owns the order that makes a kill at any moment harmless: claim, promise tokens, write down, hand in; and at
the end settle, put the result into the outbox, and only then close the row. A command that comes after
takes over the claims of its dead predecessor and goes on. Must never run twice in one clone at a time.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from cortex_git.config import HostSettings
from cortex_git.errors import EnvironmentProblem, LimitReached
from cortex_git.limits.ledger import Ledger
from cortex_git.limits.provider_batches import Call, Handed
from cortex_git.llm import CallFailed, Rejected, Request
from cortex_git.llm.batching import MOST_REQUESTS, Batches
from cortex_git.runners.agent.calling import FLOOR
from cortex_git.runners.agent.single import conversation, request_of
from cortex_git.runners.agent.tier import complexity_of
from cortex_git.state import monotonic, problem_of
from cortex_git.store.claim_records import Claim
from cortex_git.store.claims import MOST_AT_ONCE
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import Heart, Signs
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import count_ready_of
from cortex_git.workers.answered import Answered, context_of
from cortex_git.workers.attempts import BatchReport, Watcher
from cortex_git.workers.budgeting import Budgeting
from cortex_git.workers.dependencies import Dependencies
from cortex_git.workers.handing import Handing
from cortex_git.workers.regaining import regain

WORKER = "worker-economy-001"
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_GATHER_S = 3.0
"""How long a round waits for the tokens of new claims, so that they go into one batch."""


@dataclass(frozen=True, slots=True)
class _Ready:
    claim: Claim
    request: Request
    worst: int
    complexity: int


class Economy:
    """One command's tasks in scope, each of which one call can carry out."""

    def __init__(
        self, coordination: Coordination, scope: Scope, client: Batches, host: HostSettings, watcher: Watcher
    ) -> None:
        self._coordination = coordination
        self._scope = scope
        self._client = client
        self._host = host
        self._watcher = watcher
        self._wake = threading.Event()
        self._stopping = False
        self._budgeting = Budgeting(coordination, self._wake.set)
        self._handing = Handing(coordination.repository, client)
        self._held: dict[str, _Ready] = {}
        """Claims that wait for tokens, by task."""
        self._claims: dict[str, Claim] = {}
        """The claims of calls handed in, by the call's nonce."""
        self._refused: set[str] = set()
        self._failing_since: float | None = None
        self.report = BatchReport(metered=True)
        self._answered = Answered(coordination, watcher, self.report)
        self._dependencies = Dependencies(coordination, self._give_up)

    def stop(self) -> None:
        """End soon, and leave at the provider what is there. Safe from a signal handler."""
        self._stopping = True
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Calls that the provider is still to answer."""
        return sum(len(handed.calls) for handed in self._handing.rows.open())

    def run(self) -> BatchReport:
        """Work until every task in scope has a result or no tokens, or somebody stops it."""
        started = monotonic()
        heart = Heart(self._coordination.repository, lambda: Signs(1))
        heart.start()
        self._budgeting.start()
        try:
            self._attach()
            self._loop()
        finally:
            heart.stop()
            self._coordination.claims.release([one.claim for one in self._held.values()])
            self._budgeting.stop()
        self.report.interrupted = self._stopping
        self.report.wall_s = monotonic() - started
        return self.report

    def _attach(self) -> None:
        """Go on with what an earlier command of this clone handed in."""
        self._coordination.flush()
        handed = self._handing.rows.open()
        view = self._coordination.pull()
        for call in (call for one in handed for call in one.calls):
            claim = regain(self._coordination, call.task, view)
            if claim is not None:
                self._claims[call.nonce] = claim
        if handed:
            self._watcher.note(f"attached to {self.waiting} calls that an earlier command handed in")

    def _loop(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stopping:
            before = (self.waiting, len(self.report.results))
            done = self._round()
            if done or self._stopping:
                return
            moved = before != (self.waiting, len(self.report.results))
            pause = _FIRST_PAUSE_S if moved else min(pause * 1.5, _LONGEST_PAUSE_S)
            self._wake.wait(pause)
            self._wake.clear()

    def _round(self) -> bool:
        """One look at everything; whether all is done. Outlives what may pass, for a while."""
        try:
            self._collect()
            self._hand_in()
            done = self._is_done()
        except Rejected:
            raise
        except (EnvironmentProblem, OSError) as error:
            now = monotonic()
            if self._failing_since is None:
                self._failing_since = now
                self._watcher.note(f"{problem_of(error)}; it is tried again")
            if now - self._failing_since > self._coordination.repository.settings.leases.give_up_s:
                raise
            return False
        self._failing_since = None
        return done

    def _is_done(self) -> bool:
        if self._held or self.waiting or self._answered.unpublished:
            return False
        repository = self._coordination.repository
        refused = count_ready_of(repository, self._scope, list(self._refused))
        return self._coordination.ready_count(self._scope) == refused

    def _hand_in(self) -> None:
        """Claim what is open, and hand in what has its tokens."""
        new = self._claim()
        until = monotonic() + (_GATHER_S if new else 0)
        ready = self._promised()
        while self._held and monotonic() < until and not self._stopping:
            self._wake.wait(0.2)
            self._wake.clear()
            ready += self._promised()
        if self._stopping:
            for one in ready:
                self._budgeting.close(one.claim.record.nonce)
                self._held[one.claim.task.task] = one
            return
        for first in range(0, len(ready), MOST_REQUESTS):
            self._send(ready[first : first + MOST_REQUESTS])

    def _claim(self) -> bool:
        got = False
        while not self._stopping:
            view = self._coordination.pull()
            busy = [*self._coordination.claims.unavailable(view), *self._refused]
            claims = self._coordination.claim(self._scope, MOST_AT_ONCE, lambda _: WORKER, view, busy)
            for claim in claims:
                self._prepare(claim)
            if not claims:
                return got
            got = True
        return got

    def _prepare(self, claim: Claim) -> None:
        """Put the claim's call together; a task whose tokens cover none ends here, or waits for others."""
        if not self._dependencies.allow(claim):
            return
        context = context_of(self._coordination, claim)
        task = claim.task.for_runner()
        complexity = complexity_of(task)
        model = self._coordination.repository.settings.models.for_complexity(complexity)
        said = conversation(task, model.name, context)
        most = self._host.agents.max_output
        if context.budget - said.bound < most:  # a byte is not yet a token
            try:
                counted = self._client.count(request_of(said, most))
            except CallFailed:
                counted = None
            if counted is not None:
                said.counted(counted)
        room = min(most, context.budget - said.bound)
        if room < FLOOR:
            needed = said.bound + FLOOR
            text = f"the call may need {needed:,} tokens and the attempt has {context.budget:,}"
            self._answered.enter(claim, claim.ended("budget_exhausted", text))
            return
        ready = _Ready(claim, request_of(said, room), said.bound + room, complexity)
        self._held[claim.task.task] = ready

    def _give_up(self, claim: Claim, why: str) -> None:
        self._answered.enter(claim, claim.ended("failed", why))

    def _promised(self) -> list[_Ready]:
        """Those of the held claims whose tokens are promised by now; those that get none are given back."""
        ready: list[_Ready] = []
        for name, one in list(self._held.items()):
            answer = self._budgeting.allocate(
                one.claim.task, one.claim.record.nonce, one.claim.record.worker, one.worst
            )
            if answer == "ok":
                ready.append(self._held.pop(name))
            elif answer == "exhausted":
                del self._held[name]
                self._refused.add(name)
                self._coordination.claims.release([one.claim])
                self.report.limit = LimitReached(
                    f"{self._budgeting.reason}; {len(self._refused)} tasks that could wait are left",
                    "run `cortex-git budget set`, then the same command again",
                )
        return ready

    def _send(self, ready: Sequence[_Ready]) -> None:
        repository = self._coordination.repository
        ledger = Ledger(repository.durable_state, repository.host)
        calls: list[tuple[Call, Request]] = []
        for one in ready:
            nonce, model = one.claim.record.nonce, one.request.model
            held = ledger.reserve(nonce, one.worst, model=model, provider=self._client.provider)
            calls.append((Call(nonce, one.claim.task.task, held, model, one.complexity), one.request))
            self._claims[nonce] = one.claim
            self._watcher.started(one.claim.task.task, WORKER, one.claim.task.repo)
        try:
            self._handing.hand_in(calls)
        except Rejected:
            self._drop([call for call, _ in calls])
            raise
        except CallFailed as error:
            self._watcher.note(f"{error}; whether the batch was made is looked up")
            return
        repos = {one.claim.task.repo for one in ready if one.claim.task.repo}
        about = f" about {len(repos)} repositories" if len(repos) > 1 else ""
        self._watcher.note(f"handed in {len(calls)} calls{about}; answers may take up to a day")

    def _drop(self, calls: Sequence[Call]) -> None:
        """Forget calls that the provider never had, and give their tasks back."""
        for call in calls:
            self._settle(call, None)
            claim = self._claims.pop(call.nonce, None)
            if claim is not None:
                self._coordination.claims.release([claim])
            self._handing.rows.done(call.nonce)

    def _settle(self, call: Call, answer: object) -> int:
        return self._answered.settle(call, answer, self._budgeting)

    def _collect(self) -> None:
        """Take in the answers of batches that have ended, each batch as it does, and publish."""
        for handed in self._handing.rows.open():
            if handed.name is None:
                self._make_or_find(handed)
                continue
            answers = self._handing.answers(handed)
            for call in handed.calls if answers is not None else ():
                answer = (answers or {}).get(call.nonce)
                spent = self._settle(call, answer or "lost")
                claim = self._claims.pop(call.nonce, None)
                if claim is not None:
                    self._answered.take(claim, call, answer, spent)
                else:
                    self.report.tokens_used += spent
                self._handing.rows.done(call.nonce)
        self._answered.publish()

    def _make_or_find(self, handed: Handed) -> None:
        """A batch that nobody knows to be made: found at the provider, or made of what is still ours."""
        if not self._handing.find(handed):
            return
        self._drop([call for call in handed.calls if call.nonce not in self._claims])
        left = next((one for one in self._handing.rows.open() if one.id == handed.id), None)
        if left is None:
            return
        try:
            self._handing.make(left)
        except Rejected:
            self._drop(left.calls)
            raise
