"""Watching the work of others: how far the tasks in scope are, seen on the remote, until all have results.

Owns when a command that sent joins elsewhere is over, and what its Ctrl-C means. Runs no task itself.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from cortex_git.errors import CortexError, EnvironmentProblem, LimitReached
from cortex_git.processes import hurry
from cortex_git.services.batches import Ended, finish
from cortex_git.services.interrupts import interrupts
from cortex_git.services.joining import ORDERS, JoinReport, Order
from cortex_git.services.merging import finish_ready
from cortex_git.state import PASSING
from cortex_git.store import index
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.results import read_results
from cortex_git.store.tasks import listed
from cortex_git.workers.attempts import BatchReport, Watcher

_LOOK_S = 1.0
"""Shortest pause between two looks at the remote."""
_LOOK_MOST_S = 15.0
_LOOK_SHARE = 5
"""How many times as long as a look the pause after it is."""
_LEAVE_S = 30.0
"""How long joins may take to leave when all is done, and again when they were told to end."""
_HURRY_S = 10.0
"""Seconds that git calls may take in all after the second signal."""


class Joins(Protocol):
    """The joins that a command sent, as it sees them."""

    def running(self) -> int:
        """How many have not ended yet, those included that have not begun."""
        ...

    def ended(self, timeout_s: float) -> list[JoinReport]:
        """Those that ended since the last call; waits for one, up to `timeout_s`."""
        ...

    def heard(self) -> list[str]:
        """What joins had to say since the last call."""
        ...

    def tell(self, order: Order) -> None:
        """Give the order to all of them; those that have not begun are called back. Does not wait."""
        ...

    def trouble(self) -> str:
        """Why the engine cannot carry on just now; empty while it can."""
        ...


def watch(coordination: Coordination, scope: Scope, joins: Joins, watcher: Watcher) -> Ended:
    """Follow the joins until every task in scope has a result, or none of them is left.

    The first SIGINT or SIGTERM drains, the second ends what runs. Why something is left undone is the
    report's problem.
    """
    watching = _Watch(coordination, scope, joins, watcher)
    with _counted_signals() as asked:
        report = watching.run(asked)
    away = report.killed or watching.unseen is not None
    if not (away or report.interrupted):
        with suppress(*PASSING):  # a join that was told to leave takes on no merge that is not in scope
            finish_ready(coordination, watching.finished())
    return Ended(report, () if away else tuple(finish(coordination)))


@contextmanager
def _counted_signals() -> Iterator[list[int]]:
    """Within the block SIGINT and SIGTERM are only noted down, in the list.

    Nothing is said here: a handler may come in the midst of a line that is being written.
    """
    asked: list[int] = []
    with interrupts(asked.append):
        yield asked


class _Patience:
    """Notices what goes on for too long."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: float | None = None

    def is_over(self, goes_on: bool) -> bool:
        """Whether it went on, at every call, for the whole limit."""
        now = time.monotonic()
        self._since = None if not goes_on else now if self._since is None else self._since
        return self._since is not None and now - self._since >= self._limit_s


