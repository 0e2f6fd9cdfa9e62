"""Which task comes after which: checked where tasks are added, told where a command leaves some waiting.

Owns that nobody adds a task that can never be claimed. What gates a claim is the store's business.
"""

from collections.abc import Iterable, Iterator, Sequence

from cortex_git.errors import BadInput
from cortex_git.models import Task
from cortex_git.store import index, unmet
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

_NAMED = 3
"""Tasks that a note names."""


def check_order(coordination: Coordination, tasks: Sequence[Task]) -> None:
    """Raises BadInput where a new task comes after one that is not known, or around a circle after itself.

    The tasks may name each other in any order. Looks at the remote only where one comes after others.
    """
    if not any(task.after for task in tasks):
        return
    coordination.pull()
    state = coordination.repository.state
    added = {task.task: task.after for task in tasks}
    for task in tasks:
        for name in task.after:
            if name not in added and not index.is_taken(state, name):
                raise BadInput(
                    f"task {task.task!r} comes after {name!r}, which nobody has added",
                    "see `cortex-git task list`, or add both from one file",
                )
    if circle := _circle(coordination, added):
        raise BadInput(
            f"tasks would wait for each other: {' after '.join(_short(circle))}", "take one --after away"
        )


def _short(circle: list[str]) -> list[str]:
    return circle if len(circle) <= 2 * _NAMED else [*circle[:_NAMED], "...", *circle[-_NAMED:]]


def _circle(coordination: Coordination, added: dict[str, tuple[str, ...]]) -> list[str]:
    """A task of those added that comes after itself, and those between; empty where there is none."""
    done: set[str] = set()
    for first in added:
        path: dict[str, Iterator[str]] = {} if first in done else {first: iter(added[first])}
        while path:
            last = next(reversed(path))
            name = next(path[last], None)
            if name is None:
                done.add(last)
                del path[last]
            elif name in path:
                between = [*path]
                return [*between[between.index(name) :], name]
            elif name not in done:
                path[name] = iter(added[name] if name in added else _unmet(coordination, name))
    return []


def _unmet(coordination: Coordination, task: str) -> Iterable[str]:
    """What a task that exists waits for: those that have ended hold nothing up."""
    return unmet.unmet(coordination.repository, Scope(glob=task)).get(task, ())


def waiting_note(coordination: Coordination, scope: Scope) -> str | None:
    """What a person should know of the tasks in scope that wait for others; None where none does.

    Those are named first that wait for what does not wait itself: it is what has to be run.
    """
    found = unmet.unmet(coordination.repository, scope)
    if not found:
        return None
    many = "1 task waits for another" if len(found) == 1 else f"{len(found)} tasks wait for others"
    first = sorted(found, key=lambda task: all(need in found for need in found[task]))[:_NAMED]
    names = [f"{task} for {_some(sorted(found[task], key=found.__contains__))}" for task in first]
    more = "; ..." if len(found) > _NAMED else ""
    return f"{many} that nobody runs now: {'; '.join(names)}{more} (`cortex-git task graph` shows it)"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
