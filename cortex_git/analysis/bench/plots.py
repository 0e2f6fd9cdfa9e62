"""The plots of `bench all`: its headline tables as SVG files, for light and for dark ground.

Owns which tables are drawn and how. Where they cannot be drawn the tables say all of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_git.analysis.bench.tables import Table
from cortex_git.pages.charts import Stack, ranked
from cortex_git.pages.drawing import draw
from cortex_git.pages.frame import Axis, Marks, Series, axis, colours, plot, scale, text
from cortex_git.pages.standalone import GROUNDS, standalone

WIDTH = 620
"""Pixels: what a page that shows files as they are gives a picture beside its margins."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """One plot: what it says in words, and its specification."""

    alt: str
    spec: Marks


def pictures(tables: Sequence[Table]) -> dict[str, str]:
    """SVG files by name, `queue-light.svg`; none where there is nothing to draw or nothing to draw with."""
    made = {table.key: _PICTURES[table.key](table) for table in tables if _drawable(table)}
    drawn = draw({key: picture.spec for key, picture in made.items()}) or {}
    return {
        f"{key}-{ground}.svg": standalone(drawn[key], made[key].alt, ground)
        for key in made
        if key in drawn
        for ground in GROUNDS
    }


def _drawable(table: Table) -> bool:
    drawn = _PICTURES.get(table.key)
    rows = table.figures if drawn is _seconds else table.document.get("rows")
    return drawn is not None and bool(rows)


def _rows(table: Table) -> Sequence[Row]:
    rows = table.document["rows"]
    return rows if isinstance(rows, list) else []


def _queue(table: Table) -> Picture:
    rows = _rows(table)
    ours = [(row["workers"], row["ours_tasks_per_min"]) for row in rows]
    loop = [(row["workers"], row["loop_tasks_per_min"]) for row in rows]
    alt = f"No-op tasks a minute by workers. cortex-git: {_said(ours)}. The shell loop: {_said(loop)}."
    lines = {"cortex-git": ours, "a shell loop over git": loop}
    return Picture(alt, _lines(lines, Axis("tasks a minute", "~s"), ",.0f"))


def _overhead(table: Table) -> Picture:
    rows = _rows(table)
    ours = [(row["workers"], row["overhead"]) for row in rows]
    lines = {"cortex-git": ours}
    alt = f"Overhead of coordination by workers. cortex-git: {_said(ours, '.1%')}."
    if published := [
        (row["workers"], row["published_comparison"])
        for row in rows
        if row["published_comparison"] is not None
    ]:
        lines["published comparison"] = published
        alt += f" The published comparison: {_said(published, '.0%')}."
    return Picture(alt, _lines(lines, Axis("overhead", ".0%"), ".1%"))


def _peers(table: Table) -> Picture:
    rows = [row for row in _rows(table) if not row["task_s"] and row["tasks_per_s"] is not None]
    rows.sort(key=lambda row: -float(row["tasks_per_s"]))
    stacks = [Stack(f"{row['name']}", (row["tasks_per_s"],)) for row in rows]
    alt = "No-op tasks a second, 8 workers: " + ", ".join(
        f"{row['name']} {row['tasks_per_s']:,.0f} (keeps {row['keeps']})" for row in rows
    )
    return Picture(alt, ranked(stacks, [Series("tasks a second", "series-1")], Axis("tasks a second"), WIDTH))


def _seconds(table: Table) -> Picture:
    """Bars of the table's figures in seconds."""
    timed = [figure for figure in table.figures if figure.unit == "s"]
    stacks = [Stack(figure.name, (figure.measured,)) for figure in timed]
    alt = f"{table.title}: " + ", ".join(f"{figure.name} {figure.measured:,.1f} s" for figure in timed)
    return Picture(alt, ranked(stacks, [Series("seconds", "series-1")], Axis("seconds"), WIDTH))


_PICTURES: Mapping[str, Callable[[Table], Picture]] = {
    "queue": _queue,
    "overhead": _overhead,
    "ten-tasks": _seconds,
    "audit": _seconds,
    "scan": _seconds,
    "peers": _peers,
}
Points = Sequence[tuple[float, float]]


def _said(points: Points, form: str = ",.0f") -> str:
    return ", ".join(f"{value:{form}} with {at}" for at, value in points)


def _lines(lines: Mapping[str, Points], quantity: Axis, form: str) -> Marks:
    """Lines through marked points against workers; the first is drawn through, the others are dashed."""
    kinds = [Series(name, f"series-{number}") for number, name in enumerate(lines, start=1)]
    rows: list[Marks] = [
        {"x": at, "y": value, "kind": name, "tip": f"{name}, {at:g} workers: {value:{form}}"}
        for name, points in lines.items()
        for at, value in points
    ]
    ends = [
        {"x": points[-1][0], "y": points[-1][1], "text": f"{points[-1][1]:{form}}"}
        for points in lines.values()
    ]
    most = max(row["x"] for row in rows)
    at = {
        "x": {
            "field": "x",
            "type": "quantitative",
            **axis(Axis("workers", ",~f", domain=(0.0, most * 1.12))),
        },
        "y": {"field": "y", "type": "quantitative", **axis(quantity)},
    }
    dashes = [[1, 0], *([6, 4] for _ in kinds[1:])]
    dashed = {"strokeDash": {"field": "kind", "legend": None, **scale(kinds, dashes)}}
    marked: Marks = {
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
        "encoding": {**at, **colours(kinds, WIDTH), "description": {"field": "tip", "type": "nominal"}},
    }
    drawn: Marks = {
        "data": {"values": rows},
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {**at, **colours(kinds, WIDTH), **dashed},
    }
    return plot(WIDTH, 240, [drawn, marked, text(ends, at, align="left", dx=8)])
