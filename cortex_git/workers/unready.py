"""Runners that cannot work on this host just now: their tasks are left to hosts where they can.

Owns how often that is looked at, and which tasks are left. Must never let a task fail for what this host
lacks.
"""

import time
from collections.abc import Callable, Iterable

from cortex_git.errors import CortexError
from cortex_git.models import Task
from cortex_git.runners import ready

_LOOK_S = 10.0
"""Seconds that an answer holds; a person may have put a key in its place since."""


class Unready:
    """What one long-lived pool knows of the runners of its tasks. `tasks` may be read from any thread."""

    def __init__(self) -> None:
        self._looked: dict[str, tuple[float, CortexError | None]] = {}
        self._problems: dict[str, CortexError] = {}
        self.tasks: frozenset[str] = frozenset()
        """Open tasks that are not to be claimed, because their runner cannot work here."""

    def problem(self, runner: str) -> CortexError | None:
        """Why the runner cannot work here; None where it can."""
        looked = self._looked.get(runner)
        if looked is None or time.monotonic() - looked[0] > _LOOK_S:
            try:
                ready(runner)
                looked = time.monotonic(), None
            except CortexError as error:
                looked = time.monotonic(), error
            self._looked[runner] = looked
        return looked[1]

    def leave(
        self,
        runner: str,
        problem: CortexError,
        tasks: Iterable[Task],
        runner_of: Callable[[Task], str | None],
    ) -> None:
        """Leave those of the tasks that the runner would carry out to others, for that problem."""
        self._problems[runner] = problem
        self.tasks |= {task.task for task in tasks if runner_of(task) == runner}

    def tick(self) -> bool:
        """Look whether one of them can work by now; then all that was left may be claimed again."""
        if not any(self.problem(runner) is None for runner in self._problems):
            return False
        self._problems.clear()
        self.tasks = frozenset()
        return True

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why tasks are left, for whoever looks."""
        return tuple(f"tasks are left to other hosts: {problem}" for problem in self._problems.values())
