"""Dependencies while tasks are run: what becomes of a task whose predecessors ended badly, or not at all.

Owns that nothing runs after what was not completed, and that a run does not wait for work that nobody does.
What may be claimed at all is the store's business.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cortex_git.models import Result, Task
from cortex_git.store import newer, unmet
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.lineage import done_again_by
from cortex_git.store.results import read_results

_ASK_S = 1.0
"""How often a run that has nothing else to do looks whether what its tasks wait for is worked on."""
_PATIENCE_S = 5.0
"""How long it waits on after that work was last seen: the next task of a chain may be about to be claimed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What those that a task comes after mean for it; neither where all are completed."""

    failed: str = ""
    """Why it is not to be run: what ended how."""
    waits: tuple[str, ...] = ()
    """What it has to wait for yet: what was done again counts by its newest retry."""


def verdict(coordination: Coordination, task: Task) -> Verdict:
    """Whether the task may run, as of the last pull.

    One that makes one result of others makes the best of whatever they came to: it waits, and never fails.
    """
    if task.is_merge or not task.after:
        return Verdict()
    failed, waits = "", []
    found = counting(coordination, task)
    if unread := newer.needed_by(coordination.repository.state, task):
        return Verdict(waits=unread)
    for counts, result in found:
        if result is None and not coordination.is_finished(counts):
            waits.append(counts)
        elif result is None or result.status != "completed":
            how = result.status if result is not None else "something that cannot be read"
            failed = failed or f"{counts} ended as {how}"
    if task.is_aggregate:
        return Verdict(waits=tuple(waits))
    return Verdict(failed, () if failed else tuple(waits))


def counting(coordination: Coordination, task: Task) -> list[tuple[str, Result | None]]:
    """What counts in the place of each that the task comes after, and its result where it has one.

    That is itself where it was completed, else the retry that was, else the newest retry.
    """
    ended = {result.task: result for result in read_results(coordination.repository, task.after)}
    found: list[tuple[str, Result | None]] = []
    for name in task.after:
        result = ended.get(name)
        done = result is not None and result.status == "completed"
        found.append((name, result) if done else _newest(coordination, name, result))
    return found


def _newest(coordination: Coordination, name: str, result: Result | None) -> tuple[str, Result | None]:
    """The task that counts in the place of `name`, which was not completed, and its result."""
    later = done_again_by(coordination.repository, name)
    for other in reversed(read_results(coordination.repository, later)):
        if other.status == "completed":
            return other.task, other
    if not later:
        return name, result
    return later[-1], next(iter(read_results(coordination.repository, later[-1:])), None)


class Dependencies:
    """Those of one run's tasks."""

    def __init__(
        self,
        coordination: Coordination,
        give_up: Callable[[Claim, str], None],
        let_go: Callable[[str, str], None] = lambda _task, _why: None,
    ) -> None:
        """`give_up` ends a task without an attempt, `let_go` tells who follows one that it is given back."""
        self._coordination = coordination
        self._give_up = give_up
        self._let_go = let_go
        self._ask_at = 0.0
        self._worked_on_at: float | None = None
        self._hope = False

    def allow(self, claim: Claim) -> bool:
        """Whether the claimed task may run; where not, its claim is dealt with."""
        found = verdict(self._coordination, claim.task)
        if found.failed:
            self._give_up(claim, f"not run: {found.failed}")
        elif found.waits:
            # A retry came to be known with the claim; from here on this clone does not try again.
            self._coordination.claims.release([claim])
            self._let_go(claim.task.task, f"it waits for {', '.join(found.waits)}")
        return not found.failed and not found.waits

    def may_open(self, scopes: Iterable[Scope]) -> bool:
        """Whether tasks in scope that wait for others may open by themselves: somebody works on those.

        For a run that has nothing else to do; what runs in its own scope it waits for anyway.
        """
        now = time.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + _ASK_S
            if any(self._worked_on(scope) for scope in scopes):
                self._worked_on_at = now
            self._hope = self._worked_on_at is not None and now - self._worked_on_at < _PATIENCE_S
        return self._hope

    def _worked_on(self, scope: Scope) -> bool:
        """Whether anything that the scope's tasks wait for is claimed, and its owner alive or awaited."""
        needed = unmet.needed(self._coordination.repository, scope)
        if not needed:
            return False
        claims = self._coordination.claims
        busy = set(claims.unavailable(self._coordination.view())) - set(claims.handed_in())
        return not needed.isdisjoint(busy)
