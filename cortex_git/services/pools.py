"""The long-lived pool: `pool start` until somebody says stop.

Owns its lock (one pool for each clone), its door, and what it is made of. What it is asked for is
`pool_requests`' business.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from signal import SIGTERM
from typing import Any

from cortex_git.config import Bounds, PoolSettings, load_host_settings
from cortex_git.errors import BadInput, CortexError, EnvironmentProblem
from cortex_git.flocks import try_lock
from cortex_git.locating import LOCK
from cortex_git.models import Task
from cortex_git.results.scan_summary import merge_scan
from cortex_git.runners import FOR_MEASUREMENTS, ready, runner_name
from cortex_git.runners import names as runner_names
from cortex_git.services.alerts import Alarm
from cortex_git.services.batches import Ended, draining, finish, worker_name
from cortex_git.services.metrics import serve_metrics
from cortex_git.services.pool_requests import Requests
from cortex_git.services.scan_request import ScanRequest, choose_database, options_for
from cortex_git.services.upgrading import newer_notes
from cortex_git.store import index
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.activation import Policy, checked_policy
from cortex_git.workers.attempts import Watcher
from cortex_git.workers.balancing import StrategyName, checked_strategy
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.door import Door
from cortex_git.workers.lanes import LanePlan
from cortex_git.workers.logs import FOLDER
from cortex_git.workers.pool import Pool, running
from cortex_git.workers.spawning import WarmSpawner

_DATABASE_S = 10.0
"""How long the choice of a database of advisories holds."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """What a pool is to be: the settings, with what the command line changes."""

    scope: Scope
    policy: Policy
    strategy: StrategyName
    bounds: Bounds
    lanes: tuple[LanePlan, ...]
    metrics: int | None = None
    """Port of the metrics on 127.0.0.1."""


def plan_pool(
    settings: PoolSettings,
    scope: Scope,
    *,
    policy: str | None = None,
    strategy: str | None = None,
    least: int | None = None,
    most: int | None = None,
    fixed: int | None = None,
    metrics: int | None = None,
) -> PoolPlan:
    """The pool that the settings and the command line describe together. Raises BadInput."""
    bounds = Bounds(min=settings.min, max=settings.max)
    if least is not None or most is not None:
        highest = settings.max if most is None else most
        lowest = min(settings.min, highest) if least is None else least
        bounds = checked_bounds(lowest, highest)
    chosen = "fixed" if fixed is not None else checked_policy(policy or settings.policy)
    if fixed is not None:
        bounds = Bounds(min=fixed, max=fixed)
    lanes = tuple(_lanes(settings, scope, chosen, bounds, fixed))
    return PoolPlan(
        scope, chosen, checked_strategy(strategy or settings.strategy), bounds, lanes, metrics=metrics
    )


def checked_bounds(least: int, most: int) -> Bounds:
    """Bounds that do not cross. Raises BadInput where they do."""
    if least > most:
        raise BadInput(f"a minimum of {least} workers is above the maximum of {most}", "swap them")
    return Bounds(min=least, max=most)


def _lanes(
    settings: PoolSettings, scope: Scope, policy: Policy, bounds: Bounds, fixed: int | None
) -> Iterator[LanePlan]:
    """A lane for each worker type with bounds of its own, and one for all the others."""
    if scope.type is not None:
        own = settings.types.get(scope.type, bounds) if fixed is None else bounds
        yield LanePlan(scope, scope.type, worker_name(scope.type), policy, own, fixed)
        return
    for kind, own in sorted(settings.types.items()):
        yield LanePlan(replace(scope, type=kind), kind, worker_name(kind), policy, own, own.max)
    rest = replace(scope, without=tuple(sorted(settings.types)))
    yield LanePlan(rest, "", worker_name("pool"), policy, bounds, fixed)


def keep_pool(
    coordination: Coordination, plan: PoolPlan, watcher: Watcher, ready: Callable[[], None]
) -> Ended:
    """Keep a pool until it is stopped; `ready` is called when it can be asked for something.

    Raises EnvironmentProblem where this clone has one already. Tasks whose runner cannot work here are left
    to other hosts.
    """
    private = coordination.repository.private
    with _only_one(coordination):
        coordination.flush()  # what an earlier command left is not to be run again
        for text in newer_notes(coordination, coordination.view()):
            watcher.note(text)
        spawner = WarmSpawner([name for name in runner_names() if _can_work(name)])
        grace_s = coordination.repository.settings.pool.grace_s
        with running(Pool(spawner, 0, worker_name("pool"), grace_s, private / FOLDER)) as pool:
            run = BatchRun(
                coordination,
                pool,
                plan.scope,
                watcher=watcher,
                options=_Options(coordination).of,
                merger=lambda claim: merge_scan(coordination, claim, choose_database(sample=False).line),
                plans=plan.lanes,
                strategy=plan.strategy,
                kept=True,
                owner="pool",
            )
            door = Door(private, Requests(coordination, run).handle)
            try:
                with _metrics(plan, run), _alarm(run, watcher), draining(run, watcher, regular=[SIGTERM]):
                    ready()
                    report = run.run()
            finally:
                run.orders.close()
                door.close()
        return Ended(report, () if report.killed else tuple(finish(coordination)))


def _can_work(name: str) -> bool:
    """Whether its imports are worth having in every worker: not without a key, or an optional package."""
    if name in FOR_MEASUREMENTS:
        return False
    try:
        ready(name)
    except (CortexError, ImportError):
        return False
    return True


def _metrics(plan: PoolPlan, run: BatchRun) -> AbstractContextManager[object]:
    if plan.metrics is None:
        return nullcontext()
    return serve_metrics(plan.metrics, lambda: run.snapshot)


def _alarm(run: BatchRun, watcher: Watcher) -> Alarm:
    return Alarm(lambda: run.snapshot, watcher.note)


@contextmanager
def _only_one(coordination: Coordination) -> Iterator[None]:
    """Be the only pool of this clone for the length of the block; the kernel frees it if we die."""
    path = coordination.repository.private / LOCK
    with path.open("a+") as lock:
        if not try_lock(lock):
            lock.seek(0)
            raise EnvironmentProblem(
                f"a pool runs already for {coordination.repository.folder} (process {lock.read().strip()})",
                "see `cortex-git pool status`, or end it with `cortex-git pool stop`",
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


class _Options:
    """What the workers of a pool are told for each task; the advisories may be updated meanwhile."""

    def __init__(self, coordination: Coordination) -> None:
        self._coordination = coordination
        self._host = load_host_settings()
        self._chosen: dict[bool, tuple[float, Mapping[str, Any]]] = {}

    def of(self, task: Task) -> Mapping[str, Any]:
        if runner_name(task.runner, task.type, task.priority, self._host) != "scan":
            return {}
        batch = index.find_batch(self._coordination.repository.state, task.batch)
        sample = bool(batch is not None and batch.options.get("sample"))
        found = self._chosen.get(sample)
        if found is None or time.monotonic() - found[0] > _DATABASE_S:
            found = time.monotonic(), options_for(choose_database(sample), ScanRequest())
            self._chosen[sample] = found
        return found[1]
