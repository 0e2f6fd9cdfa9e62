"""One look at the pool and at a worker's log, as the dashboard takes each second in a thread of its own.

Owns the log that is followed. Changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cortex_git.cli.dashboard.tail import Tail
from cortex_git.errors import CortexError
from cortex_git.locating import private_folder
from cortex_git.services.pool_client import pool_status
from cortex_git.workers.logs import FOLDER, log_path
from cortex_git.workers.snapshot import PoolSnapshot, WorkerView


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    pool: PoolSnapshot | None
    """None where no pool runs."""
    problem: str | None
    """Why the pool that runs could not be asked."""
    worker: str | None
    """The worker whose log this is."""
    log: tuple[str, ...]


class Watcher:
    """Looks at the pool of one repository. One look at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tail: Tail | None = None
        self._worker: str | None = None

    def look(self, selected: str | None) -> Look:
        """The pool now, and the log of `selected`, or of its first worker."""
        pool, problem = self._ask()
        names = [worker.worker for worker in pool.workers] if pool else []
        worker = selected if selected in names else next(iter(names), selected)
        return Look(pool, problem, worker, self.log(worker))

    def log(self, worker: str | None) -> tuple[str, ...]:
        """The last lines that `worker` printed."""
        private = private_folder(self._folder)
        if worker is None or private is None:
            return ()
        if self._tail is None or worker != self._worker:
            self._tail, self._worker = Tail(log_path(private / FOLDER, worker)), worker
        return self._tail.read()

    def _ask(self) -> tuple[PoolSnapshot | None, str | None]:
        try:
            answer = pool_status(self._folder)
            return (None if answer is None else _snapshot(answer)), None
        except CortexError as error:
            return None, error.message
        except (OSError, ValueError, LookupError, TypeError) as error:
            # It ended in the midst of a line, or is of a version that says other things.
            return None, f"{type(error).__name__}: {error}"


def _snapshot(answer: Mapping[str, Any]) -> PoolSnapshot:
    workers = tuple(WorkerView(**_known(WorkerView, worker)) for worker in answer["workers"])
    return PoolSnapshot(**{**_known(PoolSnapshot, answer), "workers": workers})


def _known(kind: type[PoolSnapshot] | type[WorkerView], values: Mapping[str, Any]) -> dict[str, Any]:
    """A newer pool may say more than this version knows of."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}
