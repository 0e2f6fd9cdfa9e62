"""Ending tasks by hand, and doing again what ended without success: `task cancel` and `task retry`.

Owns the batch of a task that is done again. Tasks never change: that is a new one, which names
the old.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cortex_git.errors import BadInput, CortexError
from cortex_git.models import Result, Task
from cortex_git.services.merging import finish_ready
from cortex_git.state import PASSING, now
from cortex_git.store import index, newer
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.lineage import Lineage, lineage_of
from cortex_git.store.results import read_results
from cortex_git.store.tasks import listed, unfinished
from cortex_git.workers.dependencies import counting, verdict

_NAMED = 3
"""Tasks that an error names."""
_CONTINUABLE = ("budget_exhausted", "timed_out", "failed")
_BATCHES = ("tasks", "retries")
"""Where a task of a sealed batch is done again: the first of these that is open for more."""


def cancel_task(coordination: Coordination, task: str) -> Result:
    """End a task as `cancelled`, whoever has it; its result, also when it was cancelled before.

    Raises BadInput where there is no such task or it ended otherwise, EnvironmentProblem where the remote
    does not answer: then nothing changed, or what the error says waits in the outbox.
    """
    end = cancel_tasks(coordination, [task])[task]
    if isinstance(end, CortexError):
        raise end
    return end


def cancel_tasks(coordination: Coordination, tasks: Sequence[str]) -> dict[str, Result | CortexError]:
    """`cancel_task` for all of them in a few pushes: by task its result, or why there is none."""
    ends = coordination.cancel(tasks)
    with suppress(*PASSING):  # they are cancelled all the same, and whoever runs something next does it
        finish_ready(coordination, [task for task, end in ends.items() if isinstance(end, Result)])
    return ends


def retry_task(coordination: Coordination, task: str, how: "Again | None" = None) -> Task:
    """The task that does again what `task` did not complete: a new one, or one that is open already.

    Raises BadInput where there is no such task, it or its retry completed, it is not finished, or it was
    cancelled and is to be continued.
    """
    coordination.flush()  # what waits here may be its result, or its retry
    coordination.pull()
    lineage = _lineage(coordination, task)
    newest = lineage.newest
    if newest.task != task and not coordination.is_finished(newest.task):
        return newest
    how = how or Again()
    _check_failed(coordination, newest, task, continues=how.continues)
    again = newest.model_copy(
        update={
            "task": lineage.next_id,
            "batch": _open_batch(coordination, newest.batch),
            "created_at": now(),
            "retry_of": newest.task,
            "after": _after(coordination, newest),
            **how.changes,
        }
    )
    coordination.add_tasks([again])
    return index.task_of(coordination.repository, again.task)


def _after(coordination: Coordination, task: Task) -> tuple[str, ...]:
    """What its retry comes after: for what was done again the retry that counts. Raises BadInput.

    A merge task makes the best of whatever its parts come to, as long as anything can come of them.
    """
    found = verdict(coordination, task)
    if found.failed:
        raise BadInput(
            f"task {task.task!r} would not be run: {found.failed}", "retry what it comes after first"
        )
    first = counting(coordination, task)
    if task.is_aggregate and not found.waits and not any(_completed(result) for _, result in first):
        names = [name for name, _ in first]
        raise BadInput(
            f"task {task.task!r} would have nothing to merge: none of {_named(names)} is completed",
            f"retry its parts first, e.g. `cortex-git task retry {_glob(coordination, task, names)}`",
        )
    return tuple(dict.fromkeys(name for name, _ in first))


def _completed(result: Result | None) -> bool:
    return result is not None and result.status == "completed"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more if names else "no task"


def _glob(coordination: Coordination, whole: Task, names: Sequence[str]) -> str:
    """What `task retry` has to be given for the parts: one pattern where their names allow it."""
    start = f"{lineage_of(coordination.repository, whole.task).tasks[0].task}-"
    return f"'{start}*'" if all(name.startswith(start) for name in names) else " ".join(names[:_NAMED])


def retry_tasks(
    coordination: Coordination, tasks: Sequence[str], how: "Again | None" = None
) -> dict[str, Task | CortexError]:
    """`retry_task` for each of them: the new task, or why there is none. What others come after is first."""
    found: dict[str, Task | CortexError] = {}
    for task in _in_order(coordination, tasks):
        try:
            found[task] = retry_task(coordination, task, how)
        except CortexError as error:
            found[task] = error
    return {task: found[task] for task in tasks}


def _in_order(coordination: Coordination, tasks: Sequence[str]) -> list[str]:
    """Those that others come after before these; else as they are, also around a circle that was pushed."""
    known = {task: index.find_task(coordination.repository.state, task) for task in tasks}
    levels = {name: tuple(task.after) if task is not None else () for name, task in known.items()}
    order: dict[str, None] = {}
    for first in tasks:
        path, begun = [first], set(order)
        while path:
            name = path[-1]
            ahead = (
                [] if name in begun else [one for one in levels[name] if one in known and one not in begun]
            )
            begun.add(name)
            if ahead:
                path += ahead
            else:
                order.setdefault(path.pop())
    return [*order]


@dataclass(frozen=True, slots=True)
class Again:
    """How a task is done again."""

    continues: bool = False
    """From what the old attempt had done."""
    budget: int | None = None
    """Tokens; None: as before."""
    deadline: float | None = None
    """Minutes; None: as before."""

    def __post_init__(self) -> None:
        """Raises BadInput."""
        if self.deadline is not None and not 0 < self.deadline < float("inf"):
            raise BadInput(f"a deadline of {self.deadline!r} minutes", "give a number above 0")

    @property
    def changes(self) -> dict[str, bool | int | float]:
        """What it changes in the task."""
        given = {"budget": self.budget, "deadline": self.deadline}
        return {"continues": self.continues} | {k: v for k, v in given.items() if v is not None}


def _lineage(coordination: Coordination, task: str) -> Lineage:
    """Two people who retry a task at once name the same one."""
    lineage = lineage_of(coordination.repository, task)
    if lineage.newest.is_merge:
        raise BadInput(
            f"task {task!r} is the last one of its batch and is not done again", "retry the tasks it sums up"
        )
    return lineage


def _check_failed(coordination: Coordination, newest: Task, asked: str, *, continues: bool) -> None:
    which = f"task {asked!r}" if newest.task == asked else f"task {newest.task!r}, the retry of {asked!r},"
    if not coordination.is_finished(newest.task):
        raise BadInput(f"{which} is not finished", "to end it first, run `cortex-git task cancel`")
    results = read_results(coordination.repository, [newest.task])
    newer.refuse(coordination.repository.state, "results", newest.task)
    if not results:
        raise BadInput(
            f"{which} has ended, and its result cannot be read", "run `cortex-git doctor`: it says why"
        )
    if results[0].status == "completed":
        raise BadInput(f"{which} is completed", "add a new task with `cortex-git task add`")
    if continues and results[0].status not in _CONTINUABLE:
        raise BadInput(f"{which} is {results[0].status}", "retry it without --continue")


def _open_batch(coordination: Coordination, own: str) -> str:
    """The task's own batch if tasks can still be added to it, else one for such cases."""
    for name in (own, *_BATCHES):
        batch = index.find_batch(coordination.repository.state, name)
        if (batch is None and name != own) or (batch is not None and not batch.sealed):
            return name
    raise BadInput(
        f"batch {own!r} is sealed, and so are {' and '.join(_BATCHES)}",
        "add the task again to another --batch",
    )


