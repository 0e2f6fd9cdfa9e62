"""The dashboard itself: looks each second, draws what was seen, and turns keys into questions.

Owns the selected worker and the open question. Must never wait for git, the remote or the pool: looks and
actions run in threads, and come back as messages.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.message import Message
from textual.widgets import OptionList

from cortex_git.cli.dashboard import drawing
from cortex_git.cli.dashboard.acting import Actions
from cortex_git.cli.dashboard.failed import FailedTasks
from cortex_git.cli.dashboard.history import History
from cortex_git.cli.dashboard.looking import Look, Watcher
from cortex_git.cli.dashboard.messages import Listed, Said, Seen
from cortex_git.cli.dashboard.panels import Lines, LogLines, Rows
from cortex_git.cli.dashboard.question import Question
from cortex_git.errors import CortexError
from cortex_git.scan.reports.escape import terminal
from cortex_git.workers.snapshot import WorkerView

_REFRESH_S = 1.0
_OWN_ACTIONS = frozenset({"drain", "cancel", "retry", "log", "yes", "no"})


class Dashboard(App[None]):
    """`cortex-git top` for the coordination repository at `folder`."""

    CSS_PATH = "dashboard.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "cortex-git top"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "drain", "drain the pool"),
        Binding("c", "cancel", "cancel the selected worker's task"),
        Binding("r", "retry", "retry a failed task"),
        Binding("l", "log", "more of the log"),
        Binding("y", "yes", "yes"),
        Binding("n,escape", "no", "no"),
        Binding("q,ctrl+c", "quit", "quit", priority=False),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__(ansi_color=True)
        self._folder = folder
        self._watcher = Watcher(folder)
        self._actions = Actions(folder)
        self._history = History()
        self._seen: Look | None = None
        self._selected: str | None = None
        self._looking = False
        self._question: Question | None = None

    def compose(self) -> ComposeResult:
        yield Lines(id="header")
        yield Lines(id="figures", title=drawing.FIGURES_TITLE)
        yield Lines(id="columns", title="Workers")
        yield Rows(id="workers", compact=True)
        yield LogLines(id="log", title="Log", fold=drawing.fold)
        yield Lines(id="message")
        yield Lines(id="hints")

    def on_mount(self) -> None:
        self.query_one("#workers", Rows).focus()
        self._draw()
        self._look_again()
        self.set_interval(_REFRESH_S, self._look_again)

    def on_resize(self, _event: Resize) -> None:
        self._draw()

    # Looking

    def _look_again(self) -> None:
        if not self._looking:
            self._looking = True
            self._in_background(partial(self._look, self._selected))

    def _look(self, selected: str | None) -> Message:
        return Seen(self._watcher.look(selected))

    def on_seen(self, message: Seen) -> None:
        self._looking = False
        if message.look.problem is None:
            self._history.add(time.monotonic(), message.look.pool)
        self._seen = message.look
        if self._selected not in self._names():
            self._selected = message.look.worker
        elif self._selected != message.look.worker:  # another was selected meanwhile
            self._look_again()
        self._draw()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        names = self._names()
        if event.option_index != event.option_list.highlighted or event.option_index >= len(names):
            return  # of rows that have changed since
        if names[event.option_index] != self._selected:
            self._selected = names[event.option_index]
            self._draw()
            self._look_again()

    # Drawing

    def _seen_workers(self) -> tuple[WorkerView, ...]:
        return self._seen.pool.workers if self._seen and self._seen.pool else ()

    def _names(self) -> list[str]:
        return [worker.worker for worker in self._seen_workers()]

    def _draw(self) -> None:
        if not self.screen_stack or not self._is_composed():
            return
        base = self.screen_stack[0]
        width, seen = self.size.width, self._seen
        pool = seen.pool if seen else None
        problem = seen.problem if seen else None
        base.query_one("#header", Lines).show(drawing.header_lines(self._folder, pool, problem, width))
        base.query_one("#figures", Lines).show(drawing.figure_lines(pool, self._history, width))
        base.query_one("#hints", Lines).show(drawing.fold(drawing.HINTS, width))
        self._draw_workers(base.query_one("#workers", Rows), base.query_one("#columns", Lines), width)
        log = base.query_one("#log", LogLines)
        log.retitle(f"Log of {terminal(self._selected)}" if self._selected else "Log")
        if seen is not None and seen.worker == self._selected is not None:
            log.follow(seen.log or (drawing.NO_LOG,))
        else:
            log.follow(())

    def _draw_workers(self, rows: Rows, head: Lines, width: int) -> None:
        workers, seen = self._seen_workers(), self._seen
        if not workers:
            if seen is not None and seen.pool is None and seen.problem is None:
                head.show([line for text in drawing.NO_POOL for line in drawing.fold(text, width)])
            else:
                head.show(["Looking for the pool" if seen is None else "No workers just now"])
            rows.show([], None)
            return
        columns = drawing.WorkerColumns(workers, width - 1)
        names = self._names()
        selected = names.index(self._selected) if self._selected in names else 0
        head.show([columns.head()])
        rows.show([columns.row(w, selected=n == selected) for n, w in enumerate(workers)], selected)

    def _is_composed(self) -> bool:
        return bool(self.screen_stack[0].query("#hints"))

    def _say(self, text: str) -> None:
        message = self.screen_stack[0].query_one("#message", Lines)
        message.show(drawing.fold(terminal(text), self.size.width) if text else [])

    # Keys

    def action_drain(self) -> None:
        pool = self._seen.pool if self._seen else None
        if pool is None:
            self._say("No pool runs here")
        elif pool.draining:
            text = f"Pool {pool.pid} drains already. End it and the {pool.busy} tasks it runs at once?"
            self._ask(Question(text, partial(self._actions.stop, "killing"), "Ending the pool…"))
        else:
            text = f"Drain pool {pool.pid}: finish {pool.busy} tasks, then end?"
            self._ask(Question(text, partial(self._actions.stop, "draining"), "Draining the pool…"))

    def action_cancel(self) -> None:
        task = next((w.task for w in self._seen_workers() if w.worker == self._selected), None)
        if task is None:
            self._say("The selected worker has no task" if self._selected else "No worker is selected")
        else:
            text = f"Cancel task {task} of {self._selected}?"
            self._ask(Question(text, partial(self._actions.cancel, task), f"Cancelling {task}…"))

    def action_retry(self) -> None:
        self._ask(None)
        self._say("Looking for failed tasks…")
        self._in_background(self._list_failures)

    def action_log(self) -> None:
        self.screen_stack[0].toggle_class("log-first")

    def action_yes(self) -> None:
        if self._question is not None:
            question, self._question = self._question, None
            self._say(question.doing)
            self._act(question.act)

    def action_no(self) -> None:
        if self._question is not None:
            self._ask(None)
            self._say("Nothing was done")

    def _ask(self, question: Question | None) -> None:
        self._question = question
        self._say(str(question) if question else "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """While another screen is shown, no key may do what cannot be seen."""
        return len(self.screen_stack) == 1 or action not in _OWN_ACTIONS

    # Acting

    @work(thread=True, group="act")
    def _act(self, act: Callable[[], str]) -> None:
        """What the person agreed to is done to its end, also when `top` is left meanwhile."""
        self.post_message(Said(_told(act)))

    def _list_failures(self) -> Message:
        try:
            return Listed(self._actions.failures())
        except (CortexError, OSError) as error:
            return Said(f"error: {error}")

    def _in_background(self, call: Callable[[], Message]) -> None:
        """In a thread that nobody waits for when `top` is left."""

        def run() -> None:
            message = call()
            with suppress(RuntimeError):  # it was left, and nobody listens any more
                self.post_message(message)

        threading.Thread(target=run, daemon=True).start()

    def on_said(self, message: Said) -> None:
        if self._question is None:
            self._say(message.text)
        self._look_again()

    def on_listed(self, message: Listed) -> None:
        if not message.failures:
            self._say("No failed task waits to be retried")
            return
        self._say("")
        self.push_screen(FailedTasks(message.failures), self._chosen)

    def _chosen(self, task: str | None) -> None:
        if task is not None:
            text = f"Do task {task} again, as a new task?"
            self._ask(Question(text, partial(self._actions.retry, task), f"Adding a task for {task}…"))


def _told(act: Callable[[], str]) -> str:
    try:
        return act()
    except (CortexError, OSError) as error:
        return f"error: {error}"
