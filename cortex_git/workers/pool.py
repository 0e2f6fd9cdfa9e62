"""The pool: worker processes, each idle or on one assignment, as many as whoever uses it wants.

Owns the processes, their connections and their logs. It knows nothing of claims: whoever uses it hands
out assignments and is told what became of them. Used from one thread.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import cast

from cortex_git.errors import EnvironmentProblem
from cortex_git.processes import signal_session
from cortex_git.state import now
from cortex_git.workers.logs import keep_small, opened_log
from cortex_git.workers.messages import Assignment, Report, receive, report_of, send
from cortex_git.workers.spawning import Spawner
from cortex_git.workers.worker import OUT_OF_TIME

_BAD_STARTS = 3
"""Workers in a row that end before they are ready, before the pool gives up."""


@dataclass
class Slot:
    """One place in the pool: its worker's name outlives the process that fills it."""

    name: str
    kind: str = ""
    """The worker type whose tasks it takes; empty for one that takes any."""
    pid: int = 0
    connection: "Connection[bytes, bytes] | None" = None
    ready: bool = False
    assignment: Assignment | None = None
    ends_at: float = 0.0
    """`time.monotonic` when the attempt has used up its time."""
    asked_at: float = 0.0
    """`time.monotonic` when the process was asked for."""
    startup_s: float = 0.0
    """What a cold start took, until an assignment has accounted for it."""
    told: bool = False
    """OUT_OF_TIME was sent because the time is up."""
    leaving: str = ""
    """Why it gets no further assignment; empty while it does."""
    since: str = ""
    """When the process was asked for, ISO 8601 in UTC."""
    assigned_at: float = 0.0
    """`time.monotonic` when it was given its assignment."""
    tasks_done: int = 0
    """Assignments that this process has ended."""
    busy_s: float = 0.0
    """Seconds that this process has been on assignments it ended."""
    last_type: str = ""
    """Worker type of the task it is on, or was on last."""
    rss_mib: float = 0.0
    """Resident memory when it was last measured, in MiB."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A worker reported on its assignment."""

    slot: Slot
    assignment: Assignment
    report: Report


@dataclass(frozen=True, slots=True)
class Died:
    """A worker process ended; `assignment` is what it was on, `status` negative for a signal."""

    slot: Slot
    assignment: Assignment | None
    status: int | None
    out_of_time: bool = False


Event = Finished | Died


@contextmanager
def running(pool: "Pool") -> Iterator["Pool"]:
    """The pool, started; its processes are gone when the block is left, however."""
    try:
        pool.start()
        yield pool
    except BaseException:
        pool.kill()
        raise
    finally:
        pool.close()


