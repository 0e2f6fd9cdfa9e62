"""The processes of a host under test, found by the mark in their environment: stopped, continued, killed.

Owns who belongs to whom. What a push started on the remote's side is not the host's: a real server goes on
when its client is stopped, so it is left alone here.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_REMOTE_SIDE = (b"receive-pack", b"upload-pack", b"unpack-objects", b"index-pack", b"/hooks/")


def marked(variable: str, value: str) -> Iterator[int]:
    """Process ids of all that were started with `variable=value`, the remote's side left out."""
    wanted = f"{variable}={value}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if wanted not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            command = (entry / "cmdline").read_bytes()
            if not any(part in command for part in _REMOTE_SIDE):
                yield int(entry.name)


def send(variable: str, value: str, number: signal.Signals) -> int:
    """Signal them all, again until no new one turns up; how many there were."""
    told: set[int] = set()
    for _ in range(5):
        new = [pid for pid in marked(variable, value) if pid not in told]
        if not new:
            break
        for pid in new:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        told.update(new)
    return len(told)


def kill_all(variable: str, value: str) -> None:
    """End everything marked so, also what is stopped and what is started meanwhile."""
    for _ in range(20):
        if not send(variable, value, signal.SIGKILL):
            return
