"""A coordination repository and a pool that note how long each thing they do takes.

Owns what is timed, and that a part of an operation is not counted beside it. Changes nothing of what they do.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cortex_git.models import Result, Task
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope, View
from cortex_git.store.publishing import Published
from cortex_git.workers.pool import Event, Pool

_T = TypeVar("_T")


@dataclass
class Clock:
    """How long each operation took, and by how many things it was about. Safe from any thread."""

    taken: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    first_look_at: float = 0.0
    acknowledged_at: float = 0.0
    """`time.monotonic` of the last push that carried a result."""
    starved: list[tuple[float, float]] = field(default_factory=list)
    """From when to when the loop waited with no worker busy, in seconds since the epoch."""
    _inside: threading.local = field(default_factory=threading.local)

    def time(self, name: str, do: Callable[[], _T], count: Callable[[_T], int]) -> _T:
        """Do it, and note it, unless it is a part of another operation."""
        if getattr(self._inside, "busy", False):
            return do()
        self._inside.busy = True
        started = time.monotonic()
        try:
            found = do()
        finally:
            self._inside.busy = False
        self.taken.setdefault(name, []).append((count(found), time.monotonic() - started))
        return found


class Timed(Coordination):
    """A coordination repository whose operations are timed."""

    def __init__(self, coordination: Coordination) -> None:
        super().__init__(coordination.repository)
        self.clock = Clock()

    def pull(self, *, not_before: float | None = None) -> View:
        self.clock.first_look_at = self.clock.first_look_at or time.monotonic()
        return self.clock.time("look", lambda: super(Timed, self).pull(not_before=not_before), lambda _: 0)

    def claim(
        self,
        scope: Scope,
        count: int,
        worker: Callable[[Task], str],
        view: View | None = None,
        busy: Sequence[str] | None = None,
    ) -> list[Claim]:
        return self.clock.time(
            "claim", lambda: super(Timed, self).claim(scope, count, worker, view, busy), len
        )

    def record(self, outcomes: Sequence[tuple[Claim, Result, dict[str, bytes]]]) -> list[Result]:
        return self.clock.time("record", lambda: super(Timed, self).record(outcomes), len)

    def flush(self) -> Published:
        found = self.clock.time("push", lambda: super(Timed, self).flush(), lambda report: len(report.done))
        if found.done:
            self.clock.acknowledged_at = time.monotonic()
        return found

    def fold(self) -> str | None:
        return self.clock.time("fold", lambda: super(Timed, self).fold(), lambda _: 0)


class Watched(Pool):
    """A pool that notes how long nothing was to be waited for but claims."""

    clock: Clock

    def wait(self, timeout_s: float, extra: Sequence[int] = ()) -> list[Event]:
        if self.busy():
            return super().wait(timeout_s, extra)
        started = time.time()
        found = super().wait(timeout_s, extra)
        self.clock.starved.append((started, time.time()))
        return found
