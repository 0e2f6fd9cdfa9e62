"""The right to run a task: taken, taken over, given back, always by compare-and-swap on its ref.

Owns the claim protocol: lock folder, one push, then a pull begun after its acknowledgement, and every
task that has a result by then is dropped again. Must never rebase a claim nor retry one blindly.
"""

import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cortex_git.errors import EnvironmentProblem
from cortex_git.models import TASK_PATTERN, ClaimRecord, Result, ResultStatus, Task
from cortex_git.state import PASSING, boot_id, monotonic, now, own_process
from cortex_git.store import index, layout, newer
from cortex_git.store.claim_records import backoff_s, given_back, released
from cortex_git.store.commits import Draft, singles
from cortex_git.store.index import View
from cortex_git.store.judging import Judge
from cortex_git.store.locks import Locks
from cortex_git.store.pulling import pull
from cortex_git.store.refs import ABSENT, Outcome, Update, takes_branches_only, unreachable
from cortex_git.store.repository import Repository

MOST_AT_ONCE = 512
"""Claims in one push: enough to cover a slow remote, few enough for one command line (some 200 kB of it)."""
_MOST_COLLISIONS = 5
"""So many rounds in a row in which other pushes held a ref are no chance: a lock was left there."""


class ClaimLost(EnvironmentProblem):
    """Somebody else has the claim, or it waits for a retry; by an old view that may have changed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim this host holds: `oid`, the ref's exact object id, is the fencing token."""

    task: Task
    oid: str
    record: ClaimRecord

    def ended(self, status: ResultStatus, error: str | None = None) -> Result:
        """The result that ends the task now, under this claim and without a worker's report."""
        record = self.record
        return Result(
            task=self.task.task,
            batch=self.task.batch,
            status=status,
            type=self.task.type,
            master=self.task.responsible,
            worker=record.worker,
            host=record.host,
            nonce=record.nonce,
            epoch=record.epoch,
            attempt=min(record.attempt, self.task.max_attempts),
            completed_at=now(),
            error=error,
        )


@dataclass(frozen=True, slots=True)
class _Bid:
    """A claim to be tried: the record to put in place of `replaces` (None: of nothing)."""

    task: Task
    record: ClaimRecord
    replaces: str | None


class Claims(Judge):
    """Takes and gives back claims for this process."""

    def __init__(self, repository: Repository, locks: Locks) -> None:
        super().__init__(repository)
        self._locks = locks
        self._guard = threading.Lock()
        self._unproven: list[Claim] = []
        self._astray: dict[str, Claim] = {}
        """Claims that were not acknowledged, and not there when looked for: they may land late."""
        self._owed: list[tuple[Claim, float | None]] = []
        """Claims to be given back, with the pause before their retry, until their push was tried: a full
        disk can keep the object from being written that takes their place. Their locks are held as long."""
        self._unreleased: list[Update] = []
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
