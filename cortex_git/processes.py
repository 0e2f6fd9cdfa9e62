"""Ending processes with everything they started, in time, and when we are killed ourselves.

Owns how long a process may take and how it is made to end. Knows nothing of what it does.
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

_GRACE_S = 2.0
"""Seconds between SIGTERM and SIGKILL."""
_LOOK_S = 0.5
"""How often a process that does not end is looked at."""
_PR_SET_CHILD_SUBREAPER = 36
_hurry_until: float | None = None


class TookTooLong(Exception):
    """The process did not end in time and was ended."""


def hurry(seconds: float | None) -> None:
    """Until it is called with None, nothing that `finished` waits for may go on past `seconds` from now.

    For the second Ctrl-C: a remote that hangs must not hold the command.
    """
    global _hurry_until
    _hurry_until = None if seconds is None else time.monotonic() + seconds


def finished(
    process: "subprocess.Popen[bytes]", stdin: bytes | None, timeout_s: float
) -> tuple[bytes, bytes]:
    """Feed a process and wait for its end; its standard output and error.

    Returns when the process has ended, although something it started (an ssh master) keeps a pipe open.
    Raises TookTooLong; on any exception the process group is ended, softly first.
    """
    deadline = time.monotonic() + timeout_s
    if stdin is not None:
        _feed(process, stdin)
    try:
        while True:
            left = deadline - time.monotonic()
            if _hurry_until is not None:
                left = min(left, _hurry_until - time.monotonic())
            try:
                return process.communicate(timeout=max(0.01, min(left, _LOOK_S)))
            except subprocess.TimeoutExpired as late:
                if process.poll() is not None:
                    read = (late.stdout or b"", late.stderr or b"")
                    return read[0] + _left_in(process.stdout), read[1] + _left_in(process.stderr)
                if left <= 0:
                    raise TookTooLong from None
    except BaseException:
        end_group(process)
        raise


def _left_in(pipe: IO[bytes] | None) -> bytes:
    """What a process that has ended left in its pipe: it may have ended after we last looked."""
    parts: list[bytes] = []
    if pipe is not None and not pipe.closed:
        os.set_blocking(pipe.fileno(), False)
        with suppress(BlockingIOError):  # what it started may keep the pipe open
            while part := os.read(pipe.fileno(), 1 << 16):
                parts.append(part)
    return b"".join(parts)


def _feed(process: "subprocess.Popen[bytes]", stdin: bytes) -> None:
    """Write a process's standard input in a thread of its own.

    `communicate` is called again and again here, and after its first timeout writes no more of what it was
    given (Python 3.11): a process that had not read all by then would wait for the rest for ever.
    """
    pipe, process.stdin = process.stdin, None

    def write() -> None:
        if pipe is not None:
            with suppress(OSError), pipe:  # a process may end without reading
                pipe.write(stdin)

    threading.Thread(target=write, name="stdin", daemon=True).start()


def end_group(process: "subprocess.Popen[bytes]", grace_s: float = _GRACE_S) -> None:
    """SIGTERM to a process group we started, SIGKILL after the grace: git cleans its lock files up."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    kill_group(process)


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """End a process and its group at once, and reap it. Does nothing to one that has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@cache
def _bound_by() -> tuple[str, ...]:
    """What makes a command end with us and in time, where the system has it (util-linux, coreutils)."""
    setpriv, limit = shutil.which("setpriv"), shutil.which("timeout")
    return (setpriv, "--pdeathsig", "TERM", limit, "--kill-after=5") if setpriv and limit else ()


def bound(command: list[str], limit_s: float) -> list[str]:
    """`command`, made to end (with its group) when this process is killed, and after `limit_s` seconds.

    Elsewhere than on Linux the command as it is: then a remote that hangs can leave it behind.
    """
    wrapping = _bound_by()
    return [*wrapping, f"{limit_s:g}", *command] if wrapping else command


def in_session(leader: int) -> list[int]:
    """Process ids of the session that `leader` leads, the leader last."""
    members = [pid for pid in _all_processes() if _session(pid) == leader]
    return [pid for pid in members if pid != leader] + [pid for pid in members if pid == leader]


def signal_session(leader: int, number: signal.Signals, *, but: int | None = None) -> None:
    """Signal every process of the session, `but` one; those that end meanwhile are passed over."""
    for pid in in_session(leader):
        if pid != but:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def adopt_orphans() -> None:
    """From now on, what our children leave behind becomes our child, whatever session it went to.

    Linux only (prctl's PR_SET_CHILD_SUBREAPER); elsewhere only sessions hold processes together.
    """
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Process ids of the children of `pid`, and of theirs, parents first."""
    found: list[int] = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        lists = [(thread / "children").read_text() for thread in tasks.iterdir()]
    except OSError:
        return [] if tasks.parent.parent.joinpath("self").exists() else _children_elsewhere(pid)
    return [int(child) for text in lists for child in text.split()]


def _children_elsewhere(pid: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


def end_descendants(pid: int | None = None, *, but: Collection[int] = (), grace_s: float = 0.0) -> None:
    """End everything that `pid` (this process by default) started and that lives still, `but` some children.

    With `grace_s`, SIGTERM first, and SIGKILL after that many seconds. What we are the parent of is reaped.
    """
    parent = os.getpid() if pid is None else pid
    deadline = time.monotonic() + grace_s
    number = signal.SIGTERM if grace_s else signal.SIGKILL
    told: set[int] = set()
    while True:
        heads = [child for child in _children(parent) if child not in but]
        if not heads:
            return
        if number is not signal.SIGKILL and time.monotonic() >= deadline:
            number, told = signal.SIGKILL, set()
        for one in [process for head in heads for process in (head, *descendants(head))]:
            if one not in told:
                told.add(one)
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(one, number)
        for head in heads:
            with suppress(ChildProcessError):
                os.waitpid(head, os.WNOHANG)
        time.sleep(0.005)


def end_marked(variable: str, value: str) -> None:
    """End at once every process that was started with `variable=value` in its environment."""
    wanted = f"{variable}={value}"
    for pid in _all_processes():
        if pid != os.getpid() and wanted in _environment(pid):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _environment(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []  # it ended, is another user's, or the system has no /proc


def _all_processes() -> list[int]:
    proc = Path("/proc")
    if (proc / "self").exists():
        return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]
    import psutil

    return list(psutil.pids())


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
