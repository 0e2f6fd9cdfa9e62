"""How much memory is still free: the machine's, and that of the control groups we are in.

Owns the reading of both. Changes nothing.
"""

from collections.abc import Iterator
from pathlib import Path

_MIB = 1024 * 1024
_GROUPS = Path("/sys/fs/cgroup")
_OURS = Path("/proc/self/cgroup")
_NAMES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.high", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, use, and the part of the use that only copies files, in control groups of version 2, 2 and 1."""


def free_mib(groups: Path = _GROUPS, ours: Path = _OURS) -> float:
    """MiB that can still be used: of the machine, or of a control group of ours where that is less.

    `groups` is where control groups are mounted, `ours` the list of those that this process is in.
    """
    import psutil

    free = psutil.virtual_memory().available
    for folder in _folders(groups, ours):
        free = min([free, *_left(folder)])
    return max(free, 0) / _MIB


def _folders(groups: Path, ours: Path) -> Iterator[Path]:
    """Our control group and those that hold it, in each tree that can limit memory.

    A container sees its own group as the tree's root, and may be told a path that is not there.
    """
    try:
        lines = ours.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = groups / controllers
        below = Path(path.lstrip("/"))
        for part in (below, *below.parents):
            yield root / part


def _left(folder: Path) -> Iterator[int]:
    """Bytes below each limit of one control group; copies of files give way, so they count as free."""
    for limit, used, copies in _NAMES:
        try:
            bound, use = int((folder / limit).read_text()), int((folder / used).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # no such file in this version, or `max`: no limit
            continue
        yield bound - use + int(stat.get(copies, 0))
