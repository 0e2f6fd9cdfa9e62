"""Tasks that are described once more: whether what a person gives is what is there already.

Owns that comparison for tasks that were routed. Who works on them was decided when they were added, and is
no part of what the person gives: settings and the router's model may have changed since.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.models import Task
from cortex_git.routing import Decision, Scored
from cortex_git.routing.experts import Expert
from cortex_git.services.activating import Make, activated
from cortex_git.store import index
from cortex_git.store.coordination import Coordination

Known = Callable[[str], Sequence[Task]]
"""The routed task of that id, its parts before it; none where there is none."""


def known_in(coordination: Coordination) -> Known:
    """Those of the repository. Looks at the remote once, when it is first asked."""
    looked = False

    def known(name: str) -> Sequence[Task]:
        nonlocal looked
        if not looked:
            coordination.pull()
            looked = True
        task = index.known_task(coordination.repository, name)
        if task is None or task.routing is None:
            return ()
        parts = [index.known_task(coordination.repository, part) for part in task.after]
        own = [part for part in parts if part is not None and part.parent == name]
        return [*own, task] if task.is_aggregate else [task]

    return known


def nobody(_name: str) -> Sequence[Task]:
    """Where nothing was added before."""
    return ()


def the_same(found: Sequence[Task], values: Mapping[str, Any], make: Make) -> bool:
    """Whether these tasks, of one id, are what the values come to with the decision of then.

    A runner, master or budget that is left out is what it was then. Labels only help to decide, and are not
    kept: they are not looked at.
    """
    if not found:
        return False
    try:
        again = activated(values, _decided(found, values), _experts(found), make)
    except (BadInput, KeyError, TypeError, ValueError):
        return False  # what is there was not made like this
    return [_given(task) for task in again] == [_given(task) for task in found]


def _given(task: Task) -> Task:
    """What a person gave of a task, and what follows from the decision."""
    return task.model_copy(update={"created_at": "", "routing": None})


def _name(task: Task, place: int) -> str:
    return str(task.context["part"]) if task.parent else str(place)


def _workers(found: Sequence[Task]) -> Sequence[Task]:
    """The tasks of the experts."""
    return found[:-1] if found[-1].is_aggregate else found


def _decided(found: Sequence[Task], values: Mapping[str, Any]) -> Decision:
    """The decision of then, as far as tasks are made by it."""
    last = found[-1]
    routing = last.routing or {}
    first, *others = [
        Scored(_name(task, place), task.confidence or 0.0) for place, task in enumerate(_workers(found))
    ]
    sensitive = values.get("sensitive")
    return Decision(
        text=last.title,
        strategy="multi_expert_parallel" if others else "single_expert",
        primary=first,
        secondary=tuple(others),
        layer="given",
        worker_types=tuple(task.type for task in _workers(found)),
        complexity=routing["complexity"],
        model="",
        sensitive=last.sensitive if sensitive is None else bool(sensitive),
    )


def _experts(found: Sequence[Task]) -> dict[str, Expert]:
    """The experts of then: what their tasks have where the person gives nothing."""
    return {
        _name(task, place): Expert(
            _name(task, place), task.master, (task.type,), runner=task.runner, budget=task.budget
        )
        for place, task in enumerate(_workers(found))
    }
