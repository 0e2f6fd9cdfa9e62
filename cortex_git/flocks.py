"""Locks on files, between processes and threads: the kernel frees one when its holder dies.

Owns the two ways to take one. Imports nothing heavy.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold `path` exclusively against other threads and processes; it is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def try_lock(handle: IO[str] | int) -> bool:
    """Hold an open file as `file_lock` does, if nobody holds it now; whether that is so."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
