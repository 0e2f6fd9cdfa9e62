"""What the plots have in common: series, axes, the frame around them, in Vega-Lite's words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Marks = dict[str, Any]

_NAME_LIMIT = 34
_NARROW = 420
"""Pixels below which a legend of many takes two lines."""
_CHARACTER = 7.3
"""Width of a character of a label in pixels, in a wide face: which one a browser takes is not known here."""


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of thing in a plot."""

    name: str
    colour: str
    """A variable of the page's style, without its dashes: `series-1`."""
    letter: str = ""
    """Written into its segments where there is room."""
    ink: str = "on-severity"

    @property
    def paint(self) -> str:
        return f"var(--{self.colour})"


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis counts."""

    title: str
    form: str = "~s"
    """A d3 number format."""
    domain: tuple[float, float] | None = None
    ticks: int = 5


def distinct(labels: Sequence[str]) -> list[str]:
    """The labels, a number behind each that was there before: two rows never fall together."""
    taken: set[str] = set()
    named = []
    for label in labels:
        name, number = label, 1
        while name in taken:
            number += 1
            name = f"{label} ({number})"
        taken.add(name)
        named.append(name)
    return named


def plot(width: int, height: object, layers: list[Marks]) -> Marks:
    """The layers in one frame, `width` pixels wide all in all."""
    label = {
        "labelColor": "var(--muted)",
        "labelFontSize": 12,
        "titleColor": "var(--muted)",
        "titleFontSize": 12,
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": width,
        "height": height,
        "padding": 3,
        "background": None,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "layer": layers,
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": {
                **label,
                "titleFontWeight": "normal",
                "domain": False,
                "ticks": False,
                "labelPadding": 6,
                "gridColor": "var(--grid)",
                "labelLimit": round(width * 0.42),
            },
            "axisBand": {"grid": False},
            "legend": {
                **label,
                "labelColor": "var(--text)",
                "title": None,
                "orient": "top",
                "symbolType": "square",
                "symbolSize": 110,
            },
        },
    }


def names(found: Sequence[str], width: int, **scale: object) -> Marks:
    """The axis of names, from above, with room for the longest of them."""
    room = min(max(map(len, found), default=0) * _CHARACTER, width * 0.42)
    drawn = {"title": None, "minExtent": round(room)}
    domain = {"domain": list(found), **scale}
    return {"field": "name", "type": "nominal", "sort": list(found), "axis": drawn, "scale": domain}


def axis(found: Axis) -> Marks:
    """The axis of a quantity."""
    drawn: Marks = {"axis": {"title": found.title, "format": found.form, "tickCount": found.ticks}}
    if found.domain is not None:
        drawn["scale"] = {"domain": list(found.domain), "nice": False}
    return drawn


def time(span: tuple[float, float], width: int) -> Marks:
    """The axis of time (UTC), from and to milliseconds since 1970."""
    seconds = (span[1] - span[0]) / 1000
    clock = "%H:%M:%S" if seconds <= 600 else "%H:%M"
    by_clock = "utchours(datum.value) || utcminutes(datum.value)" if seconds <= 96 * 3600 else "false"
    label = f"utcFormat(datum.value, {by_clock} ? '{clock}' : '%b %d')"
    return {
        "field": "t",
        "type": "temporal",
        "scale": {"type": "utc", "domain": list(span), "nice": False},
        "axis": {
            "title": "UTC",
            "labelExpr": label,
            "tickCount": max(2, width // 110),
            "grid": False,
            "labelFlush": False,
            "labelOverlap": True,
        },
    }


def colours(series: Sequence[Series], width: int) -> Marks:
    """The colours of the series, and their legend where there are several."""
    legend = {"columns": 3 if width < _NARROW and len(series) > 3 else len(series)}
    painted = scale(series, [kind.paint for kind in series])
    shown = legend if len(series) > 1 else None
    return {"color": {"field": "kind", "type": "nominal", **painted, "legend": shown}}


def scale(series: Sequence[Series], values: Sequence[object]) -> Marks:
    """A value for each series."""
    return {"scale": {"domain": [kind.name for kind in series], "range": list(values)}}


def tip() -> Marks:
    """Becomes the title of the mark, which a pointer shows."""
    return {"description": {"field": "tip", "type": "nominal"}}


def text(rows: list[Marks], at: Marks, *, align: str, **more: Any) -> Marks:
    """The text of each row that has one."""
    mark = {
        "type": "text",
        "align": align,
        "baseline": "middle",
        "fontSize": more.get("size", 11),
        "aria": False,
    }
    mark |= {"dx": more.get("dx", 0), "color": more.get("colour", "var(--muted)")}
    encoding = {**at, "text": {"field": "text", "type": "nominal"}}
    shown = [row for row in rows if row["text"]]
    return {"data": {"values": shown}, "mark": mark, "encoding": encoding}


def figure(value: float, plain: bool) -> str:
    """The total behind a bar: a count, or a quantity with three digits that count."""
    places = 0 if not plain or value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{places}f}"


def gap(stretches: Sequence[tuple[float, float]], span: tuple[float, float], width: int) -> float:
    """Pixels between columns: none where the narrowest is narrow."""
    narrowest = min((end - start for start, end in stretches), default=0.0)
    return 1.0 if narrowest * width > 5 * (span[1] - span[0]) else 0.0


def name_room(width: int) -> int:
    """Characters of a name beside its bar."""
    return min(_NAME_LIMIT, round(width * 0.4 / _CHARACTER))
