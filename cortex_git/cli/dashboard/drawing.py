"""The words and columns of the dashboard, folded so that nothing is cut.

Pure functions from what was seen to lines of at most `width` cells. Everything that tasks, settings or a
remote chose is escaped for a terminal here.
"""

from pathlib import Path

from rich.cells import chop_cells

from cortex_git.cli.dashboard.acting import Failure
from cortex_git.cli.dashboard.history import BAR_S, History, sparkline
from cortex_git.cli.screen import fold as fold_words
from cortex_git.pages.text import counted
from cortex_git.scan.reports.escape import clip, terminal
from cortex_git.workers.snapshot import PoolSnapshot, WorkerView

NO_POOL = (
    "No pool runs here: start one with `cortex-git pool start --detach`.",
    "This screen looks again each second.",
)
HINTS = "↑↓ select   c cancel task   r retry a failed task   d drain   l log   q quit"
FAILED_HINTS = "↑↓ select   enter retry it   esc back"
ABOUT_FAILED = "What is chosen here is done again as a new task that names the old one."
NO_LOG = "Nothing was printed yet."
_LONGEST_ERROR = 400
_STATE, _SECONDS, _DONE, _MEMORY = 8, 5, 4, 5
_GAP = 2
_MARK = 2
"""Cells before a row that say which one is selected."""
_LEAST_TASK = 20
_MOST_BARS = 60


def fold(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken between words where that is possible."""
    return fold_words(text.split(" "), max(width, 2))


def chop(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken anywhere."""
    return chop_cells(text, max(width, 2)) or [""]


def header_lines(folder: Path, pool: PoolSnapshot | None, problem: str | None, width: int) -> list[str]:
    """Whose pool this is, what it means to do, and what is wrong."""
    lines = [*fold(f"cortex-git top: {terminal(str(folder))}", width)]
    if pool is not None:
        state = ", draining" if pool.draining else ""
        lines += fold(
            f"Pool {pool.pid}{state}: {counted(len(pool.workers), 'worker')}, target {pool.target}"
            f" ({pool.min}–{pool.max}), policy {terminal(pool.policy)}, {terminal(pool.strategy)}",
            width,
        )
        if pool.alert:
            lines += fold(f"ALERT: {terminal(pool.alert)}", width)
        if pool.problem:
            lines += fold(f"The remote does not answer: {terminal(pool.problem)}", width)
    else:
        lines += fold("No pool", width)
    if problem:
        lines += fold(f"The pool does not answer: {terminal(problem)}", width)
    return lines


def figure_lines(pool: PoolSnapshot | None, history: History, width: int) -> list[str]:
    """Queue, results, and what came in the last minutes."""
    if pool is None:
        return ["Queue –"]
    counts = (
        f"Queue {pool.queue}   busy {pool.busy}   completed {pool.completed}   failed {pool.failed}"
        f"   to be published {pool.unpublished}"
    )
    rates = (
        ("Results/min", f"{history.results_per_minute():.1f}", f"{pool.completed + pool.failed}"),
        ("Tokens/min", f"{history.tokens_per_minute():.0f}", f"{pool.tokens_used}"),
    )
    wide = [max(len(row[column]) for row in rates) for column in range(3)]
    room = width - sum(wide) - len("    all in all")
    lines = fold(counts, width)
    for (name, rate, total), values in zip(rates, history.bars(min(room, _MOST_BARS)), strict=True):
        line = f"{name:<{wide[0]}} {rate:>{wide[1]}}  {total:>{wide[2]}} in all  {sparkline(values)}"
        lines.append(line)
    return lines


FIGURES_TITLE = f"Queue and results (a bar is {BAR_S:.0f} s)"


class WorkerColumns:
    """The columns of the workers panel for one width and these workers."""

    def __init__(self, workers: tuple[WorkerView, ...], width: int) -> None:
        fixed = _MARK + _STATE + _SECONDS + _DONE + _MEMORY + 5 * _GAP
        longest = max((len(worker.worker) for worker in workers), default=0)
        self._name = min(max(longest, len("Worker")), max(width - fixed - _LEAST_TASK, 12))
        self._task = max(width - fixed - self._name, 2)

    def head(self) -> str:
        return " " * _MARK + self._line("Worker", "State", "Task", "For s", "Done", "MiB")

    def row(self, worker: WorkerView, *, selected: bool) -> list[str]:
        """The lines of one worker; a long name or task id goes on in the next line."""
        names = chop(terminal(worker.worker), self._name)
        tasks = chop(terminal(worker.task or ""), self._task)
        lines = []
        for number in range(max(len(names), len(tasks))):
            first = number == 0
            lines.append(
                ("> " if selected and first else " " * _MARK)
                + self._line(
                    names[number] if number < len(names) else "",
                    worker.status if first else "",
                    tasks[number] if number < len(tasks) else "",
                    f"{worker.task_s:.0f}" if first and worker.task else "",
                    f"{worker.tasks_done}" if first else "",
                    f"{worker.rss_mib:.0f}" if first else "",
                )
            )
        return lines

    def _line(self, name: str, state: str, task: str, seconds: str, done: str, memory: str) -> str:
        gap = " " * _GAP
        return gap.join(
            (
                f"{name:<{self._name}}", f"{state:<{_STATE}}", f"{seconds:>{_SECONDS}}",
                f"{done:>{_DONE}}", f"{memory:>{_MEMORY}}", task,
            )
        ).rstrip()  # fmt: skip


def failure_row(failure: Failure, width: int, *, selected: bool) -> list[str]:
    """A failed task, and below it who failed and why."""
    mark = "> " if selected else " " * _MARK
    about = f"{failure.status} {failure.completed_at} {terminal(failure.worker)}"
    why = terminal(clip(failure.error, _LONGEST_ERROR))
    rest = fold(f"{about}: {why}" if why else about, width - 2 * _MARK)
    task = chop(terminal(failure.task), width - _MARK)
    return [
        *((mark if number == 0 else " " * _MARK) + line for number, line in enumerate(task)),
        *(" " * 2 * _MARK + line for line in rest),
    ]
