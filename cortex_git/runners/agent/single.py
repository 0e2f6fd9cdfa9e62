"""An attempt of a single call: what it asks, and what its answer means, for calls that nobody waits for.

Owns which tasks one call can carry out: those whose whole material is in the task, so that there is nothing
to use a tool on. Must never send anything itself.
"""

from collections.abc import Mapping
from typing import Any

from cortex_git.config import Model
from cortex_git.llm import CallFailed, Reply, Request
from cortex_git.runners import RunContext, RunOutcome
from cortex_git.runners.agent.answers import SUBMIT, Unusable, definition, form_of, parsed
from cortex_git.runners.agent.conversation import CUT, Conversation, text_of
from cortex_git.runners.agent.material import NO_REPOSITORY, Material, triage
from cortex_git.runners.agent.prompts import Marks, first_message, system_prompt
from cortex_git.runners.agent.record import Record

_TYPES = frozenset({"analysis-worker", "review-worker", "pr-worker", "scan-worker"})
_MATERIAL = ("text", "diff", "findings")


def is_single(task: Mapping[str, Any]) -> bool:
    """Whether one call without tools can carry out the task."""
    context = task.get("context") or {}
    if task.get("type") not in _TYPES or task.get("continues"):
        return False
    if task.get("type") == "scan-worker":
        return isinstance(context.get("findings"), list)
    return not task.get("repo") or any(context.get(key) for key in _MATERIAL)


def conversation(task: Mapping[str, Any], model: str, context: RunContext) -> Conversation:
    """The call's one message, with its bound."""
    kind = str(task.get("type"))
    material: list[Material] = [(NO_REPOSITORY, "")]
    if kind == "scan-worker":
        material.append(triage(task, context, _record(Model(name=model), 1)))
    first = first_message(
        task, Marks(), tokens=context.budget, minutes=context.deadline_s / 60, material=material
    )
    return Conversation(model, system_prompt(kind), [definition(form_of(kind))], first)


def request_of(said: Conversation, max_output: int) -> Request:
    """The call, whose answer has to be the result."""
    return said.request(max_output, SUBMIT)


def outcome_of(
    task: Mapping[str, Any], answer: Reply | CallFailed, model: Model, complexity: int, context: RunContext
) -> RunOutcome:
    """What came of the attempt, at the price of the provider's batches. It is not checked for secrets yet."""
    record = _record(_at_batch_price(model), complexity)
    if task.get("type") == "scan-worker":
        triage(task, context, record)
    record.so_far["economy"] = True
    if isinstance(answer, CallFailed):
        return RunOutcome("failed", record.so_far, str(answer), retry=True)
    record.answered(answer.usage, text_of(answer.content))
    tokens = answer.usage.total
    uses = [one for one in answer.content if one.get("type") == "tool_use" and one.get("name") == SUBMIT]
    if answer.stop in CUT or not uses:
        why = f"the model handed in no result (it stopped for {answer.stop})"
        return RunOutcome("failed", record.so_far, why, retry=True, tokens_used=tokens)
    try:
        handed_in = parsed(form_of(str(task.get("type"))), uses[-1].get("input"))
    except Unusable as error:
        why = f"the result could not be read: {error}"
        return RunOutcome("failed", record.so_far, why, retry=True, tokens_used=tokens)
    record.handed_in(handed_in.model_dump(mode="json"))
    return RunOutcome("completed", record.so_far, tokens_used=tokens)


def _record(model: Model, complexity: int) -> Record:
    return Record({}, provider="claude", model=model, complexity=complexity)


def _at_batch_price(model: Model) -> Model:
    prices = ("input", "output", "cache_write", "cache_read")
    return model.model_copy(update={name: getattr(model, name) * model.batch_factor for name in prices})
