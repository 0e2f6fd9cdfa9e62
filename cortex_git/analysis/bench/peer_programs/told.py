"""What every program of a peer has in common: its arguments, its work, and what it says at its end."""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

_LOOK_S = 0.005
_MOST_S = 600.0


class Asked(NamedTuple):
    """What a program is to do: so many tasks of so many seconds on so many workers."""

    tasks: int
    workers: int
    task_s: float


def asked() -> Asked:
    return Asked(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))


def work(task_s: float) -> int:
    """One task."""
    if task_s:
        time.sleep(task_s)
    return 1


def between(done: Callable[[], int], tasks: int) -> float:
    """Seconds from the first results to the last, seen by looking, in proportion for those seen first."""
    started = time.monotonic()
    first_at, first = 0.0, 0
    while True:
        now, count = time.monotonic(), done()
        if count and not first:
            first_at, first = now, count
        if count >= tasks:
            return (now - first_at) * tasks / max(tasks - first, 1)
        if now - started > _MOST_S:
            raise SystemExit(f"{count} of {tasks} results after {_MOST_S:g} s")
        time.sleep(_LOOK_S)


def tell(package: str, seconds: float) -> None:
    print(json.dumps({"seconds": seconds, "version": version(package)}))  # noqa: T201
