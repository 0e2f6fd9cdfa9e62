"""A screen of labelled sections that fits a terminal: nothing is cut, what has no room is counted.

Owns how lines are folded and how sections share the lines. Pure but for `terminal_size`.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, chop_cells

from cortex_git.scan.reports.escape import clip, terminal

LABEL = 10
"""Cells of the column with the labels."""
_LONGEST = 120
"""Characters of a word that is shown whole; every valid id is shorter."""


@dataclass(frozen=True, slots=True)
class Section:
    """A label with a summary, and a list that may be shown in part."""

    label: str
    summary: str
    entries: Sequence[Sequence[str]] = field(default=())
    """Each the words of one entry; a word is never broken unless it is wider than the screen."""


def word(text: str) -> str:
    """A name from outside, safe for a terminal."""
    return clip(terminal(text).replace(" ", "\u00a0"), _LONGEST)


def terminal_size() -> tuple[int, int]:
    """(columns, lines) of the screen; 80 by 24 where there is none."""
    size = shutil.get_terminal_size((80, 24))
    return max(size.columns, 40), max(size.lines, 12)


def fold(words: Iterable[str], width: int) -> list[str]:
    """The words in lines of at most `width` cells, broken between words where that is possible."""
    lines: list[str] = []
    line = ""
    for each in words:
        joined = f"{line} {each}" if line else each
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = chop_cells(each, width) or [""]
        lines += whole
    return [*lines, line]


def fitted(sections: Sequence[Section], width: int, height: int) -> list[tuple[str, str]]:
    """(label, text) lines, at most `height` unless the summaries alone are more.

    Sections take turns at showing their next entry while there is room.
    """
    room = width - LABEL
    heads = [fold(section.summary.split(" "), room) for section in sections]
    bodies = [[_entry(words, room) for words in section.entries] for section in sections]
    left = height - sum(map(len, heads)) - sum(1 for body in bodies if body)
    shown = [0] * len(sections)
    growing = [bool(body) for body in bodies]
    while any(growing):
        for number, body in enumerate(bodies):
            if not growing[number]:
                continue
            last = shown[number] + 1 == len(body)
            # The line that says how many more there are is not needed once all are shown.
            cost = len(body[shown[number]]) - (1 if last else 0)
            growing[number] = cost <= left
            if growing[number]:
                left -= cost
                shown[number] += 1
                growing[number] = not last
    lines: list[tuple[str, str]] = []
    for section, head, body, count in zip(sections, heads, bodies, shown, strict=True):
        texts = [*head, *(line for entry in body[:count] for line in entry)]
        if count < len(body):
            texts.append(_more(len(body) - count, count))
        lines += [(section.label if n == 0 else "", text) for n, text in enumerate(texts)]
    return lines


def _entry(words: Sequence[str], room: int) -> list[str]:
    """The lines of one entry, those after the first set in."""
    first, *_ = fold(words, room)
    lines = fold(words, room)
    if len(lines) == 1:
        return [first]
    lines = fold(words, room - 2)
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def _more(count: int, shown: int) -> str:
    return f"… and {count} more" if shown else f"… {count} in all"
