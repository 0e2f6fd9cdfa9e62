"""Tables: readable without a script, sortable and filterable with the page's own one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from cortex_git.pages.markup import Html, element, join
from cortex_git.pages.text import clip

CELL_LIMIT = 400
"""Characters of a cell; a cut is marked."""
_TALL = 15
"""Rows from which a table scrolls in a window of its own, and has a filter."""

AT_ONCE = 1_000
"""Rows that a browser lays out at a time: it takes seconds for 5,000. The page's script has the others."""

Content = str | int | float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that sorts by something else than what it shows, or shows markup."""

    shown: str
    """Text, or `Html`."""
    sort: Content = None
    """What it is ordered by; None: by what it shows."""
    tone: str = ""
    """A class of the page's style, such as `severity-high`; never the only sign of anything."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and how its cells are shown."""

    title: str
    number: bool = False
    """Aligned to the right, and sorted as numbers."""
    digits: int = 0
    """After the decimal point, for floats."""
    choose: bool = False
    """Few values: a menu lets one be chosen."""
    name: bool = False
    """The cell is a name, in a fixed-width face."""
    long: bool = False
    """The cell is a sentence."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption. Strings are text; None is shown as a dash."""

    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Content | Cell]]
    left_out: str = ""
    """A sentence on rows that are not here."""
    empty: str = "Nothing to show."
    interactive: bool = True


def draw(table: Table, identity: str) -> Html:
    """The table in a region that scrolls by itself, reachable by keyboard.

    `identity` is its own on the page.
    """
    if not table.rows:
        return element("p", table.empty, class_="empty")
    head = element("tr", *(_heading(column) for column in table.columns))
    count = len(table.rows)
    body = _rows(table, 0, AT_ONCE if table.interactive else count)
    caption_id = f"{identity}-caption"
    tall = len(table.rows) > _TALL
    drawn = element(
        "table",
        element("caption", table.caption, id=caption_id),
        element("thead", head),
        element("tbody", body),
        data_sortable=table.interactive and len(table.rows) > 1,
        data_filter=table.interactive and tall,
    )
    note = element("p", table.left_out, class_="note") if table.left_out else None
    rest = None
    if table.interactive and count > AT_ONCE:
        # Inert until a script takes it: a browser lays out nothing of it.
        held = element("table", element("tbody", _rows(table, AT_ONCE, count)))
        text = f"The first {AT_ONCE:,} of {count:,} rows; the page has them all, and shows them with scripts."
        rest = join([element("p", text, class_="note"), element("template", held)])
    window = element(
        "div",
        drawn,
        rest,
        class_="window tall" if tall else "window",
        role="region",
        tabindex=0,
        aria_labelledby=caption_id,
    )
    return join([note, window])


def _rows(table: Table, start: int, end: int) -> Html:
    """Some of the rows; each has a heading first."""
    first = (True, *(False,) * len(table.columns))
    rows = (element("tr", *map(_cell, table.columns, row, first)) for row in table.rows[start:end])
    return Html("\n".join(rows))


def _heading(column: Column) -> Html:
    return element(
        "th",
        column.title,
        scope="col",
        class_="number" if column.number else None,
        data_choose=column.choose,
    )


def _cell(column: Column, content: Content | Cell, first: bool) -> Html:
    if isinstance(content, Cell):
        shown, sort, tone = content.shown, content.sort, content.tone
    else:
        shown, tone = _shown(column, content), ""
        sort = None if shown == "–" or not column.number else content
    if not isinstance(shown, Html):
        shown = clip(shown, CELL_LIMIT)
    kinds = {"number": column.number, "name": column.name, "long": column.long}
    classes = " ".join([kind for kind, so in kinds.items() if so] + ([tone] if tone else []))
    return element(
        "th" if first else "td",
        shown,
        scope="row" if first else None,
        class_=classes or None,
        data_sort=sort,
    )


def _shown(column: Column, content: Content) -> str:
    if content is None or content == "" or (isinstance(content, float) and not isfinite(content)):
        return "–"
    if isinstance(content, float):
        return f"{content:,.{column.digits}f}"
    return f"{content:,}" if isinstance(content, int) else content
