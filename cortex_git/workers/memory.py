"""How much memory is still free: the machine's, and that of the control group we are in.

Owns the reading of both. Changes nothing.
"""

from pathlib import Path

_MIB = 1024 * 1024
_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)
"""Limit, use and statistics as a container sees them, in version 2 and 1 of control groups."""


def free_mib() -> float:
    """MiB that can still be used: of the machine, or of our control group where that is less."""
    import psutil

    free = float(psutil.virtual_memory().available)
    for limit, used, stat in _LIMITS:
        try:
            left = int(Path(limit).read_text()) - int(Path(used).read_text()) + _reclaimable(Path(stat))
        except (OSError, ValueError):  # there is no such group, or it has no limit
            continue
        free = min(free, float(left))
    return max(free, 0.0) / _MIB


def _reclaimable(stat: Path) -> int:
    """Bytes of the group's use that are only copies of files."""
    values = dict(line.split() for line in stat.read_text().splitlines())
    return int(values.get("inactive_file", values.get("total_inactive_file", 0)))
