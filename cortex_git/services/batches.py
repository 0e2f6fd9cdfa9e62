"""Running tasks on a pool: what `spawn-worker` and `spawn-workers` do, and `multi-repo-scan` rests on.

Owns the life of the pool around a batch run, and the fold at its end.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from signal import Signals
from typing import Any

from cortex_git.errors import CortexError
from cortex_git.services.interrupts import interrupts
from cortex_git.services.upgrading import newer_notes
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.attempts import BatchReport, Watcher
from cortex_git.workers.balancing import StrategyName
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.lanes import LanePlan
from cortex_git.workers.merges import Merger
from cortex_git.workers.pool import Pool, running
from cortex_git.workers.spawning import ColdSpawner, Spawner, WarmSpawner

Conduct = Callable[[BatchRun, Watcher], AbstractContextManager[None]]
"""Who may drain a run and end it: signals, or whoever sent it here."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished run, and what to tell the person about the branch and their checkout."""

    report: BatchReport
    notes: tuple[str, ...]


def worker_name(worker_type: str) -> Callable[[int], str]:
    """Names for a pool's workers: `worker-<type>-<nnn>`, the type without its own `-worker`."""
    kind = worker_type.removesuffix("-worker")
    return lambda number: f"worker-{kind}-{number:03d}"


def open_pool(
    coordination: Coordination, runners: Sequence[str], size: int, worker_type: str, *, cold: bool = False
) -> AbstractContextManager[Pool]:
    """A pool of `size` workers, started; its processes are gone when the block is left, however."""
    spawner: Spawner = ColdSpawner(runners) if cold else WarmSpawner(runners)
    grace_s = coordination.repository.settings.pool.grace_s
    return running(Pool(spawner, size, worker_name(worker_type), grace_s))


def run_tasks(
    coordination: Coordination,
    pool: Pool,
    scope: Scope,
    watcher: Watcher,
    *,
    options: Mapping[str, Any] | None = None,
    merger: Merger | None = None,
    given: Sequence[Claim] | None = None,
    runner: str | None = None,
    plans: Sequence[LanePlan] = (),
    strategy: StrategyName = "least-loaded",
    owner: str = "spawn-workers",
    conduct: Conduct | None = None,
    outputs: bool = True,
) -> Ended:
    """Run the open tasks in scope (or the given claims) to their end, fold, and follow with the checkout.

    `runner` takes the place of each task's own, `plans` say how many workers there are as the work goes on
    (by default as many as `pool` has), `owner` is the command, for those who watch.
    The report keeps the results without their `outputs` where these are not wanted of it.
    The first SIGINT or SIGTERM drains, the second ends the workers, unless `conduct` does that otherwise.
    """
    run = BatchRun(
        coordination,
        pool,
        scope,
        watcher=watcher,
        options=options,
        merger=merger,
        given=given,
        runner=runner,
        plans=plans,
        strategy=strategy,
        owner=owner,
        outputs=outputs,
    )
    with (conduct or draining)(run, watcher):
        report = run.run()
    return Ended(report, () if report.killed else tuple(finish(coordination)))


def settle(coordination: Coordination) -> Ended:
    """Nothing to run: publish what an earlier command left, fold, and follow with the checkout."""
    report = BatchReport()
    try:
        published = coordination.flush()
        report.published, report.fenced = len(published.done), len(published.fenced)
    except CortexError as error:
        report.problem = error
    report.waiting = coordination.outbox.count()
    return Ended(report, tuple(finish(coordination)))


def finish(coordination: Coordination) -> Iterator[str]:
    """Fold and fast-forward the checkout; yields what a person should know about it, and newer versions."""
    try:
        yield from newer_notes(coordination, coordination.view())
        if coordination.fold() is not None:
            coordination.pull()
        note = coordination.follow()
    except CortexError as error:
        yield f"results are published, not yet folded: {error}"
        return
    if note is not None:
        yield note


@contextmanager
def draining(run: BatchRun, watcher: Watcher, *, regular: Collection[int] = ()) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM drain the run, and kill it the second time.

    Those that are `regular` end it as it is meant to end, not cut short by a person.
    """

    def drain(number: int) -> None:
        run.interrupt(person=number not in regular)
        name = Signals(number).name
        watcher.note(f"{name}: finishing what runs and publishing it; once more ends it at once")

    with interrupts(drain):
        yield
