"""Checks of what was published: results that the branch lacks, and those that came too late.

Owns how they are counted; folding is the store's.
"""

import time
from collections.abc import Iterator

from cortex_git.errors import CortexError
from cortex_git.services.doctor.findings import Finding, Mend, many, named, note, ok, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.store import layout
from cortex_git.store.coordination import Coordination
from cortex_git.store.refs import QUIET_FETCH

_MOST_FETCHED = 50


def folded(patient: Patient) -> Iterator[Finding]:
    """Results on hosts' refs that the branch does not have yet."""
    view = patient.current
    listing, repository = patient.papers, patient.repository
    gone = {task for (task,) in repository.state.execute("SELECT task FROM archived")}
    waiting = [path for path in listing.unfolded if not _is_archived(path, gone)]
    if not waiting:
        yield ok(f"the branch has everything that {many(len(view.results), 'host')} published")
        return
    late_s = 10 * repository.settings.fold_every_s + 60
    age_s = _age_of_oldest(patient, list(view.results.values()))
    make = warning if age_s > late_s else note
    refused = "; is the branch protected?" if age_s > late_s else ""
    yield make(
        f"branch {repository.settings.branch} lacks {many(len(waiting), 'published document')}{refused}",
        named(sorted(waiting)),
        why="nothing is missing for hosts, which read the refs too; people who read the branch do not see it",
        do="cortex-git sync",
        mend=Mend(f"fold {many(len(waiting), 'document')} into the branch", lambda: _fold(patient)),
    )


def _is_archived(path: str, tasks: set[str]) -> bool:
    place = layout.place_of(path)
    return place is not None and place.task in tasks


def _age_of_oldest(patient: Patient, tips: list[str]) -> float:
    """Seconds since the oldest commit that the branch lacks was made, by the clock of who made it: a hint."""
    git = patient.repository.git
    revisions = "\n".join([*tips, *(f"^{tip}" for tip in patient.repository.refs.trunk())])
    command = ("log", "--no-show-signature", "--format=%ct", "--reverse", "--max-count=5000", "--stdin")
    dates = git.text(*command, stdin=revisions.encode()).split()
    return max(time.time() - int(dates[0]), 0.0) if dates else 0.0


def _fold(patient: Patient) -> str:
    coordination = Coordination.open(patient.folder)
    commit = coordination.fold()
    if commit is None:
        return "the branch had everything already: somebody else folded"
    coordination.pull()
    return f"folded into the branch (commit {commit[:12]})"


def fenced(patient: Patient) -> Iterator[Finding]:
    """Results that came after somebody else's, or after a cancel."""
    space = f"{patient.namespace}/fenced/"
    refs = patient.git.refs(space) if patient.remote is None else patient.reached.refs
    found = {ref: oid for ref, oid in refs.items() if ref.startswith(space)}
    if not found:
        yield ok("no superseded result is kept")
        return
    tasks = [ref.removeprefix(space).rpartition("/")[0] for ref in found]
    newest = _newest(patient, found)
    yield note(
        f"{many(len(found), 'superseded result')} kept{newest}",
        named([space + task for task in sorted(set(tasks))]),
        why="work that came too late, as somebody else had ended the task: it is for people to look at",
        do="cortex-git results list --fenced",
    )


def _newest(patient: Patient, refs: dict[str, str]) -> str:
    """Which of them was made last, where that can be told without fetching too much."""
    oids = list(dict.fromkeys(refs.values()))
    if len(oids) > _MOST_FETCHED:
        return ""
    git = patient.git
    if patient.remote is not None:
        git.run(*QUIET_FETCH, patient.remote, *oids, check=False)
    try:
        listing = git.text(
            "log",
            "--no-walk",
            "--no-show-signature",
            "--format=%ct %cI %H",
            "--stdin",
            stdin="\n".join(oids).encode(),
        )
        last = max(listing.splitlines(), key=lambda line: int(line.split(" ")[0]))
    except (CortexError, ValueError):
        return ""
    _, at, oid = last.split(" ")
    name = next(ref for ref, known in refs.items() if known == oid)
    return f", the newest of {name.split('/')[-2]} ({at[:19]})"
