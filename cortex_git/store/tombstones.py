"""Archived tasks: known by the tombstones on the branch for ever, their files read only where one asks.

Owns the tables `archives` and `archived`. An archived task is in no other table but `results`, whether this
clone saw its documents before or not.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from cortex_git.errors import BadInput, NewerSchema
from cortex_git.models import MERGE_SUFFIX, Batch, Task, Tombstone
from cortex_git.state import transaction
from cortex_git.store import layout
from cortex_git.store.differences import bodies
from cortex_git.store.refs import QUIET_FETCH, RemoteUnreachable
from cortex_git.store.repository import Repository
from cortex_git.store.scopes import Scope

_OF_BATCH = "a.name IN (SELECT name FROM archives WHERE batch = ?)"
_AT_ONCE = 500


def parsed(body: bytes, path: str) -> Tombstone | None:
    """The tombstone at `path`; None for what is not valid, or not where its name says.

    Raises NewerSchema where a newer version wrote it: without it finished tasks would look open.
    """
    try:
        stone = Tombstone.parse(body, path)
    except NewerSchema:
        raise
    except BadInput:
        return None
    place = layout.place_of(path)
    return stone if place is not None and (place.kind, place.batch) == ("archive", stone.name) else None


def enter(repository: Repository, entries: Sequence[tuple[str, str]]) -> None:
    """Enter tombstones, given by path and object id: their tasks have ended, their documents are dropped."""
    if not entries:
        return
    known = dict(repository.state.execute("SELECT name, oid FROM archives"))
    places = [(layout.place_of(path), path, oid) for path, oid in entries]
    wanted = [(path, oid) for place, path, oid in places if place and known.get(place.batch) != oid]
    found = bodies(repository.git, wanted)
    for path, oid in wanted:
        stone = parsed(found[oid], path)
        if stone is not None:
            _enter(repository.state, stone, oid)


def _enter(state: sqlite3.Connection, stone: Tombstone, oid: str) -> None:
    paths = {task: layout.task_path(stone.batch, task, sharded=stone.sharded) for task in stone.tasks}
    archived = [(task, stone.name, of_task) for task, (of_task, _) in stone.tasks.items()]
    results = [
        (task, stone.batch, layout.result_beside(paths[task]), of_result)
        for task, (_, of_result) in stone.tasks.items()
    ]
    with transaction(state):
        row = (stone.name, stone.batch, stone.part, stone.commit, int(stone.sharded), oid)
        state.execute("INSERT OR REPLACE INTO archives VALUES (?, ?, ?, ?, ?, ?)", row)
        state.executemany("INSERT OR IGNORE INTO archived VALUES (?, ?, ?)", archived)
        state.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)", results)
        for table in ("tasks", "waits"):
            state.executemany(f"DELETE FROM {table} WHERE task = ?", [(task,) for task in stone.tasks])  # noqa: S608
        if not stone.part:
            state.execute("DELETE FROM batches WHERE batch = ?", (stone.batch,))


def is_archived(state: sqlite3.Connection, batch: str) -> bool:
    """Whether the whole batch is archived."""
    query = "SELECT 1 FROM archives WHERE batch = ? AND part = 0"
    return state.execute(query, (batch,)).fetchone() is not None


def has_any(state: sqlite3.Connection, batch: str | None) -> bool:
    """Whether any of the batch's tasks are archived."""
    return state.execute("SELECT 1 FROM archives WHERE batch = ?", (batch,)).fetchone() is not None


def covers(state: sqlite3.Connection, path: str) -> bool:
    """Whether `path` is the document of an archived task or batch."""
    owner = layout.owner_of(path)
    if owner is None:
        return False
    batch, task = owner
    if not task:
        return is_archived(state, batch)
    return state.execute("SELECT 1 FROM archived WHERE task = ?", (task,)).fetchone() is not None


def counts(state: sqlite3.Connection) -> tuple[int, int]:
    """How many archives this clone knows of, and how many tasks are in them."""
    query = "SELECT (SELECT count(*) FROM archives), (SELECT count(*) FROM archived)"
    archives, tasks = state.execute(query).fetchone()
    return int(archives), int(tasks)