class Pool:
    """`size` workers named by `name` (from 1), started by `spawner`; more and fewer as it is told.

    With `logs`, what a worker prints goes to a file of its own in that folder.
    """

    def __init__(
        self,
        spawner: Spawner,
        size: int,
        name: Callable[[int], str],
        grace_s: float = 5.0,
        logs: Path | None = None,
    ) -> None:
        self.slots = [Slot(name(number)) for number in range(1, size + 1)]
        self.name = name
        self._spawner = spawner
        self._logs = logs
        self._grace_s = grace_s
        self._bad_starts = 0
        self.ready_at = 0.0
        """`time.monotonic` when a worker last became ready."""

    @property
    def warm(self) -> bool:
        return self._spawner.warm

    def start(self) -> None:
        """Start every worker; they say when they are ready."""
        for slot in self.slots:
            self._fill(slot)

    def add(self, name: Callable[[int], str] | None = None, kind: str = "") -> Slot:
        """Start one more worker, under the first name that is free."""
        taken = {slot.name for slot in self.slots}
        named = name or self.name
        slot = Slot(next(text for number in count(1) if (text := named(number)) not in taken), kind)
        self._fill(slot)
        self.slots.append(slot)
        return slot

    def remove(self, slot: Slot) -> None:
        """Let an idle worker go."""
        self._dismiss(slot)
        self.slots.remove(slot)

    def replace(self, slot: Slot) -> None:
        """Let an idle worker go, and start another in its place."""
        self._dismiss(slot)
        self._fill(slot)

    def trim_logs(self) -> None:
        """Keep the logs of long-lived workers small."""
        if self._logs is not None:
            keep_small(self._logs)

    def _dismiss(self, slot: Slot) -> None:
        if slot.connection is not None:
            with suppress(OSError):
                send(slot.connection, "exit")
            slot.connection.close()
            slot.connection = None

    def _fill(self, slot: Slot) -> None:
        slot.asked_at, slot.since = time.monotonic(), now()
        with opened_log(self._logs, slot.name) as log:
            spawned = self._spawner.spawn(log)
        slot.pid, slot.connection = spawned.pid, spawned.connection
        slot.ready, slot.assignment, slot.told, slot.leaving = False, None, False, ""
        slot.tasks_done, slot.busy_s, slot.last_type, slot.rss_mib = 0, 0.0, "", 0.0

    def overhead_s(self, slot: Slot) -> float:
        """Seconds of start-up that the next assignment of `slot` has to account for; 0 for a warm worker."""
        startup, slot.startup_s = slot.startup_s, 0.0
        return startup

    def idle(self) -> list[Slot]:
        """Slots whose worker waits for work."""
        return [slot for slot in self.slots if slot.ready and slot.assignment is None and not slot.leaving]

    def busy(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.assignment is not None]

    def assign(self, slot: Slot, assignment: Assignment) -> bool:
        """Hand an assignment to an idle worker; False when it turns out to be gone."""
        if slot.connection is None:
            return False
        try:
            send(slot.connection, "run", assignment)
        except OSError:
            return False
        slot.assignment = assignment
        slot.assigned_at = time.monotonic()
        slot.ends_at = slot.assigned_at + assignment.deadline_s
        slot.last_type = str(assignment.task["type"])
        return True

    def recorded(self, slot: Slot, nonce: str) -> None:
        """Tell a worker that its result is safe, so that it need not hold it any longer."""
        if slot.connection is not None:
            with suppress(OSError):
                send(slot.connection, "recorded", nonce)

    def wait(self, timeout_s: float, extra: Sequence[int] = ()) -> list[Event]:
        """What happened within `timeout_s`; returns early, also when a descriptor of `extra` is readable."""
        self._enforce_time()
        by_connection = {slot.connection: slot for slot in self.slots if slot.connection is not None}
        readable = wait([*by_connection, *extra], timeout_s)
        events: list[Event] = []
        for connection in readable:
            slot = by_connection.get(cast("Connection[bytes, bytes]", connection))
            if slot is not None and (event := self._hear(slot)) is not None:
                events.append(event)
        return events

    def _hear(self, slot: Slot) -> Event | None:
        assert slot.connection is not None  # noqa: S101 - narrowed for the type checker
        try:
            kind, body = receive(slot.connection)
            report = report_of(body) if kind == "done" else None
        except (EOFError, OSError, ValueError):
            return self._lost(slot)
        if kind == "ready":
            slot.ready = True
            self.ready_at = time.monotonic()
            if not self._spawner.warm:
                slot.startup_s = self.ready_at - slot.asked_at
            self._bad_starts = 0
            return None
        assignment, slot.assignment = slot.assignment, None
        slot.told = False
        slot.tasks_done += 1
        slot.busy_s += time.monotonic() - slot.assigned_at
        return Finished(slot, assignment, report) if report and assignment else None

    def _lost(self, slot: Slot) -> Died:
        if slot.connection is not None:
            slot.connection.close()
        slot.connection = None
        signal_session(slot.pid, signal.SIGKILL)  # what it started, should nobody else be left to do it
        status = self._spawner.status_of(slot.pid)
        died = Died(slot, slot.assignment, status, out_of_time=slot.told)
        if not slot.ready:
            self._bad_starts += 1
            if self._bad_starts >= _BAD_STARTS:
                raise EnvironmentProblem(
                    f"{_BAD_STARTS} workers in a row ended before they were ready (status {status})",
                    "see their messages above",
                )
        slot.ready, slot.assignment = False, None
        return died

    def refill(self, slot: Slot) -> None:
        """Start a new worker in the place of one that died."""
        self._fill(slot)

    def _enforce_time(self) -> None:
        """OUT_OF_TIME when an attempt's time is up, SIGKILL for its whole session after the grace."""
        now = time.monotonic()
        for slot in self.busy():
            if now >= slot.ends_at + self._grace_s:
                slot.told = True
                signal_session(slot.pid, signal.SIGKILL)
            elif now >= slot.ends_at and not slot.told:
                slot.told = True
                with suppress(ProcessLookupError):
                    os.kill(slot.pid, OUT_OF_TIME)

    def kill(self) -> None:
        """End every worker at once, with everything it started."""
        for slot in self.slots:
            if slot.connection is not None:
                signal_session(slot.pid, signal.SIGKILL)

    def close(self) -> None:
        """Tell idle workers to leave and wait for all of them."""
        for slot in self.slots:
            self._dismiss(slot)
        self._spawner.close()
