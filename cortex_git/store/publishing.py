"""Making results durable on the remote: one push for whatever all processes of this host have waiting.

Owns the group commit (whoever holds the lock publishes for everybody) and the decision that a result
is fenced. Must never call a result fenced before its nonce was looked for, nor publish one twice.
"""

import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from cortex_git.errors import CortexError, EnvironmentProblem
from cortex_git.flocks import file_lock
from cortex_git.gitio import GitFailed, blob_id
from cortex_git.models import Result
from cortex_git.state import transaction
from cortex_git.store import layout
from cortex_git.store.commits import Draft, chain, singles
from cortex_git.store.folding import contains
from cortex_git.store.indexing import add_document
from cortex_git.store.outbox import Entry, Intent, Outbox
from cortex_git.store.pulling import pull
from cortex_git.store.refs import ABSENT, Outcome, Update
from cortex_git.store.repository import Repository
from cortex_git.store.results import read_results

MOST_AT_ONCE = 500
"""Commits in one push, so that its command line stays well under the system's limit."""
_TRIES = 6
_HOLD = "refs/cortex-outbox/next"


@dataclass
class Published:
    """What one flush did, by nonce."""

    done: list[str] = field(default_factory=list)
    fenced: list[str] = field(default_factory=list)
    pushes: int = 0


