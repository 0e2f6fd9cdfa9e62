"""Tasks that a run carries out itself, in its own process: last tasks of batches, and merge tasks.

Owns which those are, and that a merge task is claimed by whoever made it ready, though it be outside of the
run's scope. With several hosts ending the last parts at once, at least the one whose results came last sees
them all.
"""

from collections.abc import Callable, Sequence
from functools import partial

from cortex_git.models import Result, Task
from cortex_git.results.merging import merge_results
from cortex_git.state import PASSING, monotonic, problem_of
from cortex_git.store import index, lineage
from cortex_git.store.claim_records import Claim
from cortex_git.store.claims import MOST_AT_ONCE
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.claimer import ClaimSource, GivenClaims

Merger = Callable[[Claim], tuple[Result, dict[str, bytes]]]
"""Carries out a task in this process: its result and the further files to publish with it."""


class Merges:
    """Those of one run. `look` is called in another thread than the run's loop."""

    def __init__(
        self,
        coordination: Coordination,
        attempts: Attempts,
        given: GivenClaims,
        *,
        last: Merger | None,
        name: str,
        allow: Callable[[Claim], bool],
        note: Callable[[str], None],
        kept: bool,
    ) -> None:
        """`last` carries out last tasks of batches; a run that is `kept` outlives what goes wrong.

        A claim that is not allowed has been dealt with.
        """
        self._coordination = coordination
        self._attempts = attempts
        self._given = given
        self._last = last
        self._name = name
        self._allow = allow
        self._note = note
        self._kept = kept
        self._closing = False

    def carry_out(self, sources: Sequence[ClaimSource]) -> None:
        """End all of those that are in hand: none needs a worker."""
        for source in sources:
            for held in source.waiting():
                if (merger := self._merger_of(held.claim.task)) is None:
                    continue
                if (claim := self._attempts.taken(source, held.claim.task.task)) is not None:
                    self._merge(claim, merger)

    def _merger_of(self, task: Task) -> Merger | None:
        """Who carries out the task in this process; None where that is a worker's."""
        if task.is_aggregate:
            return partial(merge_results, self._coordination)
        return self._last if task.is_merge else None

    def _merge(self, claim: Claim, merger: Merger) -> None:
        try:
            if not self._allow(claim):
                return
            self._coordination.claims.started(claim)  # one that ends its process has used an attempt
            done = merger(claim)
        except PASSING as error:
            problem = problem_of(error)
            if not self._kept:
                self._coordination.claims.release([claim])
                raise problem from error
            self._attempts.put_off(claim, str(problem))  # no reason to end a pool that others use
        else:
            self._attempts.enter([(claim, *done)])

    def look(self, ended: Sequence[str], besides: Scope | None) -> None:
        """Take on the merge tasks that come after those just acknowledged, and wait for nothing more.

        Those in the scope `besides` are claimed anyway.
        """
        if self._closing:
            return
        try:
            claims = claim_joins(self._coordination, ended, besides, self._name)
        except PASSING as error:
            self._note(f"merge tasks are left to whoever comes next: {error}")
            return
        for claim in claims:
            self._given.give(claim)
        if self._closing:
            try:
                self._given.stop()
            except PASSING as error:
                self._note(f"merge tasks wait until their claims are old: {error}")

    def close(self) -> None:
        """Take on no more. Safe in a signal handler."""
        self._closing = True


def claim_joins(
    coordination: Coordination, ended: Sequence[str] | None, besides: Scope | None, worker: str
) -> list[Claim]:
    """Claims on merge tasks that come after the `ended` ones and are ready, but for those in `besides`.

    With None: after any. Where somebody else has one, it is theirs. Looks at the remote only where there is
    such a task. One that turns out, by what was seen with its claim, to wait for a retry is given back.
    """
    joins = lineage.joins_after(coordination.repository, ended, besides)
    if not joins:
        return []
    # What these wait for may have ended elsewhere at the same moment: a look begun before now could miss it.
    view = coordination.pull(not_before=monotonic())
    repository = coordination.repository
    finished = index.with_result(repository, [task.task for task in joins])
    ready = [
        task for task in joins if task.task not in finished and not lineage.waits_for(repository, task.task)
    ]
    claims = coordination.claims.claim(ready[:MOST_AT_ONCE], view, lambda _: worker) if ready else []
    early = [claim for claim in claims if lineage.waits_for(repository, claim.task.task)]
    coordination.claims.release(early)
    return [claim for claim in claims if claim not in early]
