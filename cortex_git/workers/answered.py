"""What the answers of a provider's batch become: settled tokens, and results on their way to the remote.

Owns that each answer is settled once and looked at for secrets before it is published.
"""

from cortex_git.config import Model
from cortex_git.limits.ledger import Ledger
from cortex_git.limits.provider_batches import Call
from cortex_git.llm import Broken, CallFailed, Reply
from cortex_git.models import Result
from cortex_git.runners import RunContext
from cortex_git.runners.agent.single import outcome_of
from cortex_git.runners.guarding import guarded
from cortex_git.state import now
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.workers.attempts import BatchReport, Watcher
from cortex_git.workers.budgeting import Budgeting
from cortex_git.workers.hand_offs import asked_for, hand_over


def context_of(coordination: Coordination, claim: Claim) -> RunContext:
    """What an attempt under the claim may use."""
    repository, task = coordination.repository, claim.task
    limits = repository.settings.limits_for(task.type, task.budget, task.deadline)
    return RunContext(
        worker=claim.record.worker,
        attempt=claim.record.attempt,
        deadline_s=limits.seconds,
        budget=limits.tokens,
        epoch=claim.record.epoch,
        host=repository.host,
        nonce=claim.record.nonce,
        folder=str(repository.folder),
    )


class Answered:
    """The answers that one command takes in."""

    def __init__(self, coordination: Coordination, watcher: Watcher, report: BatchReport) -> None:
        self._coordination = coordination
        self._watcher = watcher
        self._report = report
        self._unpublished: dict[str, str] = {}
        """Task by the nonce of its result, as far as the remote has not acknowledged it."""

    @property
    def unpublished(self) -> int:
        return len(self._unpublished)

    def settle(self, call: Call, answer: object, budgeting: Budgeting) -> int:
        """Book what the call used, once; tokens that it spent. One without any answer cost its worst."""
        repository = self._coordination.repository
        ledger = Ledger(repository.durable_state, repository.host)
        if isinstance(answer, Reply):
            ledger.settle(call.reservation, answer.usage)
        elif answer is None or isinstance(answer, CallFailed):
            ledger.release(call.reservation)
        else:
            ledger.worst(call.reservation)
        return budgeting.close(call.nonce)

    def take(self, claim: Claim, call: Call, answer: Reply | CallFailed | None, spent: int) -> None:
        """Make a result of an answer, or give the task back to be tried again."""
        if answer is None:
            answer = Broken("the provider's batch ended without an answer to this call")
        models = self._coordination.repository.settings.models
        known = {models.small.name: models.small, models.large.name: models.large}
        model = known.get(call.model) or Model(name=call.model)
        context = context_of(self._coordination, claim)
        outcome = outcome_of(claim.task.for_runner(), answer, model, call.complexity, context)
        outcome = guarded(outcome, context, task=claim.task.task)
        if outcome.retry and claim.record.attempt < claim.task.max_attempts:
            self._report.tokens_used += spent
            self._watcher.note(f"{claim.task.task}: attempt {claim.record.attempt} failed: {outcome.error}")
            self._coordination.claims.put_off(claim)
            return
        found = claim.ended(outcome.status, outcome.error)
        self.enter(claim, found.model_copy(update={"output": outcome.output, "tokens_used": spent}))

    def enter(self, claim: Claim, result: Result) -> None:
        """Put a result into the outbox: safe on this disk when this returns."""
        at = now()
        changes = {"host": self._coordination.repository.host, "started_at": claim.record.claimed_at}
        entered = result.model_copy(update={**changes, "completed_at": at})
        entered, added = hand_over(self._coordination.repository, claim.task, entered)
        if asked := asked_for(added):
            self._watcher.note(f"{claim.task.task} asks for {', '.join(asked)}")
        for one in self._coordination.record([(claim, entered, added)]):
            self._unpublished[one.nonce] = one.task
            self._report.add(one)
            self._watcher.finished(one)

    def publish(self) -> None:
        """Have the remote take what waits. Raises where it does not; then it waits on."""
        if not self._unpublished:
            return
        self._report.pushes += self._coordination.flush().pushes
        for nonce, state in self._coordination.outbox.states(list(self._unpublished)).items():
            if state in ("done", "fenced"):
                self._coordination.locks.release(self._unpublished.pop(nonce))
                self._report.published += state == "done"
                self._report.fenced += state == "fenced"
