"""The caps that keep a hostile repository from costing more than its own row.

Owns how much of a repository is looked at, for how long, and how much memory one part may take.
Must never pass over something silently: whoever meets a cap records a `NotScanned`.
"""

import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps for one repository; sizes in bytes, times in seconds."""

    lockfile_bytes: int = 16 * MIB
    lockfiles: int = 500
    total_bytes: int = 256 * MIB
    """Of all lockfiles together."""
    download_bytes: int = 512 * MIB
    """What one fetch may write to disk: all of one commit where a server has no filters."""
    paths: int = 200_000
    path_bytes: int = 4096
    path_depth: int = 128
    listing_bytes: int = 128 * MIB
    """Of the names of all files together."""
    time_s: float = 120.0
    parse_s: float = 20.0
    """Processor time of reading one lockfile."""
    parse_memory_bytes: int = 256 * MIB
    """What reading one lockfile may add to this process."""
    git_memory_bytes: int = 256 * MIB
    """Working memory of one git process; files it maps are not counted."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Limits":
        """From plain JSON values; missing ones take their default."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__ if name in value})


class OutOfTime(BaseException):
    """One repository's time or one lockfile's parse time has passed.

    Not an `Exception`, so that no reader that guards its own mistakes swallows it.
    """


class Deadline:
    """The end of one repository's time, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def extend(self, seconds: float) -> None:
        """Put the end off by what was spent waiting for other repositories."""
        self._end += seconds

    def left(self) -> float:
        """Seconds left; raises OutOfTime when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise OutOfTime(f"took over {self.seconds:g} s")
        return left


def restrict_process(pid: int, data_bytes: int, file_bytes: int) -> None:
    """Cap the working memory and the size of any file of a process that has just been started.

    Linux only: elsewhere the sizes that are asked for before a blob is read have to do.
    """
    if sys.platform == "linux":
        with suppress(ProcessLookupError, PermissionError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (data_bytes, data_bytes))
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


_limit_is_ours = threading.Lock()
"""The memory limit is the whole process's: of several threads the first sets and restores it."""


@contextmanager
def bounded_parse(seconds: float, memory_bytes: int) -> Iterator[None]:
    """Inside the block: OutOfTime after `seconds` of processor time, MemoryError past `memory_bytes` more.

    The time is only watched in the main thread, where signals arrive; a worker's own deadline is what
    is left elsewhere. Memory is only watched on Linux, and for one thread at a time.
    """
    with _bounded_memory(memory_bytes), _bounded_time(seconds):
        yield


@contextmanager
def _bounded_memory(more_bytes: int) -> Iterator[None]:
    used = _data_bytes()
    if used is None or not _limit_is_ours.acquire(blocking=False):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = used + more_bytes
    if soft != resource.RLIM_INFINITY:
        wanted = min(wanted, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        _limit_is_ours.release()


def _data_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[5])
    except (OSError, IndexError, ValueError):
        return None
    return pages * resource.getpagesize()


@contextmanager
def _bounded_time(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime(f"takes over {seconds:g} s to read")

    previous = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
