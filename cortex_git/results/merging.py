"""A merge task carried out: its sources read from the store, made one, and that made its result.

Owns which result of a task counts, and what makes a merge task fail. Must never leave out a source without
saying so.
"""

import time
from collections.abc import Sequence

from cortex_git.models import WORKER_TYPES, Expert, MergeStrategy, Result, Task
from cortex_git.results.aggregation import Aggregate, Source
from cortex_git.state import PASSING, now
from cortex_git.store import index, layout
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.lineage import done_again_by
from cortex_git.store.repository import Repository
from cortex_git.store.results import read_results

STRATEGY: MergeStrategy = "weighted"
"""Of a merge task that names none, and of one that joins the parts of a routed task."""
SOURCES = "sources"
"""The key of a merge task's context that names sources beyond what a task can come after."""
_CONFIDENCE = 50.0
"""Of a source that nobody gave any."""
_NAMED = 5
"""Tasks that an error names."""


def merge_results(coordination: Coordination, claim: Claim) -> tuple[Result, dict[str, bytes]]:
    """Carry out a merge task: its result, and the same for people, to be published with it."""
    from cortex_git.results.aggregation.strategies import to_markdown, to_output

    started, began = now(), time.monotonic()
    try:
        aggregate = aggregate_of(coordination.repository, claim.task)
        output, text = to_output(aggregate), to_markdown(aggregate)
    except PASSING:
        raise  # the remote, the disk or the database, and no fault of the sources: to be tried again
    except Exception as error:  # sources come from anybody: none may end the loop of whoever merges them
        reason = f"its sources cannot be merged: {type(error).__name__}: {error}"
        return _timed(claim.ended("failed", reason.replace("\n", " ")[:500]), started, began), {}
    if not aggregate.voices:
        ended = claim.ended("failed", nothing_in(aggregate)).model_copy(update={"output": output})
        return _timed(ended, started, began), {}
    ended = claim.ended("completed").model_copy(update={"output": output})
    place = coordination.result_path(claim.task)
    return _timed(ended, started, began), {layout.text_beside(place): text.encode("utf-8", "replace")}


def _timed(result: Result, started: str, began: float) -> Result:
    return result.model_copy(
        update={"started_at": started, "duration_s": time.monotonic() - began, "completed_at": now()}
    )


def nothing_in(aggregate: Aggregate) -> str:
    """Why nothing came of an aggregate without sources."""
    if not aggregate.missing:
        return "nothing to merge: it names no task"
    named = [f"{task} ({reason})" for task, reason in list(aggregate.missing.items())[:_NAMED]]
    more = len(aggregate.missing) - len(named)
    return f"nothing to merge: {'; '.join(named)}{f' and {more} more' if more else ''}"


def aggregate_of(repository: Repository, task: Task) -> Aggregate:
    """What a merge task's sources say together, as of the last pull."""
    from cortex_git.results.aggregation.strategies import aggregate

    sources: list[Source] = []
    missing: dict[str, str] = {}
    for name, result in counting(repository, sources_named(task)).items():
        reason = _why_missing(result)
        if reason is not None or result is None:
            missing[name] = reason or ""
        else:
            sources.append(_source(result, index.known_task(repository, result.task)))
    return aggregate(sources, task.strategy or STRATEGY, missing)


def sources_named(task: Task) -> Sequence[str]:
    """The tasks whose results a merge task puts together."""
    more = task.context.get(SOURCES)
    named = more if isinstance(more, list) else []
    return [*task.after, *(name for name in named if isinstance(name, str))]


def counting(repository: Repository, tasks: Sequence[str]) -> dict[str, Result | None]:
    """For each of the tasks the result that counts: of one not completed, its newest completed retry's.

    None where it has none that can be read.
    """
    found: dict[str, Result | None] = dict.fromkeys(tasks)
    found |= {result.task: result for result in read_results(repository, tasks)}
    for name, result in found.items():
        if result is not None and result.status == "completed":
            continue
        later = read_results(repository, done_again_by(repository, name))
        completed = [one for one in later if one.status == "completed"]
        found[name] = completed[-1] if completed else result
    return found


def _why_missing(result: Result | None) -> str | None:
    if result is None:
        return "it has no result that can be read"
    if result.status == "completed":
        return None
    return result.status if not result.error else f"{result.status}: {result.error}"


def _source(result: Result, task: Task | None) -> Source:
    """A result as it goes into an aggregate; findings without a repository get the task's."""
    output = result.output
    if task is None:
        return Source(result.task, output, _expert(result.master, result.type))
    if task.repo and isinstance(output.get("findings"), list) and not output.get("repo"):
        output = {**output, "repo": task.repo}
    return Source(
        result.task,
        output,
        _expert(task.master, task.type),
        _CONFIDENCE if task.confidence is None else task.confidence,
        nested=task.is_aggregate,
    )


def _expert(master: str, worker_type: str) -> str:
    own = WORKER_TYPES.get(worker_type, Expert.DEVELOPMENT).value
    return master.removesuffix("-master") if master else own
