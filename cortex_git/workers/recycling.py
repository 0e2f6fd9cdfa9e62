"""When a worker has to leave: too much memory, too many tasks, too old.

Owns the measurement of memory and the rule. It only says so; the worker finishes its task first.
"""

import time

from cortex_git.config import PoolSettings
from cortex_git.processes import descendants
from cortex_git.workers.pool import Slot

_MIB = 1024 * 1024


def why_leave(slot: Slot, settings: PoolSettings, now_s: float) -> str:
    """Why the worker in `slot` is to be replaced, by `time.monotonic`; empty where it may stay."""
    if slot.rss_mib > settings.rss_mib:
        return f"it has {slot.rss_mib:.0f} MiB, more than {settings.rss_mib:g}"
    if slot.tasks_done >= settings.max_tasks:
        return f"it has carried out {slot.tasks_done} tasks"
    if now_s - slot.asked_at > settings.max_age_s:
        return f"it is {now_s - slot.asked_at:.0f} s old"
    return ""


def measure(slot: Slot, *, whole: bool = True) -> None:
    """See how much memory the worker has; `whole`: with everything it started."""
    pids = [slot.pid, *descendants(slot.pid)] if whole else [slot.pid]
    slot.rss_mib = sum(resident_mib(pid) for pid in pids)


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB; 0.0 where it has ended."""
    import psutil

    try:
        return float(psutil.Process(pid).memory_info().rss) / _MIB
    except psutil.Error:
        return 0.0


class Memory:
    """Measures the workers of a pool in turn, so that no look takes long."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next: dict[str, float] = {}

    def look(self, slots: list[Slot]) -> None:
        """Measure those not measured for `every_s` seconds."""
        now_s = time.monotonic()
        for slot in slots:
            if slot.connection is not None and self._next.get(slot.name, 0.0) <= now_s:
                self._next[slot.name] = now_s + self._every_s
                measure(slot)
