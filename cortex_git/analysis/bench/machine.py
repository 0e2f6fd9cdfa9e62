"""What a measurement was taken on, so that its figures can be read later.

Owns the description only. Must never name the machine or its user.
"""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cortex_git import __version__
from cortex_git.gitio import Git


def describe() -> dict[str, str | int | float]:
    """Cores, memory in MiB, system, versions, the day (UTC), and the load (runnable processes) as of now.

    A load near the number of cores means that something else ran too, and that the figures are low.
    """
    import psutil

    return {
        "cores": os.cpu_count() or 1,
        "memory_mib": psutil.virtual_memory().total // (1024 * 1024),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "git": Git(Path.cwd()).text("--version").removeprefix("git version "),
        "cortex_git": __version__,
        "measured_on": datetime.now(UTC).date().isoformat(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def sentence(machine: Mapping[str, object]) -> str:
    """A machine as `describe` gave it, in words; older documents do not say the day."""
    day = f"on {machine['measured_on']}, " if "measured_on" in machine else ""
    return (
        f"{day}{machine['cores']} cores, {machine['memory_mib']:,} MiB of memory, {machine['system']},"
        f" Python {machine['python']}, git {machine['git']}, cortex-git {machine['cortex_git']},"
        f" load {machine['load_before']} when it began"
    )


def busy_note(machine: dict[str, str | int | float]) -> str | None:
    """A warning where the machine was not idle before the measurement began."""
    load, cores = float(machine["load_before"]), int(machine["cores"])
    if load < cores / 2:
        return None
    return f"load {load:g} on {cores} cores before it began: the figures are lower than on an idle machine"
