"""Claims that are given back, and what is left of those that nobody holds any more.

Owns what is owed to the remote: claims that could not be given back, or that were not seen to arrive. Must
never touch a ref that is not as this process, or a dead one, left it.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from cortex_git.models import TASK_PATTERN, ClaimRecord, Task
from cortex_git.state import PASSING
from cortex_git.store import index, layout
from cortex_git.store.claim_records import Claim, backoff_s, given_back, released
from cortex_git.store.commits import Draft, singles
from cortex_git.store.index import View
from cortex_git.store.judging import Judge
from cortex_git.store.locks import Locks
from cortex_git.store.refs import Outcome, Update, takes_branches_only
from cortex_git.store.repository import Repository


class Releases(Judge):
    """Gives back claims of this process, and deletes those that dead owners left."""

    def __init__(self, repository: Repository, locks: Locks) -> None:
        super().__init__(repository)
        self._locks = locks
        self._guard = threading.Lock()
        self._astray: dict[str, Claim] = {}
        """Claims that were not acknowledged, and not there when looked for: they may land late."""
        self._owed: list[tuple[Claim, float | None]] = []
        """Claims to be given back, with the pause before their retry, until their push was tried: a full
        disk can keep the object from being written that takes their place. Their locks are held as long."""
        self._unreleased: list[Update] = []

    def release(self, claims: Sequence[Claim], *, retry_after_s: float | None = None) -> None:
        """Give claims back: as they were found (None), or after a failed attempt, to be retried.

        Of a task that was never begun nothing is left; else its epoch and attempt stay known. A refusal
        means that somebody took the claim over: it is theirs to finish. What could not be written here or
        got no answer is tried again with the next call: nobody else may end it while this process lives.
        """
        with self._guard:
            self._owed += [(claim, retry_after_s) for claim in claims]
        if claims:
            with suppress(*PASSING):
                self._give_back_owed()

    def _give_back_owed(self) -> None:
        with self._guard:
            owed, self._owed = self._owed, []
        if not owed:
            return
        try:
            self._let_go([claim for claim, _ in owed], self._successors(owed))
        except BaseException:
            with self._guard:
                self._owed = [*owed, *self._owed]
            raise

    def _successors(self, owed: Sequence[tuple[Claim, float | None]]) -> dict[str, str]:
        """By object id the object that takes a given-back claim's place; not of those simply deleted."""
        told: list[tuple[ClaimRecord, str]] = []
        for claim, retry_after_s in owed:
            record = claim.record
            if retry_after_s is not None:
                told.append((released(record, retry_after_s), claim.oid))
                continue
            # A claim that landed late is under no lock of ours: by now that may be another process's.
            begun = self._locks.holds(claim.task.task) and self._locks.is_started(claim.task.task)
            if begun or max(record.epoch, record.attempt) > 1:
                told.append((given_back(record, begun=begun), claim.oid))
        oids = self._write(told) if told else []
        return {replaced: oid for (_, replaced), oid in zip(told, oids, strict=True)}

    def _let_go(self, claims: Sequence[Claim], new: Mapping[str, str]) -> None:
        """Delete claims, or put the `new` object in the place of theirs, and free their locks."""
        self._release([Update(self._ref(claim.task), new.get(claim.oid), claim.oid) for claim in claims])
        for claim in claims:
            self._locks.release(claim.task.task)

    def put_off(self, claim: Claim) -> None:
        """Give a claim back after a failed attempt, to be tried again after a pause that grows with them."""
        leases = self._repository.settings.leases
        pause = backoff_s(claim.record.attempt, leases.retry_base_s, leases.retry_max_s)
        self.release([claim], retry_after_s=pause)

    def drop_left(self, view: View) -> None:
        """Delete what dead owners hold of finished tasks: a remote killed in the midst of a publish keeps it.

        (As a remote folder's `git receive-pack` is together with the command that it serves.) Also what
        nobody can own, as no task can have its name, and which may stand in the way of a task's own claim.
        """
        odd = [name for name in view.claims if not re.fullmatch(TASK_PATTERN, name)]
        finished = index.with_result(self._repository, list(view.claims))
        self._load(view.claims[task] for task in {*finished, *odd})
        updates: list[Update] = []
        for task in sorted({*finished, *odd}):
            record, oid = self._record_of(task, view.claims[task]), view.claims[task]
            if self._is_left(task, oid, record, view) if record else self._is_nobodys(task, oid):
                updates.append(Update(self._repository.claim_ref(task), None, view.claims[task]))
        if updates:
            self._release(updates)

    def _give_back_late(self, view: View) -> None:
        """Give back our claims that landed after we had let them go: nobody else may, for we live."""
        with self._guard:
            astray = list(self._astray.values())
        if not astray:
            return
        landed = [claim for claim in astray if view.claims.get(claim.task.task) == claim.oid]
        if landed:
            new = self._successors([(claim, None) for claim in landed])
            self._release([Update(self._ref(claim.task), new.get(claim.oid), claim.oid) for claim in landed])
        ended = index.with_result(self._repository, [claim.task.task for claim in astray])
        with self._guard:
            for claim in astray:
                if claim in landed or claim.task.task in ended:
                    self._astray.pop(claim.oid, None)

    def _release(self, updates: Sequence[Update]) -> None:
        with self._guard:
            earlier, self._unreleased = self._unreleased, []
        # Of two for one ref the later one counts, and git takes no push that names a ref twice.
        pending = list({update.ref: update for update in (*earlier, *updates)}.values())
        try:
            outcomes = self._repository.refs.transaction(pending, atomic=False)
        except BaseException:
            with self._guard:
                self._unreleased += earlier  # the caller still has its own
            raise
        unsure = (Outcome.UNKNOWN, Outcome.REFUSED, Outcome.BUSY)
        left = [update for update, outcome in zip(pending, outcomes, strict=True) if outcome in unsure]
        with self._guard:
            self._unreleased += left

    def _ref(self, task: Task) -> str:
        return self._repository.claim_ref(task.task)

    def _write(self, records: Sequence[tuple[ClaimRecord, str | None]]) -> list[str]:
        """A commit for each record; with what it replaces, which is its parent where refs are branches."""
        chained = takes_branches_only(self._repository.refs.namespace)
        drafts = [
            Draft(
                f"claim {record.task}: {record.state}, epoch {record.epoch}, attempt {record.attempt}",
                {layout.CLAIM_FILE: record.to_bytes()},
                replaced if chained else None,
            )
            for record, replaced in records
        ]
        return singles(self._repository.git, self._repository.identity.author, drafts)
