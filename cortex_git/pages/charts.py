"""Vega-Lite specifications of the plots a page can have, at a given width in CSS pixels.

Colours are names of the style's variables. Nothing is told by colour alone: series differ in lightness and
stand in the legend's order, segments carry a letter, lines differ in dashes, what failed has a cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cortex_git.pages import frame
from cortex_git.pages.frame import Axis, Marks, Series
from cortex_git.pages.text import clip_start, visible


@dataclass(frozen=True, slots=True)
class Stack:
    """A bar made of segments, one for each series, in the same order."""

    label: str
    values: tuple[float, ...]
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A stack that stands between two moments (milliseconds since 1970)."""

    start_ms: float
    end_ms: float
    values: tuple[float, ...]
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a lane."""

    lane: str
    start: float
    end: float
    series: int
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points, with a band around it where one is known."""

    name: str
    colour: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    dashed: bool = False


def ranked(stacks: Sequence[Stack], series: Sequence[Series], axis: Axis, width: int) -> Marks:
    """Horizontal stacked bars, one a name, with each segment's letter and value or the bar's total."""
    names = frame.distinct([clip_start(visible(stack.label), frame.name_room(width)) for stack in stacks])
    largest = max((sum(stack.values) for stack in stacks), default=0.0)
    plain = len(series) == 1
    rows, ends = [], []
    for name, stack in zip(names, stacks, strict=True):
        at = 0.0
        for kind, value in zip(series, stack.values, strict=True):
            if not value:
                continue
            text = f"{value:,.0f} {kind.letter}".strip()
            fits = not plain and value / largest * width * 0.55 > len(text) * 7 + 4
            tip = stack.tip or f"{stack.label}: {value:,.0f} {kind.name}"
            row = {"name": name, "a": at, "b": at + value, "kind": kind.name, "tip": tip}
            rows.append(row | {"text": text if fits else "", "ink": kind.ink, "mid": at + value / 2})
            at += value
        ends.append({"name": name, "b": at, "text": frame.figure(at, plain)})
    y = frame.names(names, width, paddingInner=0.25)
    x = {"field": "a", "type": "quantitative", **frame.axis(axis)}
    bars: Marks = {
        "data": {"values": rows},
        "mark": {
            "type": "bar",
            "cornerRadiusEnd": 2 if plain else 0,
            "stroke": "var(--card)",
            "strokeWidth": 1,
        },
        "encoding": {"y": y, "x": x, "x2": {"field": "b"}, **frame.colours(series, width), **frame.tip()},
    }
    if plain:
        layers = [bars]
    else:
        middle = {"y": y, "x": {**x, "field": "mid"}}
        layers = [bars, *(_inside(rows, middle, ink) for ink in sorted({kind.ink for kind in series}))]
    layers.append(frame.text(ends, {"y": y, "x": {**x, "field": "b"}}, align="left", dx=5))
    return frame.plot(width, {"step": 26}, layers)


def _inside(rows: Sequence[Marks], at: Marks, ink: str) -> Marks:
    return frame.text([row for row in rows if row["ink"] == ink], at, align="center", colour=f"var(--{ink})")


def columns(
    found: Sequence[Column],
    series: Sequence[Series],
    axis: Axis,
    width: int,
    *,
    span: tuple[float, float] | None = None,
    height: int = 210,
) -> Marks:
    """Vertical stacks over time (UTC), from and to the moments of `span` where they do not fill it."""
    rows = []
    for column in found:
        at = 0.0
        for kind, value in zip(series, column.values, strict=True):
            if value > 0:
                ends = {"t": column.start_ms, "u": column.end_ms, "a": at, "b": at + value}
                rows.append(ends | {"kind": kind.name, "tip": column.tip})
            at += max(value, 0.0)
    if span is None:
        span = (found[0].start_ms, found[-1].end_ms) if found else (0.0, 1.0)
    bars: Marks = {
        "data": {"values": rows},
        "mark": {
            "type": "rect",
            "stroke": "var(--card)",
            "strokeWidth": frame.gap([(one.start_ms, one.end_ms) for one in found], span, width),
        },
        "encoding": {
            "x": frame.time(span, width),
            "x2": {"field": "u"},
            "y": {"field": "a", "type": "quantitative", **frame.axis(axis)},
            "y2": {"field": "b"},
            **frame.colours(series, width),
            **frame.tip(),
        },
    }
    return frame.plot(width, height, [bars])


def lanes(
    bars: Sequence[Bar], names: Sequence[str], series: Sequence[Series], axis: Axis, width: int
) -> Marks:
    """Stretches of time by lane (a Gantt chart). Series with a letter have it written where they start."""
    rows = [
        {"name": bar.lane, "a": bar.start, "b": bar.end, "kind": series[bar.series].name, "tip": bar.tip}
        for bar in bars
    ]
    marked = [
        {"name": bar.lane, "a": (bar.start + bar.end) / 2, "text": series[bar.series].letter}
        for bar in bars
        if series[bar.series].letter
    ]
    y = frame.names(names, width)
    x = {"field": "a", "type": "quantitative", **frame.axis(axis)}
    drawn: Marks = {
        "data": {"values": rows},
        "mark": {"type": "bar", "stroke": "var(--card)", "strokeWidth": 0.5},
        "encoding": {"y": y, "x": x, "x2": {"field": "b"}, **frame.colours(series, width), **frame.tip()},
    }
    layers = [drawn]
    if marked:
        layers.append(
            frame.text(marked, {"y": y, "x": x}, align="center", colour="var(--on-severity)", size=12)
        )
    return frame.plot(width, {"step": 22 if len(names) <= 24 else 13}, layers)


def curves(
    points: Sequence[tuple[float, float, str]],
    lines: Sequence[Curve],
    x_axis: Axis,
    y_axis: Axis,
    width: int,
    *,
    measured: str,
    height: int = 260,
) -> Marks:
    """Measured points (x, y, what they are) and lines, one of them with a band."""
    x = {"field": "x", "type": "quantitative", **frame.axis(x_axis)}
    y = {"field": "y", "type": "quantitative", **frame.axis(y_axis)}
    kinds = [Series(measured, "series-1"), *(Series(line.name, line.colour) for line in lines)]
    dashes = [[1, 0], *([[6, 4] if line.dashed else [1, 0] for line in lines])]
    layers: list[Marks] = []
    for line in lines:
        if line.low and line.high:
            band = [
                {"x": at, "low": low, "high": high}
                for at, low, high in zip(line.x, line.low, line.high, strict=True)
            ]
            layers.append(
                {
                    "data": {"values": band},
                    "mark": {"type": "area", "color": f"var(--{line.colour})", "opacity": 0.18},
                    "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
                }
            )
    rows = [
        {"x": at, "y": value, "kind": line.name}
        for line in lines
        for at, value in zip(line.x, line.y, strict=True)
    ]
    dash = {"strokeDash": {"field": "kind", "legend": None, **frame.scale(kinds, dashes)}}
    if rows:
        layers.append(
            {
                "data": {"values": rows},
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {"x": x, "y": y, **frame.colours(kinds, width), **dash},
            }
        )
    dots = [{"x": at, "y": value, "kind": measured, "tip": tip} for at, value, tip in points]
    layers.append(
        {
            "data": {"values": dots},
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.9},
            "encoding": {"x": x, "y": y, **frame.colours(kinds, width), **frame.tip()},
        }
    )
    return frame.plot(width, height, layers)
