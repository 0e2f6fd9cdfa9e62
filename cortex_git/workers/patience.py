"""How long a run goes on without its remote.

Owns when a run that has nothing left to do gives up waiting: what it made is in the outbox by then.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from cortex_git.errors import CortexError
from cortex_git.store.coordination import Coordination

if TYPE_CHECKING:
    from cortex_git.workers.attempts import Watcher


class Talks(Protocol):
    """A part of a run that needs the remote."""

    @property
    def problem(self) -> CortexError | None: ...


class Patience:
    """Waits for the remote on behalf of these parts; a run that is `kept` waits for ever."""

    def __init__(
        self, coordination: Coordination, parts: Sequence[Talks], watcher: "Watcher", *, kept: bool
    ) -> None:
        self._coordination = coordination
        self._parts = parts
        self._watcher = watcher
        self._kept = kept
        self._since: float | None = None

    @property
    def problem(self) -> CortexError | None:
        """What keeps the remote from answering."""
        problems = (part.problem for part in self._parts)
        return next((problem for problem in problems if problem is not None), None)

    def ended(self, *, draining: bool) -> CortexError | None:
        """Asked where nothing runs: the problem, where the remote has not answered for too long.

        What waits is in the outbox, so the command may end and say so.
        """
        problem = self.problem
        if problem is None:
            self._since = None
            return None
        if self._since is None:
            self._since = time.monotonic()
            self._watcher.note(f"{problem}; trying again")
        limit = self._coordination.repository.settings.leases.give_up_s
        waited = time.monotonic() - self._since >= limit and not self._kept
        return problem if waited or draining else None