def to_cancel(coordination: Coordination, patterns: Sequence[str]) -> list[str]:
    """The ids given, and of each glob those that are not finished; with a merge task also its open parts.

    Raises BadInput where a glob has none.
    """
    coordination.pull()
    chosen = _chosen(coordination, patterns, lambda task: not coordination.is_finished(task))
    parts = [part for task in chosen for part in _open_parts(coordination, task)]
    return list(dict.fromkeys([*chosen, *parts]))


def _open_parts(coordination: Coordination, task: str) -> list[str]:
    """The parts of a merge task, and what does them again, as far as they have no result."""
    repository = coordination.repository
    whole = index.find_task(repository.state, task)
    if whole is None or not whole.is_aggregate:
        return []
    wholes = {one.task for one in lineage_of(repository, task).tasks}
    parts = [index.find_task(repository.state, name) for name in whole.after]
    own = [part.task for part in parts if part is not None and part.parent in wholes]
    family = [one for name in own for one in lineage_of(repository, name).tasks]
    return [one.task for one in unfinished(repository, family)]


def to_retry(coordination: Coordination, patterns: Sequence[str]) -> list[str]:
    """The ids given, and of each glob those that ended without success and were not done again yet.

    Raises BadInput where a glob has none.
    """
    coordination.pull()
    if not any(map(_is_glob, patterns)):
        return _chosen(coordination, patterns, lambda _: True)
    again = {task.retry_of for task in listed(coordination.repository, Scope())}
    failed = {r.task for r in coordination.results(Scope(merges=False)) if r.status != "completed"}
    return _chosen(coordination, patterns, lambda task: task in failed - again)


def _chosen(coordination: Coordination, patterns: Sequence[str], fits: Callable[[str], bool]) -> list[str]:
    names: list[str] = []
    for pattern in patterns:
        if not _is_glob(pattern):
            names.append(pattern)
            continue
        matching = [t.task for t in listed(coordination.repository, Scope(glob=pattern)) if fits(t.task)]
        if not matching:
            raise BadInput(f"no task that matches {pattern!r} is one for that", "see `cortex-git task list`")
        names += matching
    return list(dict.fromkeys(names))


def _is_glob(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")
