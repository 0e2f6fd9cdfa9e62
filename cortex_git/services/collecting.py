"""`gc`: everything that can be cleared away is looked for, told, and taken away where that is wanted.

Owns the order, and that one kind's failure stops no other. Nothing here decides that something may go:
each kind's own module does, and work that is nowhere else never may.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput, CortexError
from cortex_git.flocks import file_lock
from cortex_git.runners.agent import discarding
from cortex_git.runners.agent.worktrees import Leftover, remove_folder
from cortex_git.state import PASSING, problem_of
from cortex_git.store import collectable_files as files
from cortex_git.store import collectable_refs as refs
from cortex_git.store import collectable_rows as rows
from cortex_git.store import indexing
from cortex_git.store.archivable import Due
from cortex_git.store.archiving import Archived, archive, planned, refuse_unready
from cortex_git.store.collecting import DAY_S, Finding, collect_objects, objects, of_objects
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import View
from cortex_git.store.refs import RemoteUnreachable

_MAKING_S = 3600.0

Look = Callable[[], list[Finding]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked `gc` for."""

    dry_run: bool = True
    archive: Sequence[str] = ()
    """Batches to archive whatever their age; none: those that are old enough."""
    archive_after_s: float | None = None
    """None: as the repository's settings say."""
    fenced_after_s: float | None = None
    """None: fenced results stay."""


