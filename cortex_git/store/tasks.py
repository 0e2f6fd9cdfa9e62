"""Adding tasks and batches: published on the host's own result ref like everything else.

Owns their ids and the refusal of a second document under an existing id.
"""

import json
import secrets
import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from cortex_git.errors import BadInput
from cortex_git.models import MERGE_SUFFIX, Batch, Task, valid_name
from cortex_git.state import now
from cortex_git.store import index, layout, newer, tombstones
from cortex_git.store.outbox import Entry
from cortex_git.store.repository import Repository

RESERVED = frozenset({"summary"})
_REPO = """
    CASE WHEN json_valid(CAST(t.body AS TEXT)) THEN json_extract(CAST(t.body AS TEXT), '$.repo') END"""

_URL = """
    CASE WHEN json_valid(CAST(t.body AS TEXT)) THEN json_extract(CAST(t.body AS TEXT), '$.context.url') END"""


def new_id(prefix: str) -> str:
    """A readable id that never meets another: prefix, date and time, and eight random hex digits."""
    return f"{prefix}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def batch_documents(batch: Batch, tasks: Sequence[Task]) -> Entry:
    """The entry that adds a new batch with its tasks, and its merge task where it has one."""
    files = {layout.batch_path(batch.batch): batch.to_bytes()}
    for task in tasks:
        files[layout.task_path(batch.batch, task.task, sharded=batch.sharded)] = task.to_bytes()
    if batch.merge:
        last = Task(
            task=f"{batch.batch}{MERGE_SUFFIX}",
            batch=batch.batch,
            title=f"Summarise {batch.batch}",
            type="analysis-worker",
            runner="merge",
            created_at=batch.created_at,
        )
        files[layout.task_path(batch.batch, last.task, sharded=False)] = last.to_bytes()
    message = f"chore(cortex): add batch {batch.batch} with {len(tasks)} tasks"
    return Entry(uuid.uuid4().hex, batch.batch, None, message, files)


def new_batch(name: str | None, tasks: int, host: str, *, title: str = "", merge: bool = False) -> Batch:
    """A sealed batch for so many tasks, its layout fixed by their number."""
    return Batch(
        batch=valid_name(name, "batch") if name else new_id("batch"),
        created_at=now(),
        created_by=host,
        title=title,
        sharded=tasks > layout.SHARD_ABOVE,
        sealed=True,
        merge=merge,
        tasks=tasks,
    )


def added_documents(repository: Repository, tasks: Sequence[Task]) -> Entry | None:
    """The entry that adds tasks to a batch that may exist already, open for more; None if all are there.

    Raises BadInput where an id is taken by another document, or the batch is sealed.
    """
    fresh = [task for task in tasks if not _same_exists(repository, task)]
    if not fresh:
        return None
    files: dict[str, bytes] = {}
    batch = _open_batch(repository, fresh[0].batch)
    if batch is None:
        batch = Batch(batch=fresh[0].batch, created_at=now(), created_by=repository.host, sealed=False)
        files[layout.batch_path(batch.batch)] = batch.to_bytes()
    for task in fresh:
        files[layout.task_path(batch.batch, task.task, sharded=batch.sharded)] = task.to_bytes()
    message = f"chore(cortex): add {len(fresh)} tasks to {batch.batch}"
    return Entry(uuid.uuid4().hex, batch.batch, None, message, files)


def _open_batch(repository: Repository, name: str) -> Batch | None:
    newer.refuse(repository.state, "batches", name)
    batch = index.find_batch(repository.state, name)
    if batch is not None and batch.sealed:
        raise BadInput(f"batch {name!r} is sealed: no task can be added to it", "choose another --batch")
    if batch is None and tombstones.is_archived(repository.state, name):
        raise BadInput(f"batch {name!r} is archived: no task can be added to it", "choose another --batch")
    return batch


