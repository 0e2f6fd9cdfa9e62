"""The live view of a running scan, on stderr: a bar, the figures so far, one row an active repository.

Owns no facts: it shows what it is told. Must never write to stdout, which belongs to the report.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.reports.escape import clip, terminal

PLAIN_INTERVAL_S = 10.0
_FRAMES_PER_SECOND = 8
_TEXT_LIMIT = 300
_WORKER_WIDTH, _SECONDS_WIDTH, _LEAST_NAME = 24, 9, 10
_FIXED_LINES = 3
"""Lines that are not repositories: the bar, the waiting line, and one left free under the view."""


@dataclass(frozen=True, slots=True)
class _Active:
    worker: str
    repository: str
    since: float


class ScanProgress:
    """What a batch reports to while it runs; every method may be called from any thread.

    On a terminal it is a transient view; elsewhere a plain line at most every 10 s, and the notes.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        animate: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
        interval_s: float = PLAIN_INTERVAL_S,
    ) -> None:
        """`animate` None asks the console and its file: FORCE_COLOR alone makes no terminal of a log."""
        self._console = console or Console(stderr=True)
        self._clock = clock
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._began = clock()
        self._total = self._done = self._findings = self._failed = 0
        self._active: dict[str, _Active] = {}
        self._waiting = ""
        self._stopped = threading.Event()
        self._ticker: threading.Thread | None = None
        if animate is None:
            animate = self._console.is_interactive and self._console.file.isatty()
        self._live = self._new_live() if animate else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        else:
            self._ticker = threading.Thread(target=self._tick, name="scan-progress", daemon=True)
            self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._live is not None:
            self._live.stop()
        if self._ticker is not None:
            self._ticker.join()

    def start(self, total: int) -> None:
        """The clock starts; `total` repositories are to be scanned."""
        with self._lock:
            self._total, self._began = total, self._clock()

    def repository_started(self, repo: str, worker: str) -> None:
        """`worker` scans `repo` now, and nothing else any more."""
        row = _Active(_shown(worker), _shown(repo), self._clock())
        with self._lock:
            self._active[worker] = row

    def repository_finished(self, row: RepositoryScan) -> None:
        """Counts the row; it may also come from a batch that is resumed, and never have been started."""
        shown = _shown(row.repo)
        with self._lock:
            self._done += 1
            self._findings += len(row.findings)
            self._failed += row.status == "failed"
            owner = next((worker for worker, at in self._active.items() if at.repository == shown), None)
            if owner is not None:
                del self._active[owner]

    def note(self, text: str) -> None:
        """A line that stays, above the live view."""
        self._console.print(Text(_shown(text)), soft_wrap=True)

    def waiting(self, text: str) -> None:
        """What the batch waits for now, such as the remote; an empty text ends it."""
        with self._lock:
            self._waiting = _shown(text)

    def status_line(self) -> str:
        """The figures so far, such as `12/20 repositories, 31 findings, 4.0 s`."""
        with self._lock:
            parts = [f"{self._done}/{self._total} repositories", f"{self._findings} findings"]
            if self._failed:
                parts.append(f"{self._failed} failed")
            parts.append(f"{self._clock() - self._began:.1f} s")
            if self._waiting:
                parts.append(self._waiting)
        return ", ".join(parts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One frame of the view, never higher than the terminal."""
        now = self._clock()
        with self._lock:
            active = sorted(self._active.values(), key=lambda row: row.since)
            head, waiting = self._head(now), self._waiting
        room = max(1, console.size.height - _FIXED_LINES)
        parts: list[RenderableType] = [head, _active_table(active, room, options.max_width, now)]
        if waiting:
            parts.append(Text(waiting, style="yellow", no_wrap=True, overflow="ellipsis"))
        yield Group(*parts)

    def _head(self, now: float) -> Table:
        elapsed = now - self._began
        figures = f"{self._done}/{self._total}  {self._findings} findings"
        if self._failed:
            figures += f"  {self._failed} failed"
        figures += f"  {_clock_text(elapsed)}"
        if 0 < self._done < self._total:
            figures += f"  ETA {_clock_text((self._total - self._done) * elapsed / self._done)}"
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        grid.add_row(
            ProgressBar(total=max(self._total, 1), completed=self._done), Text(figures, style="bold")
        )
        return grid

    def _new_live(self) -> Live:
        return Live(
            self,
            console=self._console,
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            vertical_overflow="crop",
        )

    def _tick(self) -> None:
        while not self._stopped.wait(self._interval_s):
            if self._total:
                self._console.print(Text(self.status_line()), soft_wrap=True)


def tail(text: str, width: int) -> str:
    """The end of `text` in at most `width` cells: a repository's name is told by its end."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return f"…{text}"


def _active_table(active: list[_Active], room: int, width: int, now: float) -> Table:
    shown = active if len(active) <= room else active[: room - 1]
    workers = min(_WORKER_WIDTH, max((cell_len(row.worker) for row in shown), default=0))
    names = max(_LEAST_NAME, width - workers - _SECONDS_WIDTH - 4)
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", width=workers, style="dim")
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(no_wrap=True, justify="right", width=_SECONDS_WIDTH)
    for row in shown:
        grid.add_row(Text(row.worker), Text(tail(row.repository, names)), f"{now - row.since:.1f} s")
    if len(active) > len(shown):
        grid.add_row("", Text(f"... and {len(active) - len(shown)} more", style="dim"), "")
    return grid


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _shown(text: str) -> str:
    return terminal(clip(text, _TEXT_LIMIT))
