"""`spawn-worker` and `spawn-workers`: which tasks, which runners, how many workers.

Owns the choices; `services.batches` runs them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cortex_git.config import Bounds, load_host_settings
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.models import WORKER_TYPES, Result, Task
from cortex_git.results.scan_summary import merge_scan
from cortex_git.runners import HARMLESS, ready, runner_name, split_name
from cortex_git.services.batches import Conduct, Ended, open_pool, run_tasks, worker_name
from cortex_git.services.scan_request import ScanRequest, choose_database, options_for
from cortex_git.services.submitting import make_task, parse_context
from cortex_git.state import monotonic
from cortex_git.store import index, newer
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.lineage import waits_for
from cortex_git.store.tasks import listed, unfinished
from cortex_git.workers.activation import Policy, Target, checked_policy, target
from cortex_git.workers.attempts import Watcher
from cortex_git.workers.balancing import StrategyName
from cortex_git.workers.lanes import LanePlan
from cortex_git.workers.merges import Merger

RECENT_S = 30.0
"""A look this young will do to choose a task by: what decides is the claim, and the look after it."""
_NAMED = 5
"""Tasks that an error names."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line changes for its attempts only; the task documents stay as they are."""

    runner: str | None = None
    budget: int | None = None
    deadline: float | None = None

    def __post_init__(self) -> None:
        """Raises BadInput: they reach the attempt unlike a task's own, which its document has checked."""
        if not isinstance(self.runner, str | None):
            raise BadInput("a runner is named by text", "see docs/pool.md")
        if self.budget is not None and (not isinstance(self.budget, int) or self.budget < 0):
            raise BadInput(f"a budget of {self.budget!r} tokens", "give a whole number from 0")
        if self.deadline is not None and not (
            isinstance(self.deadline, int | float) and 0 < self.deadline < float("inf")
        ):
            raise BadInput(f"a deadline of {self.deadline!r} minutes", "give a number above 0")

    def apply(self, task: Task) -> Task:
        changes = {"runner": self.runner, "budget": self.budget, "deadline": self.deadline}
        return task.model_copy(update={key: value for key, value in changes.items() if value is not None})


def spawn_one(
    coordination: Coordination,
    task: str | None,
    worker_type: str,
    overrides: Overrides,
    watcher: Watcher,
    *,
    new: Task | None = None,
) -> tuple[Claim, Result | None, Ended]:
    """Run one task in one worker: the given one (added first when `new` describes it), else the next open.

    The worker starts while the claim is made. The result is None where the attempt failed and was
    released to be tried again.
    """
    name = worker_name(worker_type)(1)
    runners = checked_runners(coordination, new, task, worker_type, overrides)
    with open_pool(coordination, runners, len(runners), worker_type, cold=True) as pool:
        if new is not None:
            claim = coordination.claim_new(new, name)
        elif task is not None:
            claim = coordination.claim_seen(task, name)
        else:
            claims = _next_claimed(coordination, worker_type, name)
            if not claims:
                raise EnvironmentProblem(
                    f"no open task for a {worker_type}",
                    "add one with `cortex-git task add`, or see `task list`",
                )
            claim = claims[0]
        claim = replace(claim, task=overrides.apply(claim.task))
        scope = Scope(batch=claim.task.batch)
        options = for_scans(coordination, runners).options
        ended = run_tasks(
            coordination, pool, scope, watcher, options=options, given=[claim], owner="spawn-worker"
        )
    return claim, ended.report.results.get(claim.task.task), ended


def look(coordination: Coordination) -> None:
    """See what others did, unless this clone saw it moments ago: behind a slow remote each look is a wait."""
    coordination.pull(not_before=monotonic() - RECENT_S)


def _next_claimed(coordination: Coordination, worker_type: str, name: str) -> list[Claim]:
    scope = Scope(type=worker_type, merges=False)
    claims = coordination.claim(scope, 1, lambda _: name, coordination.view())
    return claims or coordination.claim(scope, 1, lambda _: name)


def checked_runners(
    coordination: Coordination, new: Task | None, task: str | None, worker_type: str, overrides: Overrides
) -> list[str]:
    """The runner to start a worker with, in a list; none for a merge task, which needs no worker.

    Raises BadInput or EnvironmentProblem where the task cannot be run here now, before anything changed.
    """
    if new is None and task is not None:
        _check_waits(coordination, task)
        if index.task_of(coordination.repository, task).is_aggregate:
            return []
    runner = _runner_for(coordination, new, task, worker_type, overrides)
    ready(runner)
    return [runner]


def _check_waits(coordination: Coordination, task: str) -> None:
    """Raises BadInput where the task comes after others that have not ended."""
    if not waits_for(coordination.repository, task):
        return
    coordination.pull()
    if waiting := waits_for(coordination.repository, task):
        more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
        raise BadInput(
            f"task {task!r} waits for {', '.join(waiting[:_NAMED])}{more}",
            "run those first; a merge task is then carried out by itself",
        )


def _runner_for(
    coordination: Coordination, new: Task | None, task: str | None, worker_type: str, overrides: Overrides
) -> str:
    """The runner to start a worker with. Raises BadInput where there is none."""
    if worker_type not in WORKER_TYPES:
        raise BadInput(f"no worker type {worker_type!r}", f"use one of {', '.join(WORKER_TYPES)}")
    if overrides.runner:
        return overrides.runner
    if new is None and task is None:
        return runner_name("", worker_type, host=load_host_settings())
    found = new or index.task_of(coordination.repository, task or "")
    if found.is_merge:
        raise BadInput(f"{found.task!r} is the last task of its batch", "it is run when the others are done")
    name = runner_name(found.runner, found.type, found.priority, load_host_settings())
    if name == "scan" and new is not None and new.repo is None:
        raise BadInput(f"no task {new.task!r}, and a new one has nothing to scan", "give --repo or --runner")
    return name


