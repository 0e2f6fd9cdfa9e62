"""Checks of archived batches: what their tombstones on the branch say, against what is there.

Owns that comparison. Making archives is `gc`'s.
"""

from collections.abc import Collection, Iterator, Mapping

from cortex_git.errors import CortexError
from cortex_git.models import Tombstone
from cortex_git.services.doctor.findings import Finding, Mend, many, named, note, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.store import layout, tombstones
from cortex_git.store.archiving import restore_refs
from cortex_git.store.coordination import Coordination


def archives(patient: Patient) -> Iterator[Finding]:
    """Tombstones whose archive is not as they say."""
    _ = patient.view
    state = patient.repository.state
    stones = state.execute("SELECT name, batch, part, commit_id FROM archives ORDER BY name").fetchall()
    space = f"{patient.namespace}/archive/"
    refs = _archive_refs(patient, space)
    untrue = dict(_untrue(patient))
    faults = len(untrue)
    for where, fault in untrue.items():
        yield problem(
            f"the tombstone says what is not so: {fault}",
            where,
            why="made by hand: what it names counts as finished for every host, and cannot be read",
            do=f"git log {patient.settings.branch} -- {where} tells who did; add what it ended as new tasks",
        )
    for name, _batch, _part, commit in stones:
        where = layout.archive_path(name)
        if where in untrue:
            continue
        if refs is not None and name not in refs and not _has(patient, commit):
            faults += 1
            yield problem(
                f"the archive of {name} is gone: no ref {space}{name}, and its commit is not here",
                where,
                why="the tasks count as finished, and their results can be read nowhere",
                do=f"git push {patient.remote or '.'} {commit}:{space}{name} from a clone that has it",
            )
        elif refs is not None and name not in refs:
            faults += 1
            yield warning(
                f"nothing keeps the archive of {name} any more: there is no ref {space}{name}",
                where,
                why="a shallow or new clone cannot read the results",
                mend=_restoration(patient, f"{space}{name}", commit),
            )
    back = _came_back(patient, untrue)
    if back:
        faults += 1
        yield warning(
            f"{many(len(back), 'file')} of archived batches on the branch again",
            named(back),
            why="harmless, and the branch grows by them: an older cortex-git folded them",
            do="cortex-git gc --yes",
        )
    half = sorted(set(refs or {}) - {name for name, *_ in stones})
    if half:
        yield note(
            f"{many(len(half), 'archive')} without a tombstone on the branch",
            named([space + name for name in half]),
            why="who made it did not come to its end; the batch is still on the branch",
            do="cortex-git gc --yes",
        )
    if not faults and not half:
        yield ok(f"{many(len(stones), 'archive')}, all as their tombstones say")


def _untrue(patient: Patient) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) of tombstones whose archive, where that is here, has not what they name."""
    git, folded = patient.git, patient.papers.folded
    stones = {path: oid for path, oid in folded.items() if path.startswith(f"{layout.ROOT}/archive/")}
    bodies = git.blobs(stones.values())
    for path, oid in stones.items():
        try:
            stone = tombstones.parsed(bodies[oid], path)
        except (CortexError, KeyError):
            continue  # the check of documents tells it
        if stone is None or not _has(patient, stone.commit):
            continue
        files = tombstones.files_of(patient.repository, stone.commit, stone.batch)
        faults = [f for task, oids in stone.tasks.items() if (f := _fault(stone, task, oids, files))]
        if faults:
            more = f", and {many(len(faults) - 1, 'more task')} like it" if len(faults) > 1 else ""
            yield path, f"{faults[0]}{more}"


def _fault(stone: Tombstone, task: str, oids: tuple[str, str], files: Mapping[str, str]) -> str | None:
    """What is wrong with one task of a tombstone, by the files of its batch in the archive."""
    path = layout.task_path(stone.batch, task, sharded=stone.sharded)
    beside = layout.result_beside(path)
    if path not in files:
        return f"{task} is no task of batch {stone.batch} in its archive {stone.commit[:12]}"
    if files[path] != oids[0]:
        return f"{oids[0][:12]} is not task {task}"
    if beside not in files:
        return f"{task} has no result in its archive {stone.commit[:12]}"
    return None if files[beside] == oids[1] else f"{oids[1][:12]} is no result of {task}"


def _restoration(patient: Patient, ref: str, commit: str) -> Mend:
    def run() -> str:
        restore_refs(Coordination.open(patient.folder).repository, {ref: commit})
        return f"made {ref} again"

    return Mend(f"make {ref} again", run)


def _archive_refs(patient: Patient, space: str) -> dict[str, str] | None:
    """The archive refs by name; None where that cannot be told now."""
    if patient.remote is None:
        refs = patient.git.refs(space)
    elif patient.offline or patient.answer.problem is not None:
        return None
    else:
        refs = patient.answer.refs
    return {ref.removeprefix(space): oid for ref, oid in refs.items() if ref.startswith(space)}


def _has(patient: Patient, commit: str) -> bool:
    return patient.git.run("cat-file", "-e", f"{commit}^{{commit}}", check=False).status == 0


def _came_back(patient: Patient, untrue: Collection[str]) -> list[str]:
    """Files on the branch of tasks that a tombstone stands for, where that one is true."""
    rows = patient.repository.state.execute("SELECT task, name FROM archived")
    tasks = {task for task, name in rows if layout.archive_path(name) not in untrue}
    found = []
    for path in patient.papers.folded:
        place = layout.place_of(path)
        if place is not None and place.kind in ("tasks", "results") and place.task in tasks:
            found.append(path)
    return found
