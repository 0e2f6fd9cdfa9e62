"""What a batch command is told, as JSON lines on stderr: the watcher of `--log-format json`."""

import threading
import time
from types import TracebackType
from typing import Self

from cortex_git.cli.events import tell
from cortex_git.models import Result
from cortex_git.workers import events
from cortex_git.workers.events import Event


class JsonWatcher:
    """A batch's watcher that writes every event, and at the end how many results there were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._completed = self._failed = 0
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tell(events.batch_finished(self._completed, self._failed, time.monotonic() - self._began))

    def started(self, task: str, worker: str, repo: str | None) -> None:
        tell(events.task_started(task, worker, repo))

    def finished(self, result: Result) -> None:
        with self._lock:
            self._completed += result.status == "completed"
            self._failed += result.status != "completed"
        tell(events.task_finished(result))

    def event(self, event: Event) -> None:
        tell(event)

    def note(self, text: str) -> None:
        tell(events.note(text))
