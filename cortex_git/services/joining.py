"""Joining: what a host elsewhere does for a command, with a clone of its own, publishing by itself.

Owns the clone and its claims for as long as it takes. Knows nothing of the engine that brought it there,
and runs in a thread of a process that goes on afterwards: whatever it holds it has to give back itself.
"""

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal, Protocol

from cortex_git.errors import CortexError, LimitReached
from cortex_git.flocks import try_lock
from cortex_git.models import Result
from cortex_git.pages.text import counted
from cortex_git.services.spawning import spawn_many
from cortex_git.state import PASSING, own_process
from cortex_git.store import index
from cortex_git.store.claim_records import Claim
from cortex_git.store.cloning import joining_clone
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.activation import Policy
from cortex_git.workers.attempts import Watcher
from cortex_git.workers.balancing import StrategyName
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.events import Event

Order = Literal["work", "drain", "end"]
"""What a join is to do: go on, start nothing more, or end at once what runs."""
ORDERS: tuple[Order, ...] = ("work", "drain", "end")
_LISTEN_S = 1.0


@dataclass(frozen=True, slots=True)
class Work:
    """Which tasks are to be run, by how many workers, and what the command line changed about that."""

    scope: Scope
    count: int
    runner: str | None = None
    cold: bool = False
    policy: Policy = "fixed"
    strategy: StrategyName = "least-loaded"


@dataclass(frozen=True, slots=True)
class Placement:
    """What a host is told that is to join: plain values, because it travels."""

    address: str
    """The coordination remote."""
    branch: str
    work: Work
    """Its `count` is this host's share."""


@dataclass(frozen=True, slots=True)
class JoinReport:
    """What one join did."""

    place: str
    """Where it was, in the engine's words."""
    host: str = ""
    fenced: int = 0
    waiting: int = 0
    """Results that the remote has not acknowledged; they are in the clone of that place."""
    pushes: int = 0
    problem: str = ""
    """Why it ended before every task had a result; empty where it did not, or was told to."""
    limit: str = ""
    """What there were no tokens for, where that is why."""


class Sender(Protocol):
    """Whoever sent a join, as the join sees them."""

    def order(self) -> Order:
        """What to do now. Never raises; may take some seconds."""
        ...

    def tell(self, text: str) -> None:
        """Pass on what a person should know."""
        ...


def join(placement: Placement, folder: Path, place: str, sender: Sender) -> JoinReport:
    """Work on the placement's tasks until each has a result or the sender says otherwise.

    The clone is below `folder` and stays there for the next join. Does not raise what a person could mend.
    """
    if sender.order() != "work":
        return JoinReport(place)
    try:
        with _own_clone(folder, placement) as clone:
            return _work(Coordination.open(clone), placement.work, place, sender)
    except CortexError as error:
        return JoinReport(place, problem=str(error))


def _work(coordination: Coordination, work: Work, place: str, sender: Sender) -> JoinReport:
    host = coordination.repository.host
    give_back_left(coordination)
    if coordination.open_count(work.scope) == 0:
        return JoinReport(place, host)
    sender.tell(f"joined as {host}, workers: {work.count}")
    try:
        ended = spawn_many(
            coordination, work.scope, work.count, _Passing(sender.tell), runner=work.runner, cold=work.cold,
            policy=work.policy, strategy=work.strategy, most=work.count, conduct=partial(_obeying, sender),
        )  # fmt: skip
    except BaseException:
        with suppress(*PASSING):
            give_back_left(coordination)
        raise
    report = ended.report
    problem = "" if report.problem is None else report.problem.message
    if report.waiting:
        waiting = counted(report.waiting, "result waits", "results wait")
        problem = f"{waiting} in {coordination.repository.folder}: {problem}"
    return JoinReport(place, host, report.fenced, report.waiting, report.pushes, problem, _said(report.limit))


def _said(limit: LimitReached | None) -> str:
    return "" if limit is None else limit.message


@contextmanager
def _own_clone(folder: Path, placement: Placement) -> Iterator[Path]:
    """A clone that no other join uses for the length of the block: the first free one, else a new one."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(f"{placement.address}\n{placement.branch}".encode()).hexdigest()[:12]
    for number in count():
        clone = folder / f"cortex-git-{mark}-{number}"
        with clone.with_suffix(".lock").open("a") as lock:
            if not try_lock(lock):
                continue
            joining_clone(clone, placement.address, placement.branch)
            yield clone
            return


def give_back_left(coordination: Coordination) -> None:
    """Publish and give back what an earlier join of this very process left in this clone when it failed.

    Nobody else could tell that it ended, because its process lives.
    """
    coordination.flush()
    view = coordination.pull()
    repository, locks = coordination.repository, coordination.locks
    left: list[Claim] = []
    for task, oid in view.claims.items():
        record = coordination.claims.record(oid)
        if record is None or record.state != "running" or record.host != repository.host:
            continue
        if (record.pid, record.pid_started, record.boot_id) == own_process():
            left.append(Claim(index.task_of(repository, task), oid, record))
    begun = [claim for claim in left if locks.was_started(claim.task.task)]
    coordination.claims.release([claim for claim in left if claim not in begun])
    coordination.claims.release(begun, retry_after_s=0.0)  # as if the attempt had failed
    shutil.rmtree(repository.locks_folder, ignore_errors=True)


@contextmanager
def _obeying(sender: Sender, run: BatchRun, _watcher: Watcher) -> Iterator[None]:
    """Within the block the sender's orders drain the run, and end it."""
    over = threading.Event()

    def listen() -> None:
        told = 0
        while not over.wait(_LISTEN_S):
            wanted = ORDERS.index(sender.order())
            for _ in range(wanted - told):
                run.interrupt(person=False)
            told = max(told, wanted)

    thread = threading.Thread(target=listen, name="orders", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Passing:
    """A join's watcher: results are seen on the remote, and of the rest the sender is told what matters."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.note = tell

    def started(self, task: str, worker: str, repo: str | None) -> None: ...

    def finished(self, result: Result) -> None: ...

    def event(self, event: Event) -> None:
        if event.name == "worker_died":
            self.note(event.text)