def count_like(state: sqlite3.Connection, glob: str) -> int:
    """How many archived tasks have an id that matches."""
    return int(state.execute("SELECT count(*) FROM archived WHERE task GLOB ?", (glob,)).fetchone()[0])


def path_of(state: sqlite3.Connection, task: str) -> str | None:
    """Where the task's document lies in its archive; None where it is not archived."""
    query = "SELECT v.batch, v.sharded FROM archived a JOIN archives v ON v.name = a.name WHERE a.task = ?"
    row = state.execute(query, (task,)).fetchone()
    return None if row is None else layout.task_path(row[0], task, sharded=bool(row[1]))


def tasks(repository: Repository, names: Sequence[str]) -> dict[str, Task]:
    """The documents of those of the named tasks that are archived."""
    oids: dict[str, str] = {}
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        query = f"SELECT task, oid FROM archived WHERE task IN ({','.join('?' * len(part))})"  # noqa: S608
        oids |= dict(repository.state.execute(query, part).fetchall())
    return _parsed(repository, oids)


def members(repository: Repository, scope: Scope) -> list[Task]:
    """The archived tasks in scope, where it is one batch; none else: they are read on demand only."""
    if scope.batch is None:
        return []
    query = f"SELECT a.task, a.oid FROM archived a WHERE {_OF_BATCH} AND a.task GLOB ?"  # noqa: S608
    oids = dict(repository.state.execute(query, (scope.batch, scope.glob)).fetchall())
    return [task for task in _parsed(repository, oids).values() if _in(scope, task.task, task.type)]


def result_places(repository: Repository, scope: Scope) -> list[tuple[str, str]]:
    """(path, object id) of the results of those tasks, in the order of their names."""
    if scope.batch is None:
        return []
    query = (
        "SELECT a.task, r.path, r.oid FROM archived a JOIN results r ON r.task = a.task"  # noqa: S608
        f" WHERE {_OF_BATCH} AND a.task GLOB ? ORDER BY a.task"
    )
    rows = repository.state.execute(query, (scope.batch, scope.glob)).fetchall()
    typed = scope.type is not None or scope.without
    types = {task.task: task.type for task in members(repository, scope)} if rows and typed else {}
    return [(path, oid) for task, path, oid in rows if _in(scope, task, types.get(task))]


def _in(scope: Scope, task: str, kind: str | None) -> bool:
    if task in scope.apart or (not scope.merges and task.endswith(MERGE_SUFFIX)):
        return False
    return (scope.type is None or kind == scope.type) and kind not in scope.without


def batch(repository: Repository, name: str) -> Batch | None:
    """The document of an archived batch."""
    row = repository.state.execute(
        "SELECT commit_id FROM archives WHERE batch = ? AND part = 0", (name,)
    ).fetchone()
    if row is None:
        return None
    path = layout.batch_path(name)
    body = blobs(repository, [f"{row[0]}:{path}"]).get(f"{row[0]}:{path}")
    return None if body is None else Batch.parse(body, path)


def _parsed(repository: Repository, oids: Mapping[str, str]) -> dict[str, Task]:
    there = blobs(repository, oids.values())
    found: dict[str, Task] = {}
    for name, oid in oids.items():
        try:
            found[name] = Task.parse(there[oid], name)
        except (BadInput, KeyError):
            continue
    return found


def blobs(repository: Repository, names: Iterable[str]) -> dict[str, bytes]:
    """The contents of blobs; those of archives are fetched where a shallow clone has not got them.

    Only the archives that hold them, and without a ref of our own: every look goes through what a pull
    fetches into, and no pull would take these away again.
    """
    wanted = list(names)
    found = repository.git.blobs(wanted)
    missing = [name for name in wanted if name not in found]
    if missing and repository.remote is not None:
        archives = _holding(repository.state, missing)
        if archives and _fetched(repository, repository.remote, archives):
            found |= repository.git.blobs(missing)
    return found


