"""The progress of a batch of tasks, on stderr: a bar on a terminal, plain lines elsewhere.

Owns which watcher a batch command has: with `--log-format json` it is not this one.
"""

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cortex_git.cli.events import as_json
from cortex_git.cli.json_watcher import JsonWatcher
from cortex_git.models import Result
from cortex_git.scan.reports.escape import terminal
from cortex_git.workers.events import Event

_PLAIN_INTERVAL_S = 10.0


def batch_watcher(total: int, *, quiet: bool = False) -> "BatchProgress | JsonWatcher":
    """Who watches a batch of `total` tasks, in the log format that was chosen; `quiet`: without a bar."""
    return JsonWatcher() if as_json() else BatchProgress(total, quiet)


class BatchProgress:
    """A batch's watcher that shows how far it is."""

    def __init__(self, total: int, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._animated = self._console.is_terminal and not quiet
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._animated,
        )
        self._bar = self._bars.add_task("tasks", total=total)
        self._lock = threading.Lock()
        self._total, self._done, self._failed = total, 0, 0
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def started(self, task: str, worker: str, repo: str | None) -> None:
        """Nothing is shown of a start: tasks of a batch can be shorter than a screen's refresh."""

    def finished(self, result: Result) -> None:
        with self._lock:
            self._done += 1
            self._failed += result.status != "completed"
            self._bars.update(
                self._bar,
                completed=self._done,
                description=f"tasks, {self._failed} failed" if self._failed else "tasks",
            )
            now = time.monotonic()
            if not self._animated and now - self._said >= _PLAIN_INTERVAL_S:
                self._said = now
                self.note(
                    f"{self._done}/{self._total} tasks, {self._failed} failed, {now - self._began:.1f} s"
                )

    def event(self, event: Event) -> None:
        if event.for_people:
            self.note(event.text)

    def note(self, text: str) -> None:
        self._console.print(terminal(text), soft_wrap=True, markup=False)