def _same_exists(repository: Repository, task: Task) -> bool:
    if task.task in RESERVED:
        raise BadInput(f"task id {task.task!r} is reserved", "choose another id")
    newer.refuse(repository.state, "tasks", task.task)
    existing = index.known_task(repository, task.task)
    if existing is None:
        return False
    if existing.model_copy(update={"created_at": task.created_at}) != task:
        raise BadInput(
            f"task {task.task!r} exists already with another content (batch {existing.batch})",
            "tasks never change: choose another id",
        )
    return True


def listed(repository: Repository, scope: index.Scope, newest: int | None = None) -> list[Task]:
    """All tasks in scope, or the `newest` of them, oldest first.

    Archived ones only where the scope is their batch.
    """
    condition, values = scope.where
    query = f"SELECT t.body FROM tasks t WHERE {condition} ORDER BY t.created_at DESC, t.task DESC"  # noqa: S608
    rows = repository.state.execute(f"{query} LIMIT ?", (*values, -1 if newest is None else newest))
    found = [Task.parse(body, "index") for (body,) in rows][::-1]
    if archived := tombstones.members(repository, scope):
        found = sorted([*found, *archived], key=lambda one: (one.created_at, one.task))
    return found if newest is None else found[max(len(found) - newest, 0) :]


def unfinished(repository: Repository, tasks: Sequence[Task]) -> list[Task]:
    """Those of the tasks that have no result, as of the last pull."""
    finished = index.with_result(repository, [task.task for task in tasks])
    return [task for task in tasks if task.task not in finished]


def named(repository: Repository, names: Sequence[str]) -> dict[str, Task]:
    """The documents of those of the named tasks that this clone knows of, archived ones too."""
    found: dict[str, Task] = {}
    for part in index.chunks(names):
        query = f"SELECT body FROM tasks WHERE task IN ({','.join('?' * len(part))})"  # noqa: S608
        rows = (Task.parse(body, "index") for (body,) in repository.state.execute(query, part))
        found |= {task.task: task for task in rows}
    return found | tombstones.tasks(repository, [name for name in names if name not in found])


def local_paths(repository: Repository, names: Sequence[str]) -> dict[str, str]:
    """By task the absolute path of its repository, of those of the named ones whose repository is local.

    SQLite reads it out of the documents, as in `about`.
    """
    query = f"SELECT t.task, {_URL} FROM tasks t WHERE t.task IN (SELECT value FROM json_each(?))"  # noqa: S608
    found = dict(repository.state.execute(query, (json.dumps(list(names)),)).fetchall())
    gone = tombstones.tasks(repository, [name for name in names if name not in found])
    found |= {name: task.context.get("url") for name, task in gone.items()}
    return {name: path for name, url in found.items() if (path := _path(url))}


def local_path(task: Task) -> str:
    """The absolute path of the repository that the task is about; empty where it is not a local one."""
    return _path(task.context.get("url"))


def _path(url: object) -> str:
    return url if isinstance(url, str) and url.startswith("/") else ""


def about(
    repository: Repository, repos: Collection[str], batch: str, names: Sequence[str] = ()
) -> list[Task]:
    """The tasks of the batch, and of the named ones, that are for one of the repositories; archived ones too.

    SQLite picks them: parsing those of a batch over other repositories would take ten times as long.
    """
    wanted, named_ones = json.dumps(list(repos)), json.dumps(list(names))
    query = f"SELECT t.task, t.body, {_REPO} IN (SELECT value FROM json_each(?)) FROM tasks t"  # noqa: S608
    found: list[Task] = []
    there: set[str] = set()
    for condition, value in (
        ("t.batch = ?", batch),
        ("t.task IN (SELECT value FROM json_each(?))", named_ones),
    ):
        for name, body, meant in repository.state.execute(f"{query} WHERE {condition}", (wanted, value)):
            there.add(name)
            found += [Task.parse(body, "index")] if meant else []
    gone = tombstones.tasks(repository, [name for name in names if name not in there])
    archived = [*tombstones.members(repository, index.Scope(batch=batch)), *gone.values()]
    return [*found, *(task for task in archived if task.repo in repos)]
