"""Hand-offs: the files of follow-up tasks, entered into the outbox with the result that asks for them.

Owns that both appear in one commit, or neither where the result is fenced. Must never keep a result from
being published: what cannot be handed over is left out, and the result says why.
"""

from collections.abc import Callable, Iterable, Sequence

from cortex_git.config import load_host_settings
from cortex_git.errors import CortexError
from cortex_git.models import Batch, Result, Task
from cortex_git.routing.experts import experts_of
from cortex_git.runners import metered, runner_name
from cortex_git.store import index, layout, newer
from cortex_git.store.repository import Repository
from cortex_git.workers.follow_ups import ASKS, REFUSED, FollowUps, Origin, Refusal, follow_ups, told

BATCH = "follow-ups"
"""Where follow-ups of tasks of sealed batches belong."""


def hand_over(repository: Repository, task: Task, result: Result) -> tuple[Result, dict[str, bytes]]:
    """The result as it is to be published, and the files that its follow-up tasks are.

    Only what was completed hands over: what failed is done again as a whole. Whoever enters a result has to
    use this, so that the pool and a worker that outlived it enter the same.
    """
    if result.status != "completed" or not result.output.get(ASKS) or task.is_merge or task.is_aggregate:
        return result, {}
    batch = _batch_for(repository, task)
    try:
        found = follow_ups(_origin(repository, task, result, batch))
    except CortexError as error:
        found = FollowUps((), (Refusal("", error.message[:200]),))
    found = _without_taken(repository, found, batch)
    output = {key: value for key, value in result.output.items() if key != REFUSED}
    if found.refused:
        output[REFUSED] = told(found.refused)
    said = result.model_copy(update={"output": output})
    try:
        said.to_bytes()
    except (ValueError, RecursionError):
        return result, {}  # it will be published as a failure, which hands nothing over
    return said, _files(repository, batch, found.tasks)


def asked_for(files: Iterable[str]) -> list[str]:
    """The ids of the tasks among files by their paths."""
    places = map(layout.place_of, files)
    return [place.task for place in places if place is not None and place.kind == "tasks"]


def _origin(repository: Repository, task: Task, result: Result, batch: Batch) -> Origin:
    """Raises BadInput where the repository's settings have an expert that cannot be."""
    settings = repository.settings
    return Origin(task, result, batch.batch, settings, experts_of(settings), _metering())


def _metering() -> Callable[[Task], bool]:
    """Whether a task needs tokens on this host; what is not known counts as if it did."""

    def needs_tokens(task: Task) -> bool:
        try:
            return metered(runner_name(task.runner, task.type, task.priority, load_host_settings()))
        except CortexError:
            return True

    return needs_tokens


def _batch_for(repository: Repository, task: Task) -> Batch:
    """The task's own batch while it is open, else the one for such cases, the same from every host."""
    own = index.find_batch(repository.state, task.batch)
    if own is not None and not own.sealed:
        return own
    known = index.find_batch(repository.state, BATCH)
    return known or Batch(batch=BATCH, created_at="", created_by="", title="Follow-up tasks", sealed=False)


def _without_taken(repository: Repository, found: FollowUps, batch: Batch) -> FollowUps:
    """Without tasks whose id somebody else's has, and without any where no task can be added."""
    try:
        newer.refuse(repository.state, "batches", batch.batch)
    except CortexError as error:
        reason = error.message[:200]
    else:
        reason = f"batch {batch.batch!r} is sealed" if batch.sealed else ""
    if reason:
        return FollowUps((), (*found.refused, *(Refusal(one.title[:80], reason) for one in found.tasks)))
    tasks, refused = [], list(found.refused)
    for task in found.tasks:
        known = index.known_task(repository, task.task)
        if known == task or not index.is_taken(repository.state, task.task):
            tasks.append(task)
        else:
            refused.append(Refusal(task.title[:80], f"there is another task {task.task!r} already"))
    return FollowUps(tuple(tasks), tuple(refused))


def _files(repository: Repository, batch: Batch, tasks: Sequence[Task]) -> dict[str, bytes]:
    if not tasks:
        return {}
    files = {layout.task_path(batch.batch, one.task, sharded=batch.sharded): one.to_bytes() for one in tasks}
    if index.find_batch(repository.state, batch.batch) is None:
        files[layout.batch_path(batch.batch)] = batch.to_bytes()
    return files
