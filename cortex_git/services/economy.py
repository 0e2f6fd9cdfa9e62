"""`spawn-workers --economy`: which tasks can wait for a provider's batch, and what runs beside them.

Owns that choice, and that one command at a time in a clone hands in and fetches.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from signal import Signals

from cortex_git.config import HostSettings, load_host_settings
from cortex_git.errors import CortexError, EnvironmentProblem
from cortex_git.flocks import try_lock
from cortex_git.llm.clients import batches
from cortex_git.models import Task
from cortex_git.pages.text import counted
from cortex_git.runners import ready, runner_name
from cortex_git.runners.agent.single import is_single
from cortex_git.services.batches import Ended, finish
from cortex_git.services.interrupts import interrupts
from cortex_git.services.joining import Work
from cortex_git.services.merging import finish_ready
from cortex_git.services.spawning import spawn_many
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import listed, unfinished
from cortex_git.workers.attempts import BatchReport, Watcher
from cortex_git.workers.economy import Economy

AGAIN = "run `cortex-git spawn-workers --economy` again to fetch them"


@dataclass(frozen=True, slots=True)
class Ways:
    """Open tasks in scope by the way they go."""

    waiting: tuple[str, ...]
    """Those that a provider's batch can carry out."""
    now: tuple[str, ...]
    """Those that need a worker."""
    scope: Scope

    @property
    def of_batches(self) -> Scope:
        return replace(self.scope, merges=False, apart=(*self.scope.apart, *self.now))

    @property
    def of_workers(self) -> Scope:
        return replace(self.scope, apart=(*self.scope.apart, *self.waiting))

    def __str__(self) -> str:
        waiting = counted(len(self.waiting), "task")
        return f"{waiting} can wait for the provider's batches, {len(self.now)} run on workers"


def ways(coordination: Coordination, scope: Scope, runner: str | None) -> Ways:
    """Which way each open task in scope goes, as of the last pull."""
    repository = coordination.repository
    host = load_host_settings()
    left = unfinished(repository, listed(repository, replace(scope, merges=False)))
    waits = [task.task for task in left if _can_wait(task, runner, host)]
    return Ways(tuple(waits), tuple(t.task for t in left if t.task not in set(waits)), scope)


def _can_wait(task: Task, runner: str | None, host: HostSettings) -> bool:
    if task.is_aggregate:
        return False
    try:
        name = runner_name(runner or task.runner, task.type, task.priority, host)
    except CortexError:
        return False
    return name == "claude" and not task.sensitive and is_single(task.model_dump(mode="json", by_alias=True))


def handed_in(coordination: Coordination) -> tuple[str, ...]:
    """Tasks of this clone that a provider's batch is still to answer."""
    return tuple(coordination.claims.handed_in())


def run_economy(coordination: Coordination, work: Work, watcher: Watcher) -> Ended:
    """Carry out what can wait through the provider's batches, then the rest on workers.

    Raises EnvironmentProblem where another command of this clone does that now, NoKey without a key.
    """
    chosen = ways(coordination, work.scope, work.runner)
    watcher.note(str(chosen))
    report, notes = BatchReport(), []
    if chosen.waiting or handed_in(coordination):
        ready("claude")
        with _alone(coordination):
            host = load_host_settings()
            economy = Economy(coordination, chosen.of_batches, batches(host), host, watcher)
            with _stopping(economy, watcher):
                report = economy.run()
        if economy.waiting:
            notes.append(f"the provider works on {economy.waiting} calls: {AGAIN}")
        if not report.interrupted:
            finish_ready(coordination, list(report.results))
    report.waiting = coordination.outbox.count()
    if report.interrupted or not _open(coordination, chosen.of_workers):
        return Ended(report, (*notes, *finish(coordination)))
    ended = spawn_many(
        coordination, chosen.of_workers, work.count, watcher, runner=work.runner, cold=work.cold,
        policy=work.policy, strategy=work.strategy,
    )  # fmt: skip
    return Ended(_both(report, ended.report), (*notes, *ended.notes))


def _open(coordination: Coordination, scope: Scope) -> int:
    return coordination.open_count(replace(scope, merges=False))


def _both(first: BatchReport, then: BatchReport) -> BatchReport:
    """What the two parts of the command did, in the report of the second."""
    then.results = first.results | then.results
    then.completed += first.completed
    then.failed += first.failed
    then.tokens_used += first.tokens_used
    then.wall_s += first.wall_s
    then.published += first.published
    then.fenced += first.fenced
    then.pushes += first.pushes
    then.metered = then.metered or first.metered
    then.limit = then.limit or first.limit
    return then


@contextmanager
def _alone(coordination: Coordination) -> Iterator[None]:
    path = coordination.repository.private / "economy.lock"
    with path.open("a") as handle:
        if not try_lock(handle):
            raise EnvironmentProblem(
                "another `spawn-workers --economy` of this clone is at work", "wait for it, or interrupt it"
            )
        yield


@contextmanager
def _stopping(economy: Economy, watcher: Watcher) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM end the command, not the provider's work."""

    def stop(number: int) -> None:
        economy.stop()
        watcher.note(f"{Signals(number).name}: leaving; what was handed in goes on at the provider")

    with interrupts(stop):
        yield
