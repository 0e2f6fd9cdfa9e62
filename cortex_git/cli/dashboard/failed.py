"""The screen to choose a failed task on, to be done again."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import OptionList

from cortex_git.cli.dashboard.acting import Failure
from cortex_git.cli.dashboard.drawing import ABOUT_FAILED, FAILED_HINTS, failure_row, fold
from cortex_git.cli.dashboard.panels import Lines, Rows


class FailedTasks(Screen[str | None]):
    """Lists them; ends with the id of the chosen one, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back"),
    ]

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__()
        self._failures = failures

    def compose(self) -> ComposeResult:
        yield Lines(id="failed-title", title=f"Failed tasks ({len(self._failures)}, newest first)")
        yield Rows(id="failed", compact=True)
        yield Lines(id="failed-hints")

    def on_mount(self) -> None:
        self.query_one(Rows).focus()
        self._draw(0)

    def on_resize(self, _event: Resize) -> None:
        self._draw(self.query_one(Rows).highlighted or 0)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._draw(event.option_index)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._failures[event.option_index].task)

    def action_leave(self) -> None:
        self.dismiss(None)

    def _draw(self, selected: int) -> None:
        width = self.app.size.width - 1
        self.query_one(Rows).show(
            [failure_row(f, width, selected=n == selected) for n, f in enumerate(self._failures)], selected
        )
        self.query_one("#failed-title", Lines).show(fold(ABOUT_FAILED, width))
        self.query_one("#failed-hints", Lines).show(fold(FAILED_HINTS, width))
