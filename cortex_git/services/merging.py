"""`results merge`: the results of a batch, or of a task and its parts, made one on request.

Also what commands that run nothing do for merge tasks that became ready.

Owns which results those are and the id of the merge task made for them. Everybody derives the same id from
the same results, so asking twice, or two people asking at once, makes one aggregate.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.models import MERGE_RUNNER, MOST_AFTER, MergeStrategy, Result, Task, derived_name
from cortex_git.pages.text import counted
from cortex_git.results.aggregation import Aggregate
from cortex_git.results.merging import SOURCES, aggregate_of, counting, merge_results, nothing_in
from cortex_git.services.batches import finish
from cortex_git.store import index, newer, tombstones
from cortex_git.store.claim_records import Claim
from cortex_git.store.claims import MOST_AT_ONCE
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import Heart, Signs
from cortex_git.store.index import Scope
from cortex_git.store.lineage import descendants, done_again_by
from cortex_git.store.results import read_results
from cortex_git.store.tasks import listed
from cortex_git.workers.merges import claim_joins

BATCH = "merges"
"""Where a merge task is added when the batch it is about takes no more."""
_WORKER = "results-merge"
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Merge:
    """What is to be merged, as of the last pull."""

    task: Task
    """The merge task, added or not."""
    aggregate: Aggregate
    left_out: int
    """Tasks that have no result yet, or whose retry has none."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge that is published."""

    result: Result
    fresh: bool
    """Whether it was made now."""
    notes: tuple[str, ...] = ()


def plan_merge(
    coordination: Coordination, name: str, strategy: MergeStrategy, *, partial: bool = False
) -> Merge:
    """What `name` (a task's id, else a batch's) comes to. Changes nothing.

    Raises BadInput where there is no such thing or nothing to merge, and where tasks are not finished
    unless `partial`.
    """
    coordination.flush()  # what waits here may be one of the results
    coordination.pull()
    repository = coordination.repository
    batch, names = _members(coordination, name)
    newer.refuse_any_in(repository, batch, names)
    finished = index.with_result(repository, names)
    left = len(names) - len(finished) + _open_again(coordination, sorted(finished))
    if not finished:
        raise BadInput(
            f"none of the {counted(left, 'task')} of {name!r} has a result yet", "see `cortex-git task list`"
        )
    if left and not partial:
        verb = "has" if left == 1 else "have"
        raise BadInput(
            f"{left:,} of the {counted(len(names), 'task')} of {name!r} {verb} no result yet",
            "wait for them, or merge what is there with --partial",
        )
    sources = _sources(coordination, sorted(finished))
    if not sources:
        raise BadInput(f"all results of {name!r} are cancelled", "there is nothing to merge")
    task = _merge_task(coordination, name, batch, strategy, sources)
    aggregate = aggregate_of(repository, task)
    if not aggregate.voices:
        raise BadInput(nothing_in(aggregate), "retry them with `cortex-git task retry`")
    return Merge(task, aggregate, left)


def _members(coordination: Coordination, name: str) -> tuple[str, list[str]]:
    """The batch that `name` is or is in, and the tasks whose results count, not those that do one again."""
    repository = coordination.repository
    task = index.known_task(repository, name)
    if task is not None:
        if task.is_merge:
            raise BadInput(f"{name!r} sums up a batch", f"merge that: `results merge {task.batch}`")
        if not task.is_aggregate and tombstones.path_of(repository.state, name) is not None:
            raise BadInput(f"task {name!r} is archived", f"merge its batch: `results merge {task.batch}`")
        names = list(task.after) if task.is_aggregate else [name, *descendants(repository, name)]
        known = [one for one in (index.known_task(repository, each) for each in names) if one]
        if task.is_aggregate:
            return task.batch, [one.task for one in known]
        members = _themselves(known)
        if members == [name] and not _done_again(coordination, name):
            raise BadInput(f"task {name!r} has no parts", f"see `cortex-git results show {name}`")
        return task.batch, members
    if index.find_batch(repository.state, name) is None and not tombstones.is_archived(
        repository.state, name
    ):
        raise BadInput(f"no task or batch {name!r}", "see `cortex-git task list`")
    members = _themselves(listed(repository, Scope(batch=name, merges=False)))
    if not members:
        raise BadInput(f"batch {name!r} has no task with results to merge", "see `cortex-git task list`")
    return name, members


def _themselves(tasks: Sequence[Task]) -> list[str]:
    """Those that are neither merges nor do again what another of them did: their result counts as its."""
    names = {task.task for task in tasks}
    return [task.task for task in tasks if not task.is_aggregate and task.retry_of not in names]


def _done_again(coordination: Coordination, name: str) -> bool:
    result = counting(coordination.repository, [name])[name]
    return result is not None and result.task != name


def _open_again(coordination: Coordination, finished: Sequence[str]) -> int:
    """How many of the tasks were not completed and are just done again."""
    repository = coordination.repository
    poor = [
        name
        for name, result in counting(repository, finished).items()
        if result is None or result.status != "completed"
    ]
    newest = [again[-1] for name in poor if (again := done_again_by(repository, name))]
    return len(newest) - len(index.with_result(repository, newest))


def _sources(coordination: Coordination, finished: Sequence[str]) -> list[str]:
    """The tasks whose results count; what was cancelled and not done again is nobody's opinion."""
    found = counting(coordination.repository, finished)
    return sorted(
        {
            name if result is None else result.task
            for name, result in found.items()
            if result is None or result.status != "cancelled"
        }
    )


