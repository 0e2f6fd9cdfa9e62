"""The progress of an advisory import, on stderr: bars on a terminal, nothing elsewhere but the end."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cortex_git.cli.events import as_json


class AdvisoryProgress:
    """One bar for each step an import reports."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=as_json() or not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def step(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` bytes (a download) or records (an import); None where nobody knows the total."""
        amount = f"{done / 1e6:.1f} MB" if what.startswith("download") else f"{done:,} records"
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total, amount=amount)
        self._bars.update(self._tasks[what], completed=done, total=total, amount=amount)
