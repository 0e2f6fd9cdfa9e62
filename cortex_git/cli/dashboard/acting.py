"""What the keys of the dashboard do to the pool and to tasks; each takes as long as the remote does.

Owns the order of asking and doing. Returns the line that tells the person what happened.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cortex_git.services.pool_client import stop_pool, wake_pool

if TYPE_CHECKING:
    from cortex_git.store.coordination import Coordination

_MOST_FAILURES = 100


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that ended without success and was not done again yet."""

    task: str
    status: str
    completed_at: str
    worker: str
    error: str


class Actions:
    """What can be done in one coordination repository. Raises CortexError where it cannot be done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _coordination(self) -> "Coordination":
        from cortex_git.services import open_coordination

        return open_coordination(self._folder)

    def stop(self, state: str) -> str:
        """Bring the pool to `state`, `draining` or `killing`: what the person agreed to, and nothing else."""
        next_state = stop_pool(self._folder, dry_run=True)
        if next_state is None:
            return "No pool runs any more"
        if next_state["state"] != state:
            return "The pool drains already: press d again to end it at once"
        found = stop_pool(self._folder)
        return f"Pool {found['pid']} is {found['state']}" if found else "No pool runs any more"

    def cancel(self, task: str) -> str:
        """End `task` as cancelled."""
        from cortex_git.services.reopening import cancel_task

        cancel_task(self._coordination, task)
        wake_pool(self._folder)
        return f"Task {task} is cancelled"

    def retry(self, task: str) -> str:
        """Do `task` again, as a new task."""
        from cortex_git.services.reopening import retry_task

        again = retry_task(self._coordination, task)
        wake_pool(self._folder)
        return f"Task {task} is done again as {again.task}"

    def failures(self) -> list[Failure]:
        """The tasks that `retry` is for, those that ended last first."""
        from cortex_git.errors import BadInput
        from cortex_git.services.reopening import to_retry
        from cortex_git.store.results import read_results

        try:
            names = to_retry(self._coordination, ["*"])
        except BadInput:  # the glob has none
            return []
        results = read_results(self._coordination.repository, names)
        results.sort(key=lambda result: result.completed_at, reverse=True)
        return [
            Failure(r.task, r.status, r.completed_at, r.worker, r.error or "")
            for r in results[:_MOST_FAILURES]
        ]
