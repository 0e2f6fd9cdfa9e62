"""Continuing: what an earlier attempt had done, for the one that goes on from there.

Owns where that is found: in published results only, never in what another process merely says.
"""

from typing import Any

from cortex_git.models import Task
from cortex_git.store import index
from cortex_git.store.repository import Repository
from cortex_git.store.results import read_results

_MOST_BACK = 20
"""Retries looked back through for one that had done anything."""


def earlier_output(repository: Repository, task: Task) -> dict[str, Any]:
    """The output of the attempt that `task` continues; empty where it continues none."""
    for _ in range(_MOST_BACK):
        if not task.continues or task.retry_of is None:
            break
        results = read_results(repository, [task.retry_of])
        if results and results[0].output:
            return dict(results[0].output)
        before = index.known_task(repository, task.retry_of)
        if before is None:
            break
        task = before
    return {}
