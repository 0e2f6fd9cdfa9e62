"""Ending tasks by hand: a `cancelled` claim takes the place of any claim there is, then a result follows.

Owns both steps, and the second one where who did the first never came to it. Must never run a task, nor
publish such a result before a look, begun after the claim was acknowledged, that showed none.
"""

import time
from collections.abc import Sequence

from cortex_git.errors import BadInput, CortexError, EnvironmentProblem
from cortex_git.models import Result, Task
from cortex_git.store import index, layout
from cortex_git.store.claims import MOST_AT_ONCE, Claims
from cortex_git.store.heartbeat import seen_for
from cortex_git.store.index import View
from cortex_git.store.outbox import Outbox
from cortex_git.store.publishing import Publisher, result_entry
from cortex_git.store.pulling import pull
from cortex_git.store.repository import Repository
from cortex_git.store.results import read_results

WORKER = "canceller"
"""What stands in the place of a worker's name in what is cancelled."""
_ROUNDS = 12
_PAUSE_S = 0.25
_PATIENCE_S = 2.0
"""Seconds in which somebody else's cancel may come to its own end, before it is taken over."""

Ends = dict[str, Result | CortexError]
"""By task: its `cancelled` result, or why there is none."""


class Canceller:
    """Cancels tasks for one clone. Every process of the clone may do so at any time."""

    def __init__(self, repository: Repository, claims: Claims, outbox: Outbox, publisher: Publisher) -> None:
        self._repository = repository
        self._claims = claims
        self._outbox = outbox
        self._publisher = publisher

    def cancel(self, tasks: Sequence[str]) -> Ends:
        """End each of the tasks as `cancelled`; one that is already answers with the result it has.

        Raises RemoteUnreachable or EnvironmentProblem where nothing was changed yet.
        """
        self._publisher.flush()  # what this host has finished is finished, though it waits
        names = list(dict.fromkeys(tasks))
        view = pull(self._repository)
        ends: Ends = {}
        for start in range(0, len(names), MOST_AT_ONCE):
            ends |= self._cancel_together(names[start : start + MOST_AT_ONCE], view)
        return ends

    def finish_left(self, view: View) -> list[str]:
        """Take over cancels that nobody carried to their end; the tasks whose result is now in the outbox.

        It is published with whatever is next.
        """
        left = self._claims.left_cancelled(view)[:MOST_AT_ONCE]
        tasks = [task for name in left if (task := index.find_task(self._repository.state, name)) is not None]
        return [result.task for result in self._enter(tasks, view)] if tasks else []

    def _cancel_together(self, names: Sequence[str], view: View) -> Ends:
        """Rounds of look, claim and publish. Each round that loses a claim saw somebody else act on it."""
        ends: Ends = {}
        for number in range(_ROUNDS):
            try:
                if number:
                    time.sleep(_PAUSE_S)
                    view = pull(self._repository)
                ends |= self._known(names, ends)
                ends |= self._end([name for name in names if name not in ends], view)
            except CortexError as error:
                ends |= {name: error for name in names if name not in ends}
            if len(ends) == len(names):
                break
        return {name: ends[name] if name in ends else self._gave_up(name) for name in names}

    def _known(self, names: Sequence[str], ends: Ends) -> Ends:
        """What can be said of tasks without touching their claims: finished, or not there."""
        open_names = [name for name in names if name not in ends]
        finished = index.with_result(self._repository, open_names)
        results = {
            r.task: r for r in read_results(self._repository, [n for n in open_names if n in finished])
        }
        found: Ends = {}
        for name in open_names:
            result = results.get(name)
            if result is not None and result.status == "cancelled":
                found[name] = result
            elif name in finished:
                status = f" ({result.status})" if result else ""
                found[name] = BadInput(
                    f"task {name!r} is finished already{status}", "see `cortex-git results show`"
                )
            else:
                try:
                    index.task_of(self._repository, name)
                except BadInput as error:
                    found[name] = error
        return found

    def _end(self, names: Sequence[str], view: View) -> Ends:
        """One try for tasks that are not finished; those it did not decide are left out."""
        tasks = [index.task_of(self._repository, name) for name in self._ripe(names, view)]
        results = self._enter(tasks, view) if tasks else []
        if not results:
            return {}
        problem: CortexError | None = None
        try:
            self._publisher.flush()
        except CortexError as error:
            problem = error
        states = self._outbox.states([result.nonce for result in results])
        ends: Ends = {r.task: r for r in results if states.get(r.nonce) == "done"}
        if problem is not None:
            ends |= {r.task: _waits(r.task, problem) for r in results if states.get(r.nonce) == "queued"}
        return ends

    def _ripe(self, names: Sequence[str], view: View) -> list[str]:
        """The tasks without those that somebody else is just cancelling."""
        left = set(self._claims.left_cancelled(view))
        return [name for name in names if name in left or not self._is_under_way(name, view)]

    def _is_under_way(self, name: str, view: View) -> bool:
        oid = view.claims.get(name)
        record = self._claims.record(oid, name) if oid else None
        if oid is None or record is None or record.state != "cancelled":
            return False
        return seen_for(self._repository, "claim", name, oid) < _PATIENCE_S

    def _enter(self, tasks: Sequence[Task], view: View) -> list[Result]:
        """Claim the tasks as cancelled; their results, safe in the outbox. Those lost are left out."""
        reasons = {task.task: self._reason(task.task, view) for task in tasks}
        claims = self._claims.cancel(tasks, view, WORKER)
        entries = [
            result_entry(
                claim.ended("cancelled", reasons[claim.task.task]),
                claim.oid,
                layout.result_beside(index.path_of(self._repository, claim.task.task)),
            )
            for claim in claims
        ]
        self._outbox.add(entry for entry, _ in entries)
        return [result for _, result in entries]

    def _reason(self, name: str, view: View) -> str:
        """In what state the task was found, for people."""
        oid = view.claims.get(name)
        if oid is None:
            return "cancelled before anybody took it"
        old = self._claims.record(oid, name)
        if old is None:
            return "cancelled; its claim could not be read"
        if old.state == "running":
            return f"cancelled while {old.worker} of {old.host} had it (attempt {old.attempt})"
        if old.state == "released":
            return f"cancelled while it waited for attempt {old.attempt}"
        return f"cancelled from {old.host}, which did not come to say so"

    def _gave_up(self, name: str) -> CortexError:
        refusal = self._repository.refs.refusal
        return EnvironmentProblem(
            f"task {name!r} could not be cancelled: its claim changed hands {_ROUNDS} times"
            + (f", or was refused: {refusal}" if refusal else ""),
            "try again",
        )


def _waits(task: str, problem: CortexError) -> CortexError:
    return EnvironmentProblem(
        f"task {task!r} is cancelled, and that waits to be published: {problem.message}",
        "run `cortex-git sync` when the remote is back",
    )
