"""The right to run a task: taken, taken over, given back, always by compare-and-swap on its ref.

Owns how a claim is taken: lock folder, one push, then a pull begun after its acknowledgement, and every
task that has a result by then is dropped again. How it is given back is `releasing`. Must never rebase a
claim nor retry one blindly.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cortex_git.errors import EnvironmentProblem
from cortex_git.models import ClaimRecord, Task
from cortex_git.state import boot_id, monotonic, now, own_process
from cortex_git.store import index, newer
from cortex_git.store.claim_records import Claim
from cortex_git.store.index import View
from cortex_git.store.locks import Locks
from cortex_git.store.pulling import pull
from cortex_git.store.refs import ABSENT, Outcome, Update, unreachable
from cortex_git.store.releasing import Releases
from cortex_git.store.repository import Repository

MOST_AT_ONCE = 512
"""Claims in one push: enough to cover a slow remote, few enough for one command line (some 200 kB of it)."""
_MOST_COLLISIONS = 5
"""So many rounds in a row in which other pushes held a ref are no chance: a lock was left there."""


class ClaimLost(EnvironmentProblem):
    """Somebody else has the claim, or it waits for a retry; by an old view that may have changed."""


@dataclass(frozen=True, slots=True)
class _Bid:
    """A claim to be tried: the record to put in place of `replaces` (None: of nothing)."""

    task: Task
    record: ClaimRecord
    replaces: str | None


class Claims(Releases):
    """Takes claims for this process, and gives them back."""

    def __init__(self, repository: Repository, locks: Locks) -> None:
        super().__init__(repository, locks)
        self._unproven: list[Claim] = []
        self._collisions: dict[str, int] = {}
        """By task: rounds in a row in which another push held its ref."""

    def claim(self, tasks: Sequence[Task], view: View, worker: Callable[[Task], str]) -> list[Claim]:
        """Try to claim each of the tasks as `view` shows them; those that are ours now.

        A task is passed over when its lock or its claim is held by a living owner, when it waits for
        a retry, or when it turns out to be finished. `worker` names the worker for a task.
        """
        self._give_back_late(view)
        bids = self._bids(tasks, view, worker)
        locked = [bid for bid in bids if self._locks.acquire(bid.task.task, nonce=bid.record.nonce)]
        return self._place(locked, loud=True)

    def started(self, claim: Claim) -> None:
        """An attempt under this claim begins: whoever takes it over counts that attempt."""
        self._locks.mark_started(claim.task.task)

    def claim_locked(self, task: Task, view: View, worker: str) -> Claim | None:
        """Claim one task whose lock this process holds already; the lock is freed when that fails."""
        bids = self._bids([task], view, lambda _: worker)
        if not bids:
            self._locks.release(task.task)
        return next(iter(self._placed(bids, loud=True)), None)

    def take_over(self, claim: Claim) -> Claim | None:
        """Replace our own claim, whose worker died, with the next epoch and attempt; None if it is lost.

        Raises EnvironmentProblem where that did not arrive and the claim is ours as it was: try again.
        """
        record = self._next(claim.task, claim.record, claim.record.worker, takeover=True)
        taken = self._placed([_Bid(claim.task, record, claim.oid)])
        if taken:
            return taken[0]
        if self.still_ours([claim]):
            why = f": {refusal}" if (refusal := self._repository.refs.refusal) else ""
            raise EnvironmentProblem(
                f"task {claim.task.task} could not be taken over{why}", "it is tried again"
            )
        return None

    def cancel(self, tasks: Sequence[Task], view: View, worker: str) -> list[Claim]:
        """Put a `cancelled` claim in the place of whatever claim `view` shows, a living owner's too.

        Those that are ours now, none of a task that is finished. Locks play no part: they are a host's
        own, and a worker that is still busy is stopped by its lost claim when it publishes.
        """
        self._load(view.claims[task.task] for task in tasks if task.task in view.claims)
        return self._placed([self._cancelling(task, view, worker) for task in tasks])

    def _cancelling(self, task: Task, view: View, worker: str) -> _Bid:
        oid = view.claims.get(task.task)
        old = self._record_of(task.task, oid) if oid else None
        changes = {"epoch": old.epoch + 1, "attempt": old.attempt} if old else {}
        record = self._fresh(task, worker).model_copy(update={"state": "cancelled", **changes})
        return _Bid(task, record, oid)

    def still_ours(self, claims: Sequence[Claim]) -> list[Claim]:
        """Those of the claims that the remote still holds as we made them. Raises RemoteUnreachable."""
        found = self._repository.refs.read_back([self._ref(claim.task) for claim in claims]) if claims else {}
        return [claim for claim in claims if found.get(self._ref(claim.task)) == claim.oid]

    def _bids(self, tasks: Sequence[Task], view: View, worker: Callable[[Task], str]) -> list[_Bid]:
        barred = newer.barred(self._repository, tasks)
        self._load(view.claims[task.task] for task in tasks if task.task in view.claims)
        bids: list[_Bid] = []
        for task in (task for task in tasks if task.task not in barred):
            oid = view.claims.get(task.task)
            if oid is None:
                bids.append(_Bid(task, self._fresh(task, worker(task)), None))
                continue
            takeover = self._may_replace(task.task, view)
            if takeover is not None:
                old, name = self._record_of(task.task, oid), worker(task)
                record = self._next(task, old, name, takeover=takeover) if old else self._fresh(task, name)
                bids.append(_Bid(task, record, oid))
        return bids

    def _fresh(self, task: Task, worker: str) -> ClaimRecord:
        pid, started, boot = own_process()
        return ClaimRecord(
            task=task.task,
            worker=worker,
            host=self._repository.host,
            nonce=uuid.uuid4().hex,
            lease_s=self._repository.settings.leases.lease_s,
            claimed_at=now(),
            pid=pid,
            pid_started=started,
            boot_id=boot,
        )

    def _next(self, task: Task, old: ClaimRecord, worker: str, *, takeover: bool) -> ClaimRecord:
        """The record after `old`. A claim ahead that no worker was on yet has used up no attempt."""
        here = old.host == self._repository.host and old.boot_id == boot_id()
        used = takeover and (not here or self._locks.was_started(task.task))
        changes = {"epoch": old.epoch + int(takeover), "attempt": old.attempt + int(used)}
        return self._fresh(task, worker).model_copy(update=changes)

    def _placed(self, bids: Sequence[_Bid], *, loud: bool = False) -> list[Claim]:
        """Like `_place`, these bids' claims alone; others that were proven with them wait for `claim`."""
        nonces = {bid.record.nonce for bid in bids}
        placed = self._place(bids, loud=loud)
        with self._guard:
            self._unproven += [claim for claim in placed if claim.record.nonce not in nonces]
        return [claim for claim in placed if claim.record.nonce in nonces]

    def _place(self, bids: Sequence[_Bid], *, loud: bool = False) -> list[Claim]:
        """One push for all bids, then the re-check; locks of those lost are freed.

        `loud`: raises where none could be had because the remote would not, or gave no answer.

        When the remote falls silent in between, the claims wait in `_unproven` with their locks held,
        and the next call proves or drops them; a cancelled one is left behind for `left_cancelled`.
        """
        try:
            self._give_back_owed()
            if self._unreleased:
                self._release([])
            if not bids and not self._unproven:
                return []
            oids = self._write([(bid.record, bid.replaces) for bid in bids]) if bids else []
        except BaseException:
            for bid in bids:
                self._locks.release(bid.task.task)
            raise
        claims = [Claim(bid.task, oid, bid.record) for bid, oid in zip(bids, oids, strict=True)]
        self._records.update((claim.oid, claim.record) for claim in claims)
        updates = [
            Update(self._ref(claim.task), claim.oid, bid.replaces or ABSENT)
            for bid, claim in zip(bids, claims, strict=True)
        ]
        outcomes = self._repository.refs.transaction(updates, atomic=False)
        by_outcome = list(zip(claims, outcomes, strict=True))
        lost = (Outcome.STALE, Outcome.BYSTANDER)
        for claim, outcome in by_outcome:
            if outcome in lost:
                self._locks.release(claim.task.task)
        won = [claim for claim, outcome in by_outcome if outcome is Outcome.APPLIED]
        with self._guard:
            unproven, self._unproven = self._unproven, []
        # A push that was sent twice on its way is answered as refused, or as unchanged, though it landed.
        unproven += [claim for claim, outcome in by_outcome if outcome not in (Outcome.APPLIED, *lost)]
        held = [*won, *unproven]
        try:
            held = [*won, *self._prove(unproven)]
            placed = self._drop_finished(held)
        except BaseException:
            with self._guard:
                self._unproven += [claim for claim in held if claim.record.state != "cancelled"]
            raise
        if loud and not placed:
            self._complain(by_outcome)
        return placed

    def _complain(self, by_outcome: Sequence[tuple[Claim, Outcome]]) -> None:
        """Say so where the remote will have no claim of ours: they would be tried in silence for ever."""
        refs = self._repository.refs
        busy = [claim.task.task for claim, outcome in by_outcome if outcome is Outcome.BUSY]
        # Of one task: hosts that work in step may well collide in every round, each time over another.
        self._collisions = {task: self._collisions.get(task, 0) + 1 for task in busy}
        outcomes = [outcome for _, outcome in by_outcome]
        if not refs.refusal:
            return
        if Outcome.REFUSED in outcomes or max(self._collisions.values(), default=0) >= _MOST_COLLISIONS:
            raise EnvironmentProblem(
                f"the remote refuses claims: {refs.refusal}",
                "`cortex-git init` tells what it must allow; nothing is lost meanwhile",
            )
        if Outcome.UNKNOWN in outcomes:
            raise unreachable(self._repository.remote or "", refs.refusal)

    def _prove(self, unproven: Sequence[Claim]) -> list[Claim]:
        """Those of the unproven claims that the remote holds.

        Each claim is an object of its own (its nonce is inside), so finding it proves that it is ours.
        """
        proven = self.still_ours(unproven)
        ours = {claim.oid for claim in proven}
        for claim in unproven:
            if claim.oid not in ours:
                self._locks.release(claim.task.task)
                if claim.record.state != "cancelled":  # giving that back would undo a person's cancel
                    with self._guard:
                        self._astray[claim.oid] = claim
        return proven

    def _drop_finished(self, won: list[Claim]) -> list[Claim]:
        """A process with an old view may have claimed a finished task, since publishing deletes the claim.

        A publish adds the result and deletes the claim in one transaction, so a pull that starts after
        our claim was acknowledged sees the result.
        """
        if not won:
            return []
        pull(self._repository, not_before=monotonic())
        finished = index.with_result(self._repository, [claim.task.task for claim in won])
        if done := [claim for claim in won if claim.task.task in finished]:
            self._let_go(done, {})
        return [claim for claim in won if claim.task.task not in finished]
