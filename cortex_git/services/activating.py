"""What the router's decision becomes: one task, or a part for each expert and a last one that joins them.

Owns the ids and the shares of the parts. The last one comes after the parts and is the task that was asked
for: so its result is the aggregate, published once like any other.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cortex_git.errors import BadInput
from cortex_git.models import MERGE_RUNNER, Task, derived_name
from cortex_git.results.merging import STRATEGY
from cortex_git.routing import Decision, Scored
from cortex_git.store.tasks import new_id

if TYPE_CHECKING:
    from cortex_git.routing.experts import Expert

Make = Callable[[Mapping[str, Any]], Task]
"""A task from flag values."""


def activated(
    values: Mapping[str, Any], decision: Decision, experts: "Mapping[str, Expert]", make: Make
) -> list[Task]:
    """The tasks for what `values` (of a task without a type) describe, the one that was asked for last.

    Raises BadInput.
    """
    chosen = [decision.primary, *decision.secondary]
    said = {"routing": decision.to_json(), "sensitive": decision.sensitive}
    context = {"complexity": decision.complexity, **(values.get("context") or {})}
    values = {**values, "context": context}
    if len(chosen) == 1:
        task = make(_for(experts[decision.primary.expert], decision.worker_types[0], values))
        return [task.model_copy(update=said)]
    whole = str(values.get("id") or new_id("task"))
    shares = _shares(values.get("budget"), chosen)
    parts: list[Task] = []
    for one, kind, share in zip(chosen, decision.worker_types, shares, strict=True):
        name = derived_name(whole, one.expert)
        part = make(_for(experts[one.expert], kind, {**values, "id": name, "budget": share}))
        parts.append(_part(part, whole, one, chosen, sensitive=decision.sensitive))
    joining = {"id": whole, "type": "analysis-worker", "runner": MERGE_RUNNER, "budget": None}
    last = make({**values, **joining, "master": values.get("master") or parts[0].responsible})
    names = tuple(part.task for part in parts)
    return [*parts, last.model_copy(update={**said, "after": names, "strategy": STRATEGY})]


def _for(expert: "Expert", kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a task for one expert: what a person gave comes before what the expert usually has.

    Raises BadInput where its work would be to merge results: such a task has none of its own to merge.
    """
    usual = {"master": expert.master, "runner": expert.runner or None, "budget": expert.budget}
    given = {key: value for key, value in values.items() if value is not None}
    found = {**usual, **given, "type": kind}
    if found["runner"] == MERGE_RUNNER:
        raise BadInput(
            f"the runner {MERGE_RUNNER!r} does no work that is routed: it merges the results of other tasks",
            "choose another runner; to merge, give --type and --after, or see `cortex-git results merge`",
        )
    return found


def _part(made: Task, whole: str, one: Scored, chosen: list[Scored], *, sensitive: bool) -> Task:
    """The task of one expert, which says whose part it is and who works on the same beside it."""
    others = [other.expert for other in chosen if other is not one]
    return made.model_copy(
        update={
            "parent": whole,
            "confidence": one.score,
            "sensitive": sensitive,
            "context": {**made.context, "part": one.expert, "others": others},
        }
    )


def _shares(budget: int | None, chosen: list[Scored]) -> list[int | None]:
    """A budget given for the whole, shared out by how sure the router is; the first gets the rest."""
    if budget is None:
        return [None] * len(chosen)
    total = sum(one.score for one in chosen) or 1.0
    rest = [int(budget * one.score / total) for one in chosen[1:]]
    return [budget - sum(rest), *rest]
