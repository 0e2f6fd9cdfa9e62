"""Who waits for the end of an attempt: a request that a running pool serves.

Owns the futures they wait on. Safe from any thread.
"""

import threading
from concurrent.futures import Future
from dataclasses import dataclass

from cortex_git.models import Result


@dataclass(frozen=True, slots=True)
class Settled:
    """How one attempt that somebody waits for ended."""

    result: Result | None
    """None where it was released to be tried again, or somebody else has the task now."""
    state: str
    """`done` or `fenced` when the remote has answered, else why there is no result."""


class Waiters:
    """Those who wait for tasks of one run."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._followed: dict[str, list[Future[Settled]]] = {}

    def follow(self, task: str) -> "Future[Settled]":
        """The end of the next attempt of `task` that this run settles."""
        with self._guard:
            future: Future[Settled] = Future()
            self._followed.setdefault(task, []).append(future)
            return future

    def unfollow(self, task: str, future: "Future[Settled]") -> None:
        """Whoever asked for this future does not wait for it; others who follow the task still do."""
        with self._guard:
            others = [one for one in self._followed.pop(task, []) if one is not future]
            if others:
                self._followed[task] = others

    def tell(self, task: str, settled: Settled) -> None:
        """The attempt ended so: whoever follows the task waits no longer."""
        with self._guard:
            futures = self._followed.pop(task, [])
        for future in futures:
            future.set_result(settled)

    def let_go(self, task: str, why: str) -> None:
        """Tell whoever follows the task that nothing more comes of it here."""
        self.tell(task, Settled(None, why))

    def let_all_go(self, why: str) -> None:
        """Nothing more comes of anything here."""
        for task in list(self._followed):
            self.let_go(task, why)
