"""The two kinds of panels: lines of text, and rows of which one is selected.

Own how a panel is drawn, in the terminal's own colours. What they show is folded and escaped already.
"""

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.widgets import OptionList, Static


class Lines(Static):
    """Lines of text; a title makes it a panel with a rule above."""

    def __init__(self, *, id: str, title: str = "") -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self.retitle(title)

    def retitle(self, title: str) -> None:
        self.border_title = Content(title)
        self.set_class(bool(title), "titled")

    def show(self, lines: Sequence[str]) -> None:
        self.update(Content("\n".join(lines)))


class LogLines(Lines):
    """The end of a log: as many of its last lines as there is room for."""

    def __init__(self, *, id: str, title: str, fold: Callable[[str, int], list[str]]) -> None:  # noqa: A002
        super().__init__(id=id, title=title)
        self._fold = fold
        self._log_lines: Sequence[str] = ()

    def follow(self, lines: Sequence[str]) -> None:
        """Show the end of `lines`, which stay whole when the panel's size changes."""
        self._log_lines = lines
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width, height = self.size
        shown: list[str] = []
        for line in reversed(self._log_lines):
            if len(shown) >= height:
                break
            shown[:0] = self._fold(line, width)
        self.show(shown[-height:] if height else [])


class Rows(OptionList):
    """Rows of one or more lines, one of them selected."""

    def show(self, rows: Sequence[Sequence[str]], selected: int | None) -> None:
        """Draw these rows; a selection stays where it is while the person looks at it."""
        prompts = [Content("\n".join(lines)) for lines in rows]
        if len(prompts) == self.option_count:
            for number, prompt in enumerate(prompts):
                self.replace_option_prompt_at_index(number, prompt)
        else:
            self.clear_options()
            self.add_options(prompts)
        if self.highlighted != selected:
            self.highlighted = selected
