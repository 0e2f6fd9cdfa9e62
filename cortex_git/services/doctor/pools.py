"""Checks of pools and their workers: what a pool that was killed left behind.

Owns telling an orphan from a worker that is just leaving. Must never end a process of a living pool.
"""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from cortex_git.errors import EnvironmentProblem
from cortex_git.flocks import try_lock
from cortex_git.locating import LOCK, SOCKET, socket_address
from cortex_git.processes import signal_session
from cortex_git.services.doctor.findings import Finding, Mend, many, named, ok, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.services.doctor.processes import command_of, holder_of, parent_of
from cortex_git.state import boot_id, process_alive, process_started

_LEAVE_S = 3.0
"""Seconds in which workers leave by themselves once their pool is gone."""
_SAVE_S = 5.0
"""Seconds that an orphan gets to save what it holds."""
_WORKER, _FORKSERVER = "cortex_git.workers.worker", "cortex_git.workers.forkserver"


def door(patient: Patient) -> Iterator[Finding]:
    """The pool's socket and lock: both are there, or neither."""
    private = patient.private
    path = private / SOCKET
    holder = holder_of(private / LOCK)
    if holder is None and not path.exists():
        yield ok("no pool runs")
    elif holder is None:
        yield warning(
            "a socket is left of a pool that was killed",
            str(path),
            why="commands that ask for a pool look at it first, and go on without one",
            mend=Mend("remove the socket", lambda: _close(private)),
        )
    elif not _answers_soon(private):
        yield warning(
            f"a pool runs (process {holder}) that cannot be asked for anything: nobody answers at its socket",
            str(path),
            why="its socket was deleted, or it hangs: `pool stop` does not reach it",
            do=f"kill -TERM {holder}" if holder else "end it in its own container",
        )
    else:
        yield ok(f"a pool runs (process {holder}) and can be asked")


def _answers_soon(private: Path) -> bool:
    """A pool that is only just starting gets a moment."""
    deadline = time.monotonic() + _LEAVE_S
    while not _answers(private):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True


def _answers(private: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2.0)
        try:
            with socket_address(private) as address:
                connection.connect(address)
        except OSError:
            return False
    return True


def _close(private: Path) -> str:
    """Under the pool's lock: whoever starts one meanwhile makes a socket of its own."""
    with (private / LOCK).open("a") as lock:
        if not try_lock(lock):
            raise EnvironmentProblem("a pool was started meanwhile", "nothing has to be done")
        (private / SOCKET).unlink(missing_ok=True)
    return "removed the socket of a pool that was killed"


def workers(patient: Patient) -> Iterator[Finding]:
    """Worker processes whose pool is dead, and that do not leave."""
    found = _orphans(patient)
    deadline = time.monotonic() + _LEAVE_S
    while found and time.monotonic() < deadline:
        time.sleep(0.1)
        found = sorted(set(found) & set(_orphans(patient)))
    if not found:
        yield ok("no worker is left of a dead pool")
        return

    def end() -> str:
        return _end(sorted(set(found) & set(_orphans(patient))))

    yield warning(
        f"{many(len(found), 'worker')} of a dead pool still there, stopped or stuck",
        f"processes {named([str(pid) for pid in found], 8)}",
        why="they hold memory, and perhaps a finished result that they could not save",
        mend=Mend(f"end {many(len(found), 'worker')}, after what they hold is saved", end),
    )


def _orphans(patient: Patient) -> list[int]:
    """Process ids of workers of dead pools of this clone, and of what forked them."""
    rows = patient.state.execute(
        "SELECT pool, pool_started, boot, pid FROM workers WHERE ended_at IS NULL AND boot = ?", (boot_id(),)
    ).fetchall()
    alive = {pool: process_alive(*pool) for pool in {tuple(row[:3]) for row in rows}}
    kept = {row[3] for row in rows if alive[tuple(row[:3])]}
    found: list[int] = []
    for pool, started, boot, pid in rows:
        if alive[pool, started, boot] or pid in kept or not _is_worker(pid, started):
            continue
        found.append(pid)
        parent = parent_of(pid)
        if _FORKSERVER in command_of(parent) and parent not in kept:
            found.append(parent)
    return list(dict.fromkeys(found))


def _is_worker(pid: int, pool_started: float) -> bool:
    """Whether the process is one of ours, and no older than its pool: ids are used again."""
    words = command_of(pid)
    return bool({_WORKER, _FORKSERVER} & set(words)) and process_started(pid) >= pool_started


def _end(pids: list[int]) -> str:
    """Let them go on and save what they hold; then ask them to leave; then end them."""
    for number in (signal.SIGCONT, signal.SIGTERM):
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        if _gone(pids, _SAVE_S, process_started):
            return f"{many(len(pids), 'worker')} of a dead pool saved what they held, and left"
    for pid in pids:
        signal_session(pid, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    if not _gone(pids, _SAVE_S, process_started):
        raise EnvironmentProblem("some of them do not end", f"kill -9 {' '.join(map(str, pids))}")
    return f"ended {many(len(pids), 'worker')} of a dead pool"


def _gone(pids: list[int], seconds: float, started: Callable[[int], float]) -> bool:
    deadline = time.monotonic() + seconds
    while any(started(pid) for pid in pids):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True
