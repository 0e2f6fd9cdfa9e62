"""Checks of locks that nobody holds any more: ours between processes, and git's own files.

Owns telling a dead lock from a living one. Must never remove one that somebody may hold.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from cortex_git.errors import EnvironmentProblem
from cortex_git.flocks import file_lock
from cortex_git.services.doctor.findings import Finding, Mend, NotLooked, many, named, note, ok, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.services.doctor.processes import gits_in, is_told, with_open
from cortex_git.store.cloning import local_path
from cortex_git.store.locks import Locks

_OLD_S = 60.0
"""Seconds after which a lock file that no process has open is a dead one's: git holds them for moments."""
_OURS = ("refs/cortex-remote", "refs/cortex-outbox", "refs/cortex-scratch")


def task_locks(patient: Patient) -> Iterator[Finding]:
    """Lock folders of tasks whose owner is dead, or cannot be told."""
    folder = patient.folder / "coordination" / "locks"
    locks = Locks(folder, patient.private)
    stale = locks.stale()
    if not stale:
        count = len(list(folder.glob("*.lock"))) if folder.is_dir() else 0
        yield ok(
            f"{many(count, 'lock')} held, all by living processes" if count else "no lock is held",
            str(folder),
        )
        return

    def clear() -> str:
        cleared = [task for task in stale if locks.path(task).exists() and locks.clear_dead(task)]
        return f"removed {many(len(cleared), 'lock')} of dead owners"

    verb = "is" if len(stale) == 1 else "are"
    yield note(
        f"{many(len(stale), 'lock')} {verb} a dead owner's, or nobody's: {named(stale)}",
        str(folder),
        why="whoever wants such a task clears its lock; they only look like work that goes on",
        mend=Mend(f"remove {many(len(stale), 'lock')} of dead owners", clear),
    )


def git_locks(patient: Patient) -> Iterator[Finding]:
    """Lock files that a git which was killed left in this clone."""
    yield from _dead_files(patient, patient.git_dir, [patient.folder], "this clone", mends=is_told())


def remote_locks(patient: Patient) -> Iterator[Finding]:
    """Lock files that a git which was killed left in the remote, where that is a folder of this machine."""
    if patient.remote is None:
        raise NotLooked("there is no remote")
    path = local_path(patient.git.text("remote", "get-url", patient.remote))
    if path is None:
        raise NotLooked("the remote is no folder of this machine")
    folder = (patient.folder / path).resolve()
    git_dir = folder / ".git" if (folder / ".git").is_dir() else folder
    if not (git_dir / "objects").is_dir():
        raise NotLooked("the remote does not answer")
    # Its other users may be on machines, or in containers, whose processes we cannot see.
    yield from _dead_files(patient, git_dir, [folder], "the remote", mends=False)


def _dead_files(
    patient: Patient, git_dir: Path, folders: list[Path], place: str, *, mends: bool
) -> Iterator[Finding]:
    found = [path for path in _lock_files(git_dir) if _age(path) > _OLD_S]
    if found and is_told():
        busy = gits_in(git_dir, *folders)
        found = [] if busy else [path for path in found if not with_open(path)]
    if not found:
        yield ok(f"no lock file of git is left in {place}", str(git_dir))
        return
    ours = [path for path in found if _is_ours(path, git_dir, patient.namespace)]
    theirs = [path for path in found if path not in ours]
    if ours:
        yield warning(
            f"a git that was killed left {many(len(ours), 'lock file')} on refs of ours in {place}",
            named([str(path) for path in ours], 2),
            why="what changes those refs is refused until they are gone",
            do="" if mends else f"rm {' '.join(map(str, ours[:5]))}, when no git is at work there",
            mend=_removal(patient, git_dir, folders, ours) if mends else None,
        )
    for path in theirs[:3]:
        yield warning(
            f"a git that was killed left a lock file in {place}, {_age(path) / 60:.0f} minutes old",
            str(path),
            why="git refuses to change what it locks"
            + (": deleting any ref" if "packed" in path.name else ""),
            do=f"rm {path}",
        )


def _removal(patient: Patient, git_dir: Path, folders: list[Path], paths: list[Path]) -> Mend:
    def run() -> str:
        # Our own fetches and publishes take turns under these, so none of them holds a lock file now.
        with file_lock(patient.private / "publish.lock"), file_lock(patient.private / "fetch.lock"):
            if gits_in(git_dir, *folders):
                raise EnvironmentProblem("git is at work there just now", "run it again in a moment")
            gone = [path for path in paths if path.exists() and _age(path) > _OLD_S and not with_open(path)]
            for path in gone:
                path.unlink(missing_ok=True)
        return f"removed {many(len(gone), 'lock file')} that a killed git had left"

    return Mend(f"remove {named([path.name for path in paths])}", run)


def _lock_files(git_dir: Path) -> Iterator[Path]:
    yield from sorted(git_dir.glob("*.lock"))
    yield from sorted((git_dir / "refs").rglob("*.lock"))


def _is_ours(path: Path, git_dir: Path, namespace: str) -> bool:
    if path == git_dir / "packed-refs.lock":
        return True  # held for a moment by whoever deletes a ref, as every publish does
    return any(path.is_relative_to(git_dir / space) for space in (*_OURS, namespace))


def _age(path: Path) -> float:
    """Seconds since it was made, by the clock of this machine; none of one that is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
