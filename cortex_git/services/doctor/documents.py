"""Checks of what hosts share as files: tasks, batches, results and the tombstones of archives.

Owns finding documents that cannot be read or contradict each other. Changes nothing: facts never change.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cortex_git.errors import BadInput, NewerSchema
from cortex_git.models import MERGE_SUFFIX, Batch, Document, Result, Task, Tombstone
from cortex_git.services.doctor.findings import Finding, NotLooked, many, named, note, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.store import layout, outcomes

_KINDS: Mapping[str, type[Document]] = {
    "tasks": Task, "batches": Batch, "results": Result, "archive": Tombstone,
}  # fmt: skip
_PASSED_OVER = {
    "tasks": "no host sees it: it is never run",
    "batches": "no host sees it: the batch has its tasks, and no title, size or summary",
    "results": "the task counts as ended, and nobody can see how",
    "archive": "it is passed over: the tasks that it should stand for count as never run",
}
"""By kind of document: what comes of one that cannot be read."""
_MOST = 5
"""Findings of one check that are told one by one."""


def readable(patient: Patient) -> Iterator[Finding]:
    """Documents that do not parse, are not where their name says, or are of a newer version."""
    listing = patient.papers
    known = _known(patient)
    suspects = [entry for entry in listing.all if entry not in known]
    bodies = patient.git.blobs(oid for _, oid in suspects)
    count = 0
    newer: list[tuple[str, int]] = []
    for path, oid in suspects:
        try:
            fault = (
                _fault(path, bodies[oid]) if oid in bodies else "its content is missing from the object store"
            )
        except NewerSchema as error:
            newer.append((path, error.schema))
            continue
        if fault is not None:
            count += 1
            if count <= _MOST:
                yield _unreadable(path, fault)
    if count > _MOST:
        yield warning(
            f"{count - _MOST} more documents cannot be read", "coordination/", why="they are passed over"
        )
    if newer:
        yield problem(
            f"{many(len(newer), 'document')} of a newer schema ({max(schema for _, schema in newer)})",
            named([path for path, _ in newer]),
            why="this cortex-git must not run or replace what it cannot read",
            do="install a newer cortex-git on this host",
        )
    if not count and not newer:
        yield ok(f"{many(len(listing.all), 'document')} can be read")


def _unreadable(path: str, fault: str) -> Finding:
    place = layout.place_of(path)
    why = _PASSED_OVER[place.kind] if place is not None else "it is passed over"
    return warning(f"not valid: {fault}", path, why=why, do=f"git log --oneline -- {path}")


def _known(patient: Patient) -> set[tuple[str, str]]:
    """(path, object id) of documents that this clone has read before."""
    try:
        _ = patient.view
    except NotLooked:
        return set()
    repository = patient.repository
    outcomes.outcomes(repository, 0)
    known: set[tuple[str, str]] = set()
    for table in ("tasks", "batches"):
        known |= set(repository.state.execute(f"SELECT path, oid FROM {table}"))  # noqa: S608 - constants
    query = (
        "SELECT r.path, r.oid FROM results r JOIN outcomes o ON o.task = r.task AND o.oid = r.oid"
        " WHERE o.status != ?"
    )
    return known | set(repository.state.execute(query, (outcomes.UNREADABLE,)))


def _fault(path: str, body: bytes) -> str | None:
    """What is wrong with a document; None for nothing. Raises NewerSchema."""
    place = layout.place_of(path)
    if place is None:
        return None
    try:
        found: Any = _KINDS[place.kind].parse(body, path)
    except NewerSchema:
        raise
    except BadInput as error:
        return error.hint or error.message
    if place.kind == "archive":
        return None if found.name == place.batch else f"it says that it is of {found.name}"
    if found.batch != place.batch:
        return f"it says that it is of batch {found.batch}"
    return None if not place.task or found.task == place.task else f"it says that it is {found.task}"


def clashes(patient: Patient) -> Iterator[Finding]:
    """Two documents under one id."""
    listing = patient.papers
    places = [(path, layout.place_of(path)) for path, _ in listing.all]
    by_id: dict[tuple[str, str], list[str]] = {}
    for path, place in places:
        if place is not None and place.kind in ("tasks", "results"):
            by_id.setdefault((place.kind, place.task), []).append(path)
    found = [(kind, task, paths) for (kind, task), paths in sorted(by_id.items()) if len(paths) > 1]
    for path, one, other in listing.differing:
        place = layout.place_of(path)
        if place is not None:
            found.append((place.kind, place.task or place.batch, [f"{path} ({one[:10]}, {other[:10]})"]))
    for kind, name, paths in found[:_MOST]:
        yield _clash(kind, name, paths)
    if len(found) > _MOST:
        yield warning(
            f"{len(found) - _MOST} more ids have two documents",
            "coordination/",
            why="the same holds for them",
        )
    if not found:
        yield ok("no id has two documents")


def _clash(kind: str, name: str, paths: list[str]) -> Finding:
    where = ", ".join(paths)
    if kind == "results":
        why = "a task ends once: somebody wrote one of them by hand, or deleted and made a ref anew"
        return problem(f"task {name} has two results", where, why=why, do=f"cortex-git results show {name}")
    why = "every host goes by the one with the smaller blob id; what the other one asked for is not done"
    what = "batch" if kind == "batches" else "task"
    return warning(f"{what} {name} was added twice, with different contents", where, why=why,
                   do=f"cortex-git task show {name}, and add the other one under another id")  # fmt: skip


def waits(patient: Patient) -> Iterator[Finding]:
    """Tasks that wait in a circle, or for tasks that nobody added."""
    _ = patient.view
    state = patient.repository.state
    edges: dict[str, list[str]] = {}
    query = (
        "SELECT w.task, w.needs, n.task IS NULL FROM waits w JOIN tasks t ON t.task = w.task"
        " LEFT JOIN tasks n ON n.task = w.needs"
        " WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.task = w.task)"
        " AND NOT EXISTS (SELECT 1 FROM results r WHERE r.task = w.needs) ORDER BY w.task, w.needs"
    )
    lost: dict[str, list[str]] = {}
    for task, needs, missing in state.execute(query):
        edges.setdefault(task, []).append(needs)
        if missing:
            lost.setdefault(task, []).append(needs)
    circle = circle_in(edges)
    if circle:
        yield problem(
            f"tasks wait for each other in a circle: {' → '.join(named_circle(circle))}",
            circle[0],
            why="none of them, and nothing after them, is ever run",
            do=f"cortex-git task cancel {circle[0]}",
        )
    for task, missing in list(lost.items())[:_MOST]:
        yield warning(
            f"task {task} waits for {named(missing)}, which nobody has added",
            task,
            why="it is not run until that has a result",
            do=f"cortex-git task cancel {task}, or add what it waits for",
        )
    if not circle and not lost:
        yield ok(f"{many(len(edges), 'open task')} waiting for others, all of which can end")


def named_circle(circle: list[str], most: int = 6) -> list[str]:
    """The circle from its beginning to its beginning, shortened in the middle."""
    shown = circle if len(circle) <= most else [*circle[: most - 1], "…"]
    return [*shown, circle[0]]


def circle_in(edges: Mapping[str, list[str]]) -> list[str]:
    """The first circle found, in its order; empty where there is none."""
    finished: set[str] = set()
    for start in edges:
        path: list[str] = []
        on_path: dict[str, int] = {}
        todo: list[tuple[str, bool]] = [(start, False)]
        while todo:
            name, leaving = todo.pop()
            if leaving:
                path.pop()
                del on_path[name]
                finished.add(name)
                continue
            if name in on_path:
                return path[on_path[name] :]
            if name in finished:
                continue
            on_path[name] = len(path)
            path.append(name)
            todo.append((name, True))
            todo += [(needs, False) for needs in edges.get(name, [])]
    return []


def sealed(patient: Patient) -> Iterator[Finding]:
    """Sealed batches that have fewer tasks than they say."""
    _ = patient.view
    state = patient.repository.state
    merges = (f"%{MERGE_SUFFIX}",)
    counts: Counter[str] = Counter(dict(state.execute(
        "SELECT batch, count(*) FROM tasks WHERE task NOT LIKE ? GROUP BY batch", merges).fetchall()
    ))  # fmt: skip
    counts.update(dict(state.execute(
        "SELECT v.batch, count(*) FROM archived a JOIN archives v ON v.name = a.name"
        " WHERE a.task NOT LIKE ? GROUP BY v.batch", merges).fetchall()
    ))  # fmt: skip
    short = 0
    bodies = state.execute("SELECT batch, body FROM batches ORDER BY batch").fetchall()
    for name, body in bodies:
        try:
            batch = Batch.parse(body, name)
        except BadInput:
            continue
        if batch.sealed and counts[name] < batch.tasks:
            short += 1
            yield warning(
                f"batch {name} says that it has {batch.tasks} tasks, and {counts[name]} are there",
                layout.batch_path(name),
                why="its last task, the summary, waits for the others for ever",
                do="cortex-git sync on the host that added it; see the check `documents`",
            )
    if not short:
        yield ok(f"{many(len(bodies), 'batch', 'batches')}, none with a task missing")


def results(patient: Patient) -> Iterator[Finding]:
    """Results of tasks that nobody has added."""
    _ = patient.view
    query = (
        "SELECT r.path FROM results r WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.task = r.task)"
        " AND NOT EXISTS (SELECT 1 FROM archived a WHERE a.task = r.task) ORDER BY r.path"
    )
    paths = [str(path) for (path,) in patient.repository.state.execute(query)]
    if paths:
        yield note(
            f"{many(len(paths), 'result')} of tasks that nobody has added",
            named(paths),
            why="written by hand, or the task's own document cannot be read; lists by batch leave them out",
            do="cortex-git results list",
        )
    else:
        yield ok("every result has its task")
