"""The coordination of one clone behind one object: what a command or a pool asks of the store.

Owns nothing itself; it keeps the parts together that must share a repository, its locks and its outbox.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.models import Batch, Result, Task
from cortex_git.state import PASSING, monotonic
from cortex_git.store import folding, index, layout, newer, results, tasks, tombstones
from cortex_git.store.cancelling import Canceller, Ends
from cortex_git.store.claim_records import Claim
from cortex_git.store.claims import MOST_AT_ONCE, ClaimLost, Claims
from cortex_git.store.index import Scope, View
from cortex_git.store.locks import Locks
from cortex_git.store.maintenance import maintain
from cortex_git.store.open_tasks import count_ready, open_tasks
from cortex_git.store.outbox import Entry, Outbox
from cortex_git.store.publishing import Published, Publisher, result_entry
from cortex_git.store.pulling import pull
from cortex_git.store.repository import Repository, open_repository


class Coordination:
    """Pull, claim, publish and fold in one clone. Methods may be called from several threads."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._seen: View | None = None
        self.locks = Locks(repository.locks_folder, repository.private)
        self.outbox = Outbox(repository)
        self.claims = Claims(repository, self.locks)
        self._publisher = Publisher(repository, self.outbox)
        self._canceller = Canceller(repository, self.claims, self.outbox, self._publisher)

    @classmethod
    def open(cls, folder: Path) -> "Coordination":
        return cls(open_repository(folder))

    def pull(self, *, not_before: float | None = None) -> View:
        self._seen = pull(self.repository, not_before=not_before)
        return self._seen

    def claim(
        self,
        scope: Scope,
        count: int,
        worker: Callable[[Task], str],
        view: View | None = None,
        busy: Sequence[str] | None = None,
    ) -> list[Claim]:
        """Up to `count` claims on open tasks in scope. Fewer means that no more could be had just now.

        `busy` are the claims that cannot be had as of `view`, where the caller has asked for them already.

        A cancel that was left half-way, in scope or not, is entered into the outbox along the way.
        """
        view = view or self.pull()
        self._canceller.finish_left(view)
        if busy is None:
            busy = self.claims.unavailable(view)
        self.claims.drop_left(view)
        candidates = open_tasks(self.repository, scope, min(count, MOST_AT_ONCE), skip=busy)
        return self.claims.claim(candidates, view, worker)

    def claim_task(self, task: str, worker: str, view: View | None = None) -> Claim:
        """Claim one given task, waiting for its lock. An old `view` will do: the claim is checked after it.

        Raises BadInput where there is no such task or it is finished, ClaimLost where somebody else has it
        or it waits for its retry, EnvironmentProblem where it cannot be claimed here.
        """
        view = view or self.pull()
        if self._canceller.finish_left(view):
            self.flush()
        document = index.task_of(self.repository, task)
        if index.with_result(self.repository, [task]):
            raise BadInput(f"task {task!r} is finished already", "see `cortex-git results show`")
        if newer.barred(self.repository, [document]):
            raise EnvironmentProblem(
                f"task {task!r} rests on what a newer cortex-git wrote", "install that on this host"
            )
        if not self.locks.wait(task):
            raise EnvironmentProblem(
                f"task {task!r} is locked by another process of this host", f"see {self.locks.path(task)}"
            )
        claim = self.claims.claim_locked(document, view, worker)
        if claim is None:
            if index.with_result(self.repository, [task]):
                raise BadInput(f"task {task!r} is finished already", "see `cortex-git results show`")
            raise ClaimLost(
                f"task {task!r} is claimed by another host or waits for a retry", "see `cortex-git task show`"
            )
        return claim

    def claim_seen(self, task: str, worker: str, view: View | None = None) -> Claim:
        """Like `claim_task` by `view` or what was seen last; by a new look where that was too old for it.

        What a look cannot change is raised at once: a lock in use, a remote that refuses or is away.
        """
        began = monotonic()
        view = view or self.view()
        try:
            return self.claim_task(task, worker, view)
        except ClaimLost:
            if view.fetched_at >= began:
                raise
        return self.claim_task(task, worker)

    def cancel(self, tasks: Sequence[str]) -> Ends:
        """End tasks as `cancelled`, whoever works on them; by task its result, or why there is none."""
        return self._canceller.cancel(tasks)

    def claim_new(self, task: Task, worker: str, view: View | None = None) -> Claim:
        """Add a task and claim it before any other process of this clone can. An old `view` will do.

        Raises BadInput where another task has its id, EnvironmentProblem where another host was faster.
        """
        if not self.locks.wait(task.task):
            raise EnvironmentProblem(
                f"task {task.task!r} is locked by another process of this host",
                f"see {self.locks.path(task.task)}",
            )
        view = view or self.view()
        # Two refs, two pushes, and neither has to wait for the other.
        with ThreadPoolExecutor(1) as threads:
            claiming = threads.submit(self.claims.claim_locked, task, view, worker)
            try:
                self.add_tasks([task])
            except BaseException:
                if (claim := claiming.result()) is not None:
                    self.claims.release([claim])
                raise
            claim = claiming.result()
        if claim is None:
            raise EnvironmentProblem(
                f"task {task.task!r} is claimed by another host", "see `cortex-git task show`"
            )
        return claim

    def is_finished(self, task: str) -> bool:
        """Whether the task has a published result, as far as this clone has pulled."""
        return bool(index.with_result(self.repository, [task]))

    def open_count(self, scope: Scope) -> int:
        """Tasks in scope without a result, as of the last pull."""
        return index.count_open(self.repository, scope)

    def ready_count(self, scope: Scope) -> int:
        """Those of them that wait for no other task."""
        return count_ready(self.repository, scope)

    def view(self) -> View:
        """What the last pull saw: good enough to claim by, because the claim is checked after it."""
        return self._seen or self.pull()

    def known_count(self, scope: Scope) -> int:
        """Tasks in scope, finished ones included, as of the last pull."""
        return index.count_known(self.repository, scope)

    def claimed_elsewhere(self, view: View, busy: Sequence[str], scope: Scope) -> int:
        """Those of the `busy` claims of `view` on open tasks in scope that another host has."""
        own = {self.repository.host, *self.repository.former_hosts}
        others = [task for task in busy if not self._held_by(view.claims[task], own)]
        return index.count_open_of(self.repository, scope, others)

    def _held_by(self, oid: str, hosts: set[str]) -> bool:
        record = self.claims.record(oid)
        return record is not None and record.host in hosts

    def record(self, outcomes: Sequence[tuple[Claim, Result, dict[str, bytes]]]) -> list[Result]:
        """Enter results into the outbox; they are safe on this disk when this returns, as they are then."""
        entries = [
            result_entry(result, claim.oid, self.result_path(claim.task), extra)
            for claim, result, extra in outcomes
        ]
        self.outbox.add(entry for entry, _ in entries)
        return [result for _, result in entries]

    def result_path(self, task: Task) -> str:
        """Where the task's result belongs: beside the task, as its batch was laid out."""
        return layout.result_beside(index.path_of(self.repository, task.task))

    def flush(self) -> Published:
        """Publish whatever waits. Raises when the remote does not take it; then it waits on."""
        return self._publisher.flush()

    def add_batch(self, batch: Batch, members: Sequence[Task], *, not_before: float | None = None) -> None:
        """Publish a new sealed batch with its tasks. A pull from after `not_before` does."""
        self.pull(not_before=not_before)
        self.refuse_taken(batch.batch)
        self._add(tasks.batch_documents(batch, members))

    def refuse_taken(self, name: str) -> None:
        """Raises BadInput where there is a batch of that name, as far as this clone has pulled."""
        state = self.repository.state
        newer.refuse(state, "batches", name)
        if index.find_batch(state, name) is not None:
            raise BadInput(f"batch {name!r} exists already", "choose another name, or --resume it")
        if tombstones.is_archived(state, name):
            raise BadInput(f"batch {name!r} exists already, archived", "choose another name")

    def add_tasks(self, members: Sequence[Task]) -> int:
        """Publish tasks of one open batch; how many files that added. The same ones again add none."""
        self.pull()
        entry = tasks.added_documents(self.repository, members)
        if entry is None:
            return 0
        self._add(entry)
        return len(entry.files)

    def _add(self, entry: Entry) -> None:
        self.outbox.add([entry])
        self.flush()

    def results(self, scope: Scope) -> list[Result]:
        return results.results_in(self.repository, scope)

    def each_result(self, scope: Scope) -> Iterator[Result]:
        return results.each_result(self.repository, scope)

    def tidy(self) -> list[str]:
        """End cancels that were left half-way, and delete what dead owners hold of finished tasks.

        The tasks whose cancel is in the outbox now; the next `flush` publishes them.
        """
        view = self.pull()
        ended = self._canceller.finish_left(view)
        self.claims.drop_left(view)
        return ended

    def fold(self) -> str | None:
        commit = folding.fold(self.repository)
        self._maintain()
        return commit

    def follow(self) -> str | None:
        self._maintain()
        return folding.follow(self.repository)

    def _maintain(self) -> None:
        """What keeps the clone quick, where it is due; a full disk is no reason to stop anything for it."""
        if self._seen is not None:
            with suppress(*PASSING):
                maintain(self.repository, self._seen)