@dataclass
class Collected:
    """What was found, and what became of it."""

    dry_run: bool
    findings: list[Finding] = field(default_factory=list)
    removed: set[int] = field(default_factory=set)
    """Positions in `findings`."""
    problems: list[tuple[str, CortexError]] = field(default_factory=list)
    """What went wrong, by kind."""
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The document of `gc --format json`, without its schema number."""
        return {
            "dry_run": self.dry_run,
            "found": [
                {
                    "kind": one.kind,
                    "what": one.what,
                    "reason": one.reason,
                    "count": one.count,
                    "bytes": one.bytes,
                    "kept": one.kept,
                    "removed": number in self.removed,
                }
                for number, one in enumerate(self.findings)
            ],
            "problems": [{"kind": kind, "problem": str(error)} for kind, error in self.problems],
            "notes": self.notes,
        }


def collect(coordination: Coordination, wanted: Wanted) -> Collected:
    """Look for everything, and unless it is a dry run take it away. Several at once take turns.

    Raises BadInput for a batch to archive that cannot be, before anything is taken away; what else goes wrong
    is among the problems.
    """
    report = Collected(wanted.dry_run)
    if not wanted.dry_run:
        with file_lock(coordination.repository.private / "gc.lock"):
            _collect(coordination, wanted, report)
    else:
        _collect(coordination, wanted, report)
    return report


def _collect(coordination: Coordination, wanted: Wanted, report: Collected) -> None:
    repository = coordination.repository
    seen = rows.sightings(repository)
    view = _view(coordination, report)
    if view is not None:
        _check_named(coordination, wanted)
        for kind, look in _shared(coordination, wanted, view, seen):
            _attempt(report, kind, look)
        _archive(coordination, wanted, report)
    for kind, look in _own(coordination, view):
        _attempt(report, kind, look)


def _view(coordination: Coordination, report: Collected) -> View | None:
    """The refs as they are now; None where the remote does not answer: then only this clone is looked at."""
    try:
        return coordination.pull()
    except RemoteUnreachable as error:
        report.problems.append(("remote", error))
        indexing.refresh(coordination.repository)
        return None


def _shared(
    coordination: Coordination, wanted: Wanted, view: View, seen: dict[str, str]
) -> list[tuple[str, Look]]:
    """Kinds that need the remote."""
    kinds: list[tuple[str, Look]] = [
        ("claims", lambda: refs.orphaned_claims(coordination, view)),
        ("heartbeats", lambda: refs.silent_hosts(coordination, view)),
        ("probes", lambda: refs.left_probes(coordination)),
        ("archive refs", lambda: refs.lost_archives(coordination)),
        ("sightings", lambda: rows.gone_sightings(coordination, seen, view)),
        ("locks", lambda: files.stale_locks(coordination, view)),
    ]
    if (after_s := wanted.fenced_after_s) is not None:
        kinds.append(("fenced", lambda: refs.old_fenced(coordination, after_s)))
    return kinds


def _own(coordination: Coordination, view: View | None) -> list[tuple[str, Look]]:
    """Kinds of this clone and host, the objects last: by then nothing holds what was taken away."""
    repository = coordination.repository
    kinds: list[tuple[str, Look]] = [
        ("outbox", lambda: rows.published_entries(repository)),
        ("rows", lambda: rows.old_rows(repository)),
        ("temporary files", lambda: files.temporary_files(coordination)),
        ("logs", lambda: files.old_logs(coordination)),
        ("work trees", lambda: left_work_trees(coordination)),
        ("agents' clones", agent_clones),
    ]
    if view is not None:
        kinds.append(("local refs", lambda: refs.left_local_refs(coordination)))
    return [*kinds, ("objects", lambda: objects(coordination))]


def _attempt(report: Collected, kind: str, look: Look) -> None:
    try:
        found = look()
    except PASSING as error:
        report.problems.append((kind, problem_of(error)))
        return
    for one in found:
        report.findings.append(one)
        if report.dry_run or one.remove is None:
            continue
        try:
            if one.remove():
                report.removed.add(len(report.findings) - 1)
        except PASSING as error:
            report.problems.append((kind, problem_of(error)))


def _check_named(coordination: Coordination, wanted: Wanted) -> None:
    """A batch that was named and cannot be archived ends the command: that must be known before all else."""
    if wanted.dry_run or not wanted.archive:
        return
    try:
        refuse_unready(coordination.repository, wanted.archive)
    except BadInput:
        raise
    except PASSING:
        return  # the archiving meets it too, and tells it


def _archive(coordination: Coordination, wanted: Wanted, report: Collected) -> None:
    days = coordination.repository.settings.gc.archive_after_days
    after_s = days * DAY_S if wanted.archive_after_s is None else wanted.archive_after_s
    found = Archived()
    try:
        if wanted.dry_run:
            found = planned(coordination.repository, after_s, wanted.archive)
        else:
            archive(coordination.repository, after_s, wanted.archive, into=found)
    except PASSING as error:
        if wanted.dry_run and wanted.archive:
            raise
        report.problems.append(("archive", problem_of(error)))
    _tell_archived(found, report)
    if found.done and not wanted.dry_run and (note := coordination.follow()) is not None:
        report.notes.append(note)


def _tell_archived(found: Archived, report: Collected) -> None:
    for due in found.done:
        if not report.dry_run:
            report.removed.add(len(report.findings))
        report.findings.append(
            Finding("archive", due.stone.name, _ended(due), len(due.files), remove=lambda: True)
        )
    report.findings += [Finding("archive", kept.batch, kept.reason) for kept in found.kept]


def _ended(due: Due) -> str:
    if due.back:
        return "archived before, and an older cortex-git put its files on the branch again"
    tasks = len(due.stone.tasks)
    return f"{tasks} {'task has' if tasks == 1 else 'tasks have'} ended"


def left_work_trees(coordination: Coordination) -> list[Finding]:
    """Folders that agents worked in for this repository; those with work that is nowhere else stay."""
    found: list[Finding] = []
    for one, why in discarding.left_work_trees(coordination.repository.folder, coordination.is_finished):
        reason = "its work is pushed and its task finished" if why is None else why
        remove = _discarding(coordination, one) if why is None else None
        found.append(Finding("work trees", str(one.folder), reason, remove=remove))
    return found


def _discarding(coordination: Coordination, one: Leftover) -> Callable[[], bool]:
    return lambda: discarding.discard(one, coordination.is_finished)


def agent_clones() -> list[Finding]:
    """This host's clones of repositories that agents work on: packed, never removed; and those half made."""
    found: list[Finding] = []
    for clone in discarding.agent_clones():
        found += of_objects(discarding.git_of(clone), "agents' clones", _packing(clone))
    for path in discarding.unfinished_clones(_MAKING_S, time.time()):
        reason = "its making was cut off"
        found.append(Finding("agents' clones", str(path), reason, remove=_removing(path)))
    return found


def _packing(clone: Path) -> Callable[[], bool]:
    return lambda: discarding.packed(clone, collect_objects)


def _removing(path: Path) -> Callable[[], bool]:
    def remove() -> bool:
        remove_folder(path)
        return True

    return remove