def _holding(state: sqlite3.Connection, names: Iterable[str]) -> list[str]:
    """The archives that hold those blobs, each named by its object id or as `commit:path`."""
    oids = json.dumps([name.partition(":")[0] for name in names])
    rows = state.execute(
        "WITH wanted(oid) AS (SELECT value FROM json_each(?))"
        " SELECT name FROM archives WHERE commit_id IN (SELECT oid FROM wanted)"
        " UNION SELECT name FROM archived WHERE oid IN (SELECT oid FROM wanted)"
        " UNION SELECT a.name FROM results r JOIN archived a ON a.task = r.task"
        " WHERE r.oid IN (SELECT oid FROM wanted) ORDER BY 1",
        (oids,),
    )
    return [name for (name,) in rows]


def _fetched(repository: Repository, remote: str, archives: Sequence[str]) -> bool:
    """Fetch what the refs of those archives hold; whether any of it came."""
    space = f"{repository.refs.namespace}/archive/"
    refs = [space + name for name in archives]
    if _fetch(repository, remote, refs):
        return True
    try:  # one that somebody deleted must not hide the others
        there = repository.refs.under(space)
    except RemoteUnreachable:
        return False
    left = [ref for ref in refs if ref in there]
    return 0 < len(left) < len(refs) and _fetch(repository, remote, left)


def _fetch(repository: Repository, remote: str, refs: Sequence[str]) -> bool:
    return not repository.git.run(*QUIET_FETCH, remote, *refs, check=False).status


def keep_out(repository: Repository, base: str, files: dict[str, bytes | str]) -> list[str]:
    """Take out of `files`, to be added to commit `base`, what a tombstone of either stands for.

    Returns the paths that `base` itself has to give up for tombstones that come to it only now: a person's
    line of commits, which left the branch before them.
    """
    own = standing_for(repository, base, files)
    arriving = {path: oid for path, oid in files.items() if _is_archive(path) and isinstance(oid, str)}
    new = _stones(repository, arriving)
    for path in [path for path in files if any(stands_for(stone, path) for stone in (*own, *new))]:
        del files[path]
    removed: list[str] = []
    for stone in new:
        removed += [path for path in files_of(repository, base, stone.batch) if stands_for(stone, path)]
    return removed


def standing_for(repository: Repository, commit: str, paths: Iterable[str]) -> list[Tombstone]:
    """The tombstones in a commit that stand for any of the files."""
    names = _names(repository.state, paths)
    there = listed(repository, commit, *map(layout.archive_path, sorted(names))) if names else ()
    return _stones(repository, dict(there))


def _is_archive(path: str) -> bool:
    place = layout.place_of(path)
    return place is not None and place.kind == "archive"


def _names(state: sqlite3.Connection, paths: Iterable[str]) -> set[str]:
    """The archives that have any of the files, of those that this clone knows: all that the branch has."""
    owners = {owner for path in paths if (owner := layout.owner_of(path)) is not None}
    query = "SELECT name FROM archived WHERE task = ?"
    rows = [state.execute(query, (task,)).fetchone() for _, task in owners if task]
    whole = {batch for batch in {batch for batch, _ in owners} if is_archived(state, batch)}
    return {name for row in rows if row is not None for name in row} | whole


def _stones(repository: Repository, oids: Mapping[str, str]) -> list[Tombstone]:
    """The valid ones of the tombstones at those paths."""
    there = repository.git.blobs(oids.values())
    found = (parsed(there[oid], path) for path, oid in oids.items() if oid in there)
    return [stone for stone in found if stone is not None]


def stands_for(stone: Tombstone, path: str) -> bool:
    batch, task = layout.owner_of(path) or ("", "")
    return batch == stone.batch and (task in stone.tasks if task else not stone.part)


def files_of(repository: Repository, commit: str, batch: str) -> dict[str, str]:
    """Every file of the batch in a commit, with its object id."""
    folders = [f"{layout.ROOT}/{kind}/{batch}/" for kind in ("tasks", "results")]
    return dict(listed(repository, commit, layout.batch_path(batch), *folders))


def listed(repository: Repository, commit: str, *paths: str) -> Iterable[tuple[str, str]]:
    listing = repository.git.text("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
    for entry in listing.split("\0"):
        head, _, path = entry.partition("\t")
        if head:
            yield path, head.split(" ")[2]