def _merge_task(
    coordination: Coordination, name: str, batch: str, strategy: MergeStrategy, sources: Sequence[str]
) -> Task:
    """The task for just these results."""
    repository = coordination.repository
    more = {SOURCES: list(sources[MOST_AFTER:])} if len(sources) > MOST_AFTER else {}
    return Task(
        task=derived_name(name, f"{strategy}-{_digest(coordination, sources)}"),
        batch=_open_batch(coordination, batch),
        title=f"Merge {len(sources)} results of {name}: {strategy}",
        type="analysis-worker",
        runner=MERGE_RUNNER,
        after=tuple(sources[:MOST_AFTER]),
        strategy=strategy,
        context=more,
        sensitive=any(
            task.sensitive for task in (index.known_task(repository, one) for one in sources) if task
        ),
        created_at=_newest(coordination, sources),
    )


def _newest(coordination: Coordination, sources: Sequence[str]) -> str:
    """When the last of them ended: of two people's documents each byte is the same."""
    return max(result.completed_at for result in read_results(coordination.repository, sources))


def _digest(coordination: Coordination, sources: Sequence[str]) -> str:
    """Of the results themselves, by their object ids."""
    oids = index.result_oids(coordination.repository, sources)
    lines = "".join(f"{task} {oids.get(task, '')}\n" for task in sources)
    return hashlib.sha256(lines.encode()).hexdigest()[:8]


def _open_batch(coordination: Coordination, own: str) -> str:
    batch = index.find_batch(coordination.repository.state, own)
    return BATCH if batch is None or batch.sealed else own


def carry_out(coordination: Coordination, merge: Merge) -> Merged:
    """Add the merge task, claim and carry it out, and publish; or what somebody else published for it.

    Raises EnvironmentProblem where somebody else has it and does not come to an end.
    """
    task = merge.task
    for _ in _rounds(coordination):
        if (found := next(iter(read_results(coordination.repository, [task.task])), None)) is not None:
            return Merged(found, fresh=False)
        claim = _claimed(coordination, task)
        with _beating(coordination):
            done = _merge(coordination, claim) if claim is not None else None
        if done is not None:
            return Merged(done, fresh=True, notes=tuple(finish(coordination)))
        coordination.pull()
    raise EnvironmentProblem(
        f"task {task.task!r} is claimed by somebody else and has no result yet",
        "run the same command again in a while",
    )


def _rounds(coordination: Coordination) -> Iterator[None]:
    until = time.monotonic() + coordination.repository.settings.leases.give_up_s
    yield
    while time.monotonic() < until:
        time.sleep(_LOOK_S)
        yield


def _claimed(coordination: Coordination, task: Task) -> Claim | None:
    """The claim on the task, which is added where nobody has; None where it is somebody else's by now."""
    try:
        if index.find_task(coordination.repository.state, task.task) is None:
            return coordination.claim_new(task, _WORKER)
        return coordination.claim_task(task.task, _WORKER)
    except EnvironmentProblem:
        return None
    except BadInput:
        if coordination.is_finished(task.task):
            return None
        raise


def finish_ready(coordination: Coordination, ended: Sequence[str] | None = None) -> list[Result]:
    """Carry out the merge tasks that wait for nothing more, and those that these make ready; their results.

    Where `ended` tasks are given, only what comes after them. For what ends tasks without running any.
    """
    made: list[Result] = []
    while claims := claim_joins(coordination, ended, None, _WORKER):
        merged = _merge_all(coordination, claims)
        made += merged
        if len(claims) < MOST_AT_ONCE:  # else there may be more of the same
            ended = [result.task for result in merged]
    return made


def _merge_all(coordination: Coordination, claims: Sequence[Claim]) -> list[Result]:
    """The results of those that were not taken over meanwhile; what is not come to is given back."""
    left = list(claims)
    merged: list[Result] = []
    try:
        with _beating(coordination):
            while left:
                result = _merge(coordination, left.pop(0))
                merged += [result] if result is not None else []
    finally:
        coordination.claims.release(left)
    return merged


@contextmanager
def _beating(coordination: Coordination) -> Iterator[None]:
    """Within the block the host gives signs of life: the claims in hand may outlast their lease."""
    heart = Heart(coordination.repository, lambda: Signs(0))
    heart.start()
    try:
        yield
    finally:
        heart.stop()


def told(made: Sequence[Result]) -> list[str]:
    """What a person should know of merge tasks that were carried out along the way: failed ones with why."""
    done = [result.task for result in made if result.status == "completed"]
    notes = [f"merged: {', '.join(done)}"] if done else []
    return notes + [f"{r.task} {r.status}: {r.error}" for r in made if r.status != "completed"]


def _merge(coordination: Coordination, claim: Claim) -> Result | None:
    """The published result; None where somebody took the claim over meanwhile."""
    coordination.claims.started(claim)
    try:
        if claim.record.attempt > claim.task.max_attempts:
            reason = f"its process died in each of {claim.task.max_attempts} attempts"
            result, files = claim.ended("failed", reason), dict[str, bytes]()
        else:
            result, files = merge_results(coordination, claim)
        coordination.record([(claim, result, files)])
    except BaseException:
        coordination.claims.release([claim])
        raise
    fenced = claim.record.nonce in coordination.flush().fenced
    coordination.locks.release(claim.task.task)
    return None if fenced else result
