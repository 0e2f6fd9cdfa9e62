"""Ending a worker with everything it started.

Owns the walk over a session's processes: each worker leads a session of its own, so that git, scanners
and shells it started are found even in process groups of their own.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path


def in_session(leader: int) -> list[int]:
    """Process ids of the session that `leader` leads, the leader last."""
    members = [pid for pid in _all_processes() if _session(pid) == leader]
    return [pid for pid in members if pid != leader] + [pid for pid in members if pid == leader]


def signal_session(leader: int, number: signal.Signals) -> None:
    """Send a signal to every process of the session; those that end meanwhile are passed over."""
    for pid in in_session(leader):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


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
