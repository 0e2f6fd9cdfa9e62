"""The worker process: waits for an assignment, runs it, reports, and waits again.

Owns the result until the pool has recorded it: when the pool dies, the worker enters what it still
holds into the outbox itself, ends everything it started, and leaves. Must never outlive its pool.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from cortex_git.processes import adopt_orphans, end_descendants, signal_session
from cortex_git.runners import HARMLESS, OutcomeStatus, RunContext, RunOutcome, load_runner, split_name
from cortex_git.state import monotonic, now
from cortex_git.workers.messages import Assignment, Report, assignment_of, receive, send, to_result

MOST_ERROR = 2000
"""Characters of an exception's text kept in a result."""


OUT_OF_TIME = signal.SIGUSR1
"""How the pool says that an attempt's time is up; SIGTERM, which anyone may send, only ends the worker."""


_GRACE_S = 2.0
"""Seconds between SIGTERM and SIGKILL for what an attempt left running."""


class _OutOfTime(BaseException):
    """The pool asked this attempt to end. Not an Exception, so that no runner swallows it."""


class Worker:
    """One worker process on one connection to its pool."""

    def __init__(self, connection: "Connection[bytes, bytes]") -> None:
        self._connection = connection
        self._inbox: queue.SimpleQueue[Assignment | None] = queue.SimpleQueue()
        self._unrecorded: dict[str, tuple[Assignment, Report]] = {}
        self._busy = False

    def serve(self) -> None:
        """Work until told to exit, or until the pool is gone."""
        signal.signal(OUT_OF_TIME, self._on_out_of_time)
        signal.signal(signal.SIGTERM, self._on_term)
        adopt_orphans()
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        send(self._connection, "ready", str(os.getpid()))
        while (assignment := self._inbox.get()) is not None:
            report = self._attempt(assignment)
            self._unrecorded[assignment.nonce] = (assignment, report)
            try:
                send(self._connection, "done", report)
            except OSError:
                break  # the reader sees the end of the pool too, and saves what is unrecorded
        if self._unrecorded:
            reader.join(timeout=30)

    def _read(self) -> None:
        try:
            while True:
                kind, body = receive(self._connection)
                if kind == "run":
                    self._inbox.put(assignment_of(body))
                elif kind == "recorded":
                    self._unrecorded.pop(body, None)
                elif kind == "exit":
                    self._inbox.put(None)
        except (EOFError, OSError, ValueError):
            self._pool_is_gone()

    def _pool_is_gone(self) -> None:
        try:
            save_unrecorded(list(self._unrecorded.values()))
        finally:
            end_descendants()
            if os.getsid(0) == os.getpid():
                signal_session(os.getpid(), signal.SIGKILL)
            os._exit(1)

    def _on_out_of_time(self, _number: int, _frame: FrameType | None) -> None:
        """End the attempt, after what it started was asked to end.

        Both here: were the programs asked by the pool, one could be gone before its runner hears of the
        time, and would be taken for one that failed by itself.
        """
        if self._busy:
            self._busy = False
            signal_session(os.getpid(), signal.SIGTERM, but=os.getpid())
            raise _OutOfTime

    def _on_term(self, _number: int, _frame: FrameType | None) -> None:
        """Finish what runs, then leave: a service manager signals every process, not only the pool."""
        self._inbox.put(None)

    def _attempt(self, assignment: Assignment) -> Report:
        spawn_s = monotonic() - assignment.dispatched
        started_at, started = now(), time.perf_counter()
        context = _context(assignment)
        try:
            self._busy = True
            outcome = load_runner(assignment.runner).run(assignment.task, context)
        except _OutOfTime:
            minutes = assignment.deadline_s / 60
            outcome = _cut_off("timed_out", context, f"took longer than its {minutes:g} minutes")
        except Exception as error:
            text = f"{type(error).__name__}: {error}"[:MOST_ERROR]
            outcome = replace(_cut_off("failed", context, text), retry=True)
        finally:
            self._busy = False
        # Nothing that an attempt started outlives it; one over its time was asked to end already.
        end_descendants(grace_s=_GRACE_S)
        outcome = _publishable(outcome, assignment, context)
        return Report(
            nonce=assignment.nonce,
            status=outcome.status,
            output=outcome.output,
            error=outcome.error,
            retry=outcome.retry,
            tokens_used=outcome.tokens_used,
            started_at=started_at,
            completed_at=now(),
            duration_s=time.perf_counter() - started,
            spawn_s=spawn_s,
        )


def _context(assignment: Assignment) -> RunContext:
    name, given = split_name(assignment.runner)
    return RunContext(
        worker=assignment.worker,
        attempt=assignment.attempt,
        deadline_s=assignment.deadline_s,
        budget=assignment.budget,
        epoch=assignment.epoch,
        host=assignment.host,
        nonce=assignment.nonce,
        folder=assignment.repository,
        options={**assignment.options, **({name: given} if given else {})},
        earlier=assignment.earlier,
    )


def _cut_off(status: OutcomeStatus, context: RunContext, error: str) -> RunOutcome:
    """The outcome of an attempt that did not come to its own end: its work so far."""
    return RunOutcome(status, dict(context.so_far), error)


def _publishable(outcome: RunOutcome, assignment: Assignment, context: RunContext) -> RunOutcome:
    """What the pool, and an outbox that this worker writes itself, may publish of it."""
    if _is_harmless(assignment.runner):
        return outcome
    from cortex_git.runners.guarding import guarded

    return guarded(outcome, context, task=str(assignment.task["task"]))


def _is_harmless(runner: str) -> bool:
    return split_name(runner)[0] in HARMLESS


def preload_guard(runners: Sequence[str]) -> None:
    """Load what looks through the outcomes of these runners, where that of any is to be."""
    if all(map(_is_harmless, runners)):
        return
    from cortex_git.runners.guarding import preload

    preload()


def save_unrecorded(held: list[tuple[Assignment, Report]]) -> None:
    """Enter results that the pool did not record into the outbox; entering one twice does no harm.

    An attempt that failed and may be tried again is not a result and is left to the next claim.
    """
    finished = [(a, r) for a, r in held if r.status == "completed" or not r.retry]
    if not finished:
        return
    from cortex_git.models import Task
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.publishing import result_entry
    from cortex_git.workers.hand_offs import hand_over

    coordination = Coordination.open(Path(finished[0][0].repository))
    entries = []
    for assignment, report in finished:
        task = Task.model_validate(assignment.task)
        result, added = hand_over(coordination.repository, task, to_result(assignment, report))
        entries.append(result_entry(result, assignment.claim, assignment.path, added)[0])
    coordination.outbox.add(entries)


def serve(descriptor: int) -> None:
    """Be a worker on an inherited socket."""
    Worker(Connection(descriptor)).serve()


def main(arguments: list[str]) -> None:
    """With arguments FD RUNNER…: be a cold worker, its runners' imports included."""
    for name in arguments[1:]:
        load_runner(name).preload()
    preload_guard(arguments[1:])
    serve(int(arguments[0]))
