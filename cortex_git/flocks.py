"""Locks on files, between processes and threads: the kernel frees one when its holder dies.

Owns the ways to take one. Imports nothing heavy.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold `path` exclusively against other threads and processes; it is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder exclusively, without a file in it; a file system that cannot lock one holds nothing."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def try_lock(handle: IO[str] | int) -> bool:
    """Hold an open file as `file_lock` does, if nobody holds it now; whether that is so."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
