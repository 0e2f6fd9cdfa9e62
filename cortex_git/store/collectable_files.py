"""Files and folders of this clone that killed processes left: locks, half-written files, old logs.

Owns when such a file may go. A file that somebody may be writing is never one: it has to be old.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cortex_git.store import layout
from cortex_git.store.collecting import DAY_S, Finding
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import View

_WRITING_S = 3600.0
_LOGS_S = 30 * DAY_S


def stale_locks(coordination: Coordination, view: View) -> list[Finding]:
    """Lock folders of dead processes, but where a claim stands: there it tells whether a worker had begun."""
    locks = coordination.locks
    found: list[Finding] = []
    for task in locks.stale():
        what = str(locks.path(task))
        if task in view.claims:
            why = "its process is gone, but the claim stands: whoever takes that over clears it"
            found.append(Finding("locks", what, why))
        else:
            remove = _clearing(coordination, task)
            found.append(Finding("locks", what, "its process is gone", remove=remove))
    return found


def _clearing(coordination: Coordination, task: str) -> Callable[[], bool]:
    return lambda: coordination.locks.clear_dead(task)


def temporary_files(coordination: Coordination) -> list[Finding]:
    """What writers that were killed left beside the files that they were about to replace."""
    repository = coordination.repository
    private, shared = repository.private, repository.folder / layout.ROOT
    patterns = (
        (private, "host.json.*"),
        (private, "dead-locks/*"),
        (private, "worktrees/*.json.*"),
        (shared, "*.json.*"),
        (shared, ".*.json.*"),
        (repository.git_dir, "fast_import_crash_*"),
    )
    paths = (path for folder, pattern in patterns for path in folder.glob(pattern))
    return [
        _path("temporary files", path, "whoever wrote it did not end") for path in _older(paths, _WRITING_S)
    ]


def old_logs(coordination: Coordination) -> list[Finding]:
    """What workers of long ago printed."""
    logs = (coordination.repository.private / "logs").glob("*.log*")
    return [_path("logs", path, "nothing was written for 30 days") for path in _older(logs, _LOGS_S)]


def _older(paths: Iterable[Path], seconds: float) -> Iterator[Path]:
    before = time.time() - seconds
    for path in sorted(paths):
        try:
            if path.lstat().st_mtime < before:
                yield path
        except OSError:
            continue


def _path(kind: str, path: Path, reason: str) -> Finding:
    def remove() -> bool:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        return True

    return Finding(kind, str(path), reason, bytes=_size(path), remove=remove)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