class _Watch:
    """One command's look at the joins that it sent, and at the remote they publish to."""

    def __init__(self, coordination: Coordination, scope: Scope, joins: Joins, watcher: Watcher) -> None:
        self._coordination = coordination
        self._scope = scope
        self._joins = joins
        self._watcher = watcher
        names = [task.task for task in listed(coordination.repository, scope)]
        finished = index.with_result(coordination.repository, names)
        self._open = [name for name in names if name not in finished]
        self._began = self._last_seen = time.monotonic()
        self._look_at = 0.0
        self._order: Order = "work"
        self.unseen: CortexError | None = None
        """Why the last look at the remote failed."""
        self._trouble = ""
        self._reasons: list[str] = []
        self._limit = ""
        give_up_s = coordination.repository.settings.leases.give_up_s
        self._remote, self._engine = _Patience(give_up_s), _Patience(give_up_s)
        self._leaving, self._ending = _Patience(_LEAVE_S), _Patience(_LEAVE_S)
        self.report = BatchReport()

    def run(self, asked: list[int]) -> BatchReport:
        """`asked` grows with each signal of the person's."""
        try:
            while not self._over(asked):
                self._listen()
        finally:
            hurry(None)
        return self._concluded()

    def _over(self, asked: list[int]) -> bool:
        report = self.report
        if asked and not report.interrupted:
            report.interrupted = True
            name = signal.Signals(asked[0]).name
            self._watcher.note(f"{name}: what runs is finished and published; once more ends it at once")
            self._tell("drain")
        if len(asked) > 1 and not report.killed:
            report.killed = True
            hurry(_HURRY_S)
            self._tell("end")
        if self._joins.running() == 0:
            return self._seen_to_the_end()
        if self._is_done():
            self._tell("drain")  # they see it for themselves, but some may wait for a place still
        if self._leaving.is_over(self._is_done()):
            self._tell("end")
        if self._ending.is_over(self._order == "end"):
            self._watcher.note(f"{self._joins.running()} joins did not end when they were told to")
            return True
        return self._is_engine_lost()

    def _tell(self, order: Order) -> None:
        """Orders only grow in rigour."""
        if ORDERS.index(order) > ORDERS.index(self._order):
            self._order = order
            self._joins.tell(order)

    def _is_done(self) -> bool:
        return self._coordination.open_count(self._scope) == 0

    def _seen_to_the_end(self) -> bool:
        """With the last join gone: whether the remote showed what they did, or never will."""
        self._listen()
        self._look()
        return self.unseen is None or self.report.killed or self._remote.is_over(goes_on=True)

    def _is_engine_lost(self) -> bool:
        """Whether it has been in trouble for too long. Joins that live work on: they need it for orders."""
        trouble = self._joins.trouble()
        if trouble and not self._trouble:
            self._watcher.note(trouble)
        self._trouble = trouble
        if not self._engine.is_over(bool(trouble)):
            return False
        self._reasons.append(trouble)
        return True

    def _listen(self) -> None:
        pause = min(max(self._look_at - time.monotonic(), 0.0), _LOOK_S)
        if self._joins.running() == 0:
            time.sleep(pause)
        for ended in self._joins.ended(pause):
            self._count(ended)
        for text in self._joins.heard():
            self._watcher.note(text)
        if time.monotonic() >= self._look_at:
            self._look()

    def _count(self, ended: JoinReport) -> None:
        report = self.report
        report.fenced += ended.fenced
        report.waiting += ended.waiting
        report.pushes += ended.pushes
        self._limit = ended.limit or self._limit
        if ended.problem:
            self._reasons.append(f"{ended.place}: {ended.problem}")
            self._watcher.note(self._reasons[-1])

    def finished(self) -> list[str]:
        """Tasks in scope that have a result, those too that had it before."""
        repository = self._coordination.repository
        names = [task.task for task in listed(repository, self._scope)]
        return sorted(index.with_result(repository, names))

    def _look(self) -> None:
        """See what is published by now. A remote that does not answer is asked again in a while."""
        began = time.monotonic()
        try:
            self._coordination.pull()
        except CortexError as error:
            if self.unseen is None:
                self._watcher.note(f"{error}; trying again")
            self.unseen = error
        else:
            self.unseen = None
            self._show_new()
        now = time.monotonic()
        self._look_at = now + min(max(_LOOK_SHARE * (now - began), _LOOK_S), _LOOK_MOST_S)

    def _show_new(self) -> None:
        repository = self._coordination.repository
        found = index.with_result(repository, self._open)
        if not found:
            return
        self._last_seen = time.monotonic()
        self._open = [name for name in self._open if name not in found]
        for result in read_results(repository, sorted(found)):
            self.report.add(result)
            self._watcher.finished(result)

    def _concluded(self) -> BatchReport:
        report = self.report
        report.published = len(report.results)
        report.workers_used = len({(result.host, result.worker) for result in report.results.values()})
        report.wall_s = report.real_s = self._last_seen - self._began
        left = self._coordination.ready_count(self._scope)
        if left == 0:
            report.waiting = 0  # whatever waits somewhere was done by another, too
        elif self._limit and not (report.interrupted or self.unseen or self._reasons):
            report.limit = LimitReached(
                self._limit, "run `cortex-git budget set`, as in `--total N`, then the same command again"
            )
        elif not report.interrupted:
            reasons = [*([self.unseen.message] if self.unseen else []), *self._reasons]
            why = reasons[0] if reasons else "all joins have left"
            why += f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            many = f"{left} tasks have" if left > 1 else "1 task has"
            report.problem = EnvironmentProblem(
                f"{many} no result, and nobody is left to work: {why}",
                "nothing is lost; mend that and run the command again",
            )
        return report