class Publisher:
    """Publishes a clone's outbox. Every process of the clone may call it at any time."""

    def __init__(self, repository: Repository, outbox: Outbox) -> None:
        self._repository = repository
        self._outbox = outbox
        self._ahead_of: dict[str, str] = {}
        """Our own tip, and the branch's commit that is known to contain it."""

    def flush(self) -> Published:
        """Publish everything that waits; returns when it is acknowledged.

        What is entered meanwhile goes along where a push is made anyway, and never keeps this from returning.
        Raises RemoteUnreachable or EnvironmentProblem when the remote does not take it; then it still
        waits. While another process publishes, this waits for it and then has little left to do.
        """
        report = Published()
        with self._turn():
            try:
                self._flush(report)
            except CortexError as error:
                with suppress(sqlite3.Error):  # what went wrong may be the disk
                    self._outbox.note_problem(error.message)
                raise
        return report

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the lock of whoever publishes. Whoever waits is let in before one that comes back."""
        private = self._repository.private
        with ExitStack() as held:
            with file_lock(private / "publish.next"):
                held.enter_context(file_lock(private / "publish.lock"))
            yield

    def _flush(self, report: Published) -> None:
        self._settle_intents(report)
        refusals, last = 0, self._outbox.newest()
        while self._outbox.waits_to(last):
            entries = newest_of_each_task(self._outbox.waiting(limit=MOST_AT_ONCE))
            if self._publish(entries, report):
                refusals = 0
                continue
            refusals += 1
            if refusals >= _TRIES:
                raise EnvironmentProblem(
                    f"the remote would not take {len(entries)} results: {self._repository.refs.refusal}",
                    "they are kept; mend that and run `cortex-git sync`",
                )
            time.sleep(0.05 * 2**refusals * (0.5 + secrets.randbelow(100) / 100))
        self._keep_fenced(report)

    def _publish(self, entries: Sequence[Entry], report: Published) -> bool:
        """One push. True when something was decided, False when it may be tried again as it is."""
        repository = self._repository
        base = self._outbox.own_tip(repository.host)
        drafts = [Draft(entry.message, entry.files) for entry in entries]
        start = self._start(base)
        try:
            tip = chain(repository.git, repository.identity.author, start, drafts, _HOLD)
        except GitFailed as error:
            if "cannot lock ref" not in error.message:
                raise
            repository.refs.refusal = error.message  # the git of a leader that was killed is still at it
            return False
        intent = Intent(tip, repository.host, tuple(entry.nonce for entry in entries))
        self._outbox.intend(intent)
        updates = [Update(repository.own_results, tip, base or ABSENT)]
        claims = [entry for entry in entries if entry.claim is not None]
        updates += [Update(repository.claim_ref(entry.task), None, entry.claim or "") for entry in claims]
        outcomes = repository.refs.transaction(updates, atomic=True)
        report.pushes += 1
        applied = all(outcome is Outcome.APPLIED for outcome in outcomes)
        unsure = any(outcome in (Outcome.UNKNOWN, Outcome.UNCHANGED) for outcome in outcomes)
        if applied or (unsure and self._landed(intent)):
            self._acknowledged(intent, entries, base, start, report)
            return True
        self._outbox.give_up(intent)
        if outcomes[0] is Outcome.STALE:
            if not self._landed_late(report):
                self._leave_identity(entries, report)
            return True
        stale = [e for e, o in zip(claims, outcomes[1:], strict=True) if o is Outcome.STALE]
        return self._sort_out(stale, report)

    def _start(self, base: str | None) -> str | None:
        """The commit to build on: the branch as last seen where it contains our own tip, else that tip.

        Moved forward like this, and never back, our ref stays near the branch however long it has been: what
        readers compare with it, and the trees that git writes for it, stay small.
        """
        if base is None:
            return next(iter(self._repository.refs.trunk()), None)
        branch = self._branch()
        if branch is None or branch == base or branch == self._ahead_of.get(base):
            return branch or base
        if not contains(self._repository, branch, base):
            return base
        self._ahead_of = {base: branch}
        return branch

    def _branch(self) -> str | None:
        """The branch's newest commit whose documents are in the index."""
        query = "SELECT tip FROM indexed WHERE ref = 'trunk/0'"
        row = self._repository.state.execute(query).fetchone()
        return row[0] if row else None

    def _landed(self, intent: Intent) -> bool:
        """Whether a push without acknowledgement took place: the ref stands where it would have put it."""
        return self._tip_of(intent.host) == intent.tip

    def _tip_of(self, host: str) -> str | None:
        """Where a host's result ref stands now, on the remote itself."""
        ref = self._repository.results_ref(host)
        return self._repository.refs.read_back([ref]).get(ref)

    def _settled(self, intent: Intent, report: Published) -> None:
        self._outbox.acknowledge(intent)
        report.done += intent.nonces

    def _acknowledged(
        self,
        intent: Intent,
        entries: Sequence[Entry],
        base: str | None,
        start: str | None,
        report: Published,
    ) -> None:
        self._settled(intent, report)
        state = self._repository.state
        places = [(path, content) for entry in entries for path, content in entry.files.items()]
        with transaction(state):
            for path, content in places:
                place = layout.place_of(path)
                if place is not None and place.kind == "results":
                    row = (place.task, place.batch, path, blob_id(content, intent.tip))
                    state.execute("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)", row)
                elif place is not None:
                    add_document(state, path, content, blob_id(content, intent.tip))
            # The index may jump to the new tip only if it had all that lies below it.
            if start == base or start == self._branch():
                state.execute(
                    "UPDATE indexed SET tip = ? WHERE ref = ? AND tip = ?",
                    (intent.tip, self._repository.own_results, base),
                )

    def _settle_intents(self, report: Published) -> None:
        """Decide pushes that a dead leader left undecided."""
        for intent in self._outbox.intents():
            if self._landed(intent):
                self._settled(intent, report)
            else:
                self._outbox.give_up(intent)

    def _landed_late(self, report: Published) -> bool:
        """Whether our ref stands where a push would have put it that we had given up: then it is done."""
        tip = self._tip_of(self._repository.host)
        for intent in self._outbox.intents("given up"):
            if (intent.host, intent.tip) == (self._repository.host, tip):
                self._settled(intent, report)
                return True
        return False

    def _sort_out(self, stale: Sequence[Entry], report: Published) -> bool:
        """Results whose claim is no longer ours: published already if their nonce is found, else fenced."""
        if not stale:
            return False
        published = self._settle_published(stale, report)
        self._outbox.settle([entry.nonce for entry in stale if entry.nonce not in published], "fencing")
        return True

    def _settle_published(self, entries: Sequence[Entry], report: Published) -> list[str]:
        """Those entries are done whose own nonce is on some result ref or on the branch; their nonces."""
        pull(self._repository)
        nonces = {r.task: r.nonce for r in read_results(self._repository, [e.task for e in entries])}
        published = [entry.nonce for entry in entries if nonces.get(entry.task) == entry.nonce]
        self._outbox.settle(published, "done")
        report.done += published
        return published

    def _leave_identity(self, entries: Sequence[Entry], report: Published) -> None:
        """Our result ref has a tip that this clone did not make: a copy of it publishes under our id.

        We take a new id, after looking whether anything that waits here was published by the copy.
        """
        self._settle_published(entries, report)
        self._repository.take_new_identity()

    def _keep_fenced(self, report: Published) -> None:
        """Keep superseded results on refs of their own, where people can find them."""
        entries = self._outbox.waiting("fencing")
        if not entries:
            return
        repository = self._repository
        drafts = [Draft(f"fenced: {entry.message}", entry.files) for entry in entries]
        tips = singles(repository.git, repository.identity.author, drafts)
        space = f"{repository.refs.namespace}/fenced"
        updates = [
            Update(f"{space}/{entry.task}/{entry.nonce}", tip, ABSENT)
            for entry, tip in zip(entries, tips, strict=True)
        ]
        outcomes = repository.refs.transaction(updates, atomic=False)
        kept = [
            e.nonce for e, o in zip(entries, outcomes, strict=True) if o in (Outcome.APPLIED, Outcome.STALE)
        ]
        self._outbox.settle(kept, "fenced")
        report.fenced += kept
        if len(kept) < len(entries):
            raise EnvironmentProblem(
                f"{len(entries) - len(kept)} superseded results could not be kept: {repository.refs.refusal}",
                "they are in the outbox; run `cortex-git sync`",
            )


def newest_of_each_task(entries: Sequence[Entry]) -> list[Entry]:
    """One entry for each task, because git refuses a push that names a claim twice; the rest wait a turn.

    A task has two when a worker saved its result after its pool had died, and the task was taken over
    and run again meanwhile. The later one has the claim that stands; the earlier is fenced after it.
    """
    return list({entry.task if entry.claim else entry.nonce: entry for entry in entries}.values())


def result_entry(
    result: Result, claim: str, path: str, extra: dict[str, bytes] | None = None
) -> tuple[Entry, Result]:
    """The outbox entry that publishes a result and ends its claim (the ref's object id), and that result.

    A runner may answer with what JSON can say and a document cannot, such as a thousand nested lists:
    then the result is a failure that says so.
    """
    try:
        body = result.to_bytes()
    except (ValueError, RecursionError) as error:
        reason = f"its answer cannot be stored: {error}"[:500]
        result = result.model_copy(update={"status": "failed", "output": {}, "error": reason})
        body = result.to_bytes()
    message = f"feat({result.master}): {result.worker} {result.status} {result.task}"
    return Entry(result.nonce, result.task, claim, message, {path: body, **(extra or {})}), result