def spawn_many(
    coordination: Coordination,
    scope: Scope,
    count: int,
    watcher: Watcher,
    *,
    runner: str | None = None,
    cold: bool = False,
    policy: Policy = "fixed",
    strategy: StrategyName = "least-loaded",
    most: int | None = None,
    conduct: Conduct | None = None,
) -> Ended:
    """Run every open task in scope on `count` workers, then on as many as `policy` answers as it goes on.

    Those are at most `most`, by default the pool's own maximum. Raises BadInput where a task has no runner
    here, EnvironmentProblem where one cannot work here.
    """
    tasks = listed(coordination.repository, replace(scope, merges=False))
    runners = runners_for(tasks, runner)
    if not tasks:
        nothing = BadInput("no task is in scope", "see `cortex-git task list`")
        raise newer.problem(coordination.repository, scope) or nothing
    for name in runners_for(unfinished(coordination.repository, tasks), runner):
        ready(name)
    kind = scope.type or tasks[0].type
    coordination.flush()  # what an earlier command left is not to be run again
    at_once = _at_once(coordination, len(tasks), runners)
    with open_pool(coordination, runners, min(count, at_once), kind, cold=cold) as pool:
        scans = for_scans(coordination, runners)
        return run_tasks(
            coordination,
            pool,
            scope,
            watcher,
            options=scans.options,
            runner=runner,
            merger=scans.merger,
            plans=_as_it_goes(
                policy,
                scope,
                worker_name(kind),
                min(most or coordination.repository.settings.pool.max, at_once),
            ),
            strategy=strategy,
            conduct=conduct,
        )


def _at_once(coordination: Coordination, tasks: int, runners: Iterable[str]) -> int:
    """How many workers so many tasks can keep busy, with those that their results may ask for."""
    if all(split_name(name)[0] in HARMLESS for name in runners):
        return tasks
    return tasks * max(1, coordination.repository.settings.routing.most_follow_ups)


def runners_for(tasks: Iterable[Task], runner: str | None) -> list[str]:
    """The runners that carry out the tasks, or `runner` in the place of them all; merge tasks need none."""
    host = load_host_settings()
    return sorted(
        {
            runner_name(runner or task.runner, task.type, task.priority, host)
            for task in tasks
            if not task.is_aggregate
        }
    )


def _as_it_goes(policy: Policy, scope: Scope, name: Callable[[int], str], most: int) -> Sequence[LanePlan]:
    """How a batch's pool grows and shrinks; a fixed one does neither."""
    if policy == "fixed":
        return ()
    bounds = Bounds(min=1, max=most)
    return (LanePlan(scope, name=name, policy=policy, bounds=bounds),)


@dataclass(frozen=True, slots=True)
class ForScans:
    """What a scan's tasks need beyond the task: this host's options, and who carries out last tasks."""

    options: Mapping[str, Any]
    merger: Merger | None


def for_scans(coordination: Coordination, runners: Sequence[str]) -> ForScans:
    """Nothing where no task in scope is a scan: only scan batches have last tasks."""
    if "scan" not in runners:
        return ForScans({}, None)
    database = choose_database(sample=False)
    return ForScans(
        options_for(database, ScanRequest()), lambda claim: merge_scan(coordination, claim, database.line)
    )


def sized(queue: int, policy: str, count: int | None, most: int) -> Target:
    """How many workers to start for `queue` open tasks: the number given, else the policy's answer."""
    if count is not None:
        return target(queue, policy="fixed", fixed=count, most=max(count, 1))
    chosen = checked_policy(policy)
    if chosen == "fixed":
        raise BadInput("policy fixed needs a number of workers", "give --count")
    return target(queue, policy=chosen, least=1, most=most)


def check_scope(coordination: Coordination, scope: Scope) -> None:
    """Raises BadInput where a scope that was narrowed by hand holds no task at all, open or finished."""
    if scope.type is not None and scope.type not in WORKER_TYPES:
        raise BadInput(f"no worker type {scope.type!r}", f"use one of {', '.join(WORKER_TYPES)}")
    if (scope.batch is not None or scope.glob != "*") and not listed(coordination.repository, scope):
        nothing = BadInput("no task has that batch, id and type", "see `cortex-git task list`")
        raise newer.problem(coordination.repository, scope) or nothing


def described_task(request: dict[str, Any]) -> Task:
    """The new task that a `spawn-worker` command line describes. Raises BadInput."""
    keys = ("master", "repo", "budget", "deadline", "priority", "scope", "runner")
    values = {key: request.get(key) for key in keys}
    values["runner"] = (
        split_name(values["runner"])[0] if values["runner"] else None
    )  # the rest is this host's
    kind, task, context = request.get("type"), request.get("task_id"), request.get("context")
    if not isinstance(context, str | None):
        raise BadInput("a context is text", "see docs/pool.md")
    return make_task(
        {**values, "id": task, "title": f"{kind} {task}", "type": kind, "context": parse_context(context)},
        "tasks",
    )


def known_task(coordination: Coordination, task: str) -> bool:
    """Whether this clone knows a task of that id."""
    return index.known_task(coordination.repository, task) is not None
