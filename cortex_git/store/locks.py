"""Lock folders under `coordination/locks`: the gate between the processes of this host only.

Owns taking, freeing and clearing them. They save pushes that would lose anyway; what decides who
runs a task is the claim ref, so a lock wrongly taken costs nothing but a lost claim.
"""

import json
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cortex_git.flocks import file_lock
from cortex_git.state import own_process, process_alive

_STARTED = "started"
TRIES = 30
PAUSE_S = 0.1
_UNSIGNED_S = 5.0
"""A lock without its owner's name is a process caught between two steps, or dead, when older."""


class Locks:
    """The lock folders of one clone."""

    def __init__(self, folder: Path, private: Path) -> None:
        self._folder = folder
        self._clearing = private / "locks.lock"
        self._aside = private / "dead-locks"
        self._held: dict[str, int] = {}
        """Inode of each lock folder taken, by which it is known again."""

    def path(self, task: str) -> Path:
        return self._folder / f"{task}.lock"

    def stale(self) -> list[str]:
        """Tasks whose lock nobody holds any more, sorted; the next process that wants one clears it."""
        try:
            folders = sorted(self._folder.glob("*.lock"))
        except OSError:
            return []
        return [folder.name.removesuffix(".lock") for folder in folders if not _alive(folder)]

    def acquire(self, task: str, *, worker: str = "", nonce: str = "") -> bool:
        """Take the task's lock if it is free or its owner is dead. Never waits."""
        for _ in range(2):
            try:
                self.path(task).mkdir(parents=True)
            except FileExistsError:
                if not self.clear_dead(task):
                    return False
                continue
            return self._sign(task, worker, nonce)
        return False

    def holds(self, task: str) -> bool:
        """Whether the task's lock is the one that this object took."""
        with suppress(OSError):
            return self._held.get(task) == self.path(task).stat().st_ino
        return False

    def mark_started(self, task: str) -> None:
        """Note in a lock this object holds that a worker is on the task."""
        if task in self._held:
            with suppress(OSError):
                (self.path(task) / _STARTED).touch()

    def is_started(self, task: str) -> bool:
        """Whether a worker was on the task under its present lock."""
        return (self.path(task) / _STARTED).exists()

    def was_started(self, task: str) -> bool:
        """Whether a worker was, or may have been, on the task: there may be no lock to tell."""
        return not self.path(task).exists() or self.is_started(task)

    def wait(self, task: str, sleep: Callable[[float], None] = time.sleep) -> bool:
        """Take the lock of one given task, tried 30 times at 0.1 s."""
        for attempt in range(TRIES):
            started = self.is_started(task)
            if self.acquire(task):
                if started:  # under a dead owner: whoever takes its claim over counts that attempt
                    self.mark_started(task)
                return True
            if attempt < TRIES - 1:
                sleep(PAUSE_S)
        return False

    def release(self, task: str) -> None:
        """Free a lock this object took; one that somebody else took meanwhile stays."""
        path, held = self.path(task), self.holds(task)
        self._held.pop(task, None)
        with suppress(OSError):
            if held:
                for name in ("owner.json", "pid", _STARTED):
                    (path / name).unlink(missing_ok=True)
                path.rmdir()

    def _sign(self, task: str, worker: str, nonce: str) -> bool:
        pid, started, boot = own_process()
        owner = {"pid": pid, "started": started, "boot_id": boot, "worker": worker, "nonce": nonce}
        try:
            (self.path(task) / "owner.json").write_text(json.dumps(owner))
            (self.path(task) / "pid").write_text(f"{pid}\n")
            self._held[task] = self.path(task).stat().st_ino
        except FileNotFoundError:
            return False  # cleared as dead while we stood still: it is somebody else's now
        return True

    def clear_dead(self, task: str) -> bool:
        """Move a dead owner's lock aside; whether the task has none now.

        Looking and moving are one step under a lock of their own, because a rename alone could take a
        newer, living lock.
        """
        path = self.path(task)
        with file_lock(self._clearing):
            if not path.exists():
                return True
            if _alive(path):
                return False
            self._aside.mkdir(parents=True, exist_ok=True)
            target = self._aside / f"{task}-{secrets.token_hex(4)}"
            try:
                path.rename(target)
            except FileNotFoundError:
                return True
        shutil.rmtree(target, ignore_errors=True)
        return True


def _owner(path: Path) -> dict[str, object] | None:
    try:
        owner = json.loads((path / "owner.json").read_text())
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) else None


def _alive(path: Path) -> bool:
    owner = _owner(path)
    if owner is None:
        try:
            return time.time() - path.stat().st_mtime < _UNSIGNED_S
        except OSError:
            return False
    try:
        return process_alive(int(str(owner["pid"])), float(str(owner["started"])), str(owner["boot_id"]))
    except (KeyError, ValueError):
        return False
