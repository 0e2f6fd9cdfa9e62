"""Checks of archived batches: what their tombstones on the branch say, against what is there.

Owns that comparison. Making archives is `gc`'s.
"""

from collections.abc import Iterator

from cortex_git.services.doctor.findings import Finding, Mend, many, named, note, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.store import layout
from cortex_git.store.archiving import restore_refs
from cortex_git.store.coordination import Coordination


def archives(patient: Patient) -> Iterator[Finding]:
    """Tombstones whose archive is not as they say."""
    _ = patient.view
    state = patient.repository.state
    stones = state.execute("SELECT name, batch, part, commit_id FROM archives ORDER BY name").fetchall()
    space = f"{patient.namespace}/archive/"
    refs = _archive_refs(patient, space)
    faults = 0
    for name, _batch, _part, commit in stones:
        where = layout.archive_path(name)
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
    back = _came_back(patient)
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


def _came_back(patient: Patient) -> list[str]:
    state = patient.repository.state
    tasks = {task for (task,) in state.execute("SELECT task FROM archived")}
    found = []
    for path in patient.papers.folded:
        place = layout.place_of(path)
        if place is not None and place.kind in ("tasks", "results") and place.task in tasks:
            found.append(path)
    return found
