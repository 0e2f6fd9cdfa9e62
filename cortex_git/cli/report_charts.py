"""Small charts for a terminal: use of the pools by hour, what ended by step of time, tokens by day.

Owns the import of plotext, and what is said where it is not there. Without colour, so that a chart looks the
same on every terminal; what each shows stands in the other formats as numbers.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cortex_git.analysis.statistics import ReportData
from cortex_git.analysis.wording import span

HEIGHT = 10
_BAR = 0.8
"""Of the distance between two places, how much a bar takes."""
_MOST_BARS = 48
_TICKS = 6
_NEEDED = "charts need plotext 6: run `pip install 'cortex-git[report]'`"
_Group = tuple[str, str, Sequence[float]]
"""Its name, the character it is drawn with, and its heights."""


def drawn(data: ReportData, width: int) -> tuple[list[str], str | None]:
    """The lines of the charts that the data are enough for, and why there are none without plotext."""
    try:
        import plotext
    except ImportError:
        return [], _NEEDED
    if not hasattr(plotext, "figure"):
        return [], _NEEDED
    lines: list[str] = []
    for chart in (_hours, _throughput, _days):
        lines += chart(data, lambda *parts: _bars(plotext, width, *parts))
    return lines, None


_Draw = Callable[[str, Sequence[str], Sequence[_Group]], list[str]]


def _hours(data: ReportData, draw: _Draw) -> list[str]:
    hours = data.hours[-_MOST_BARS:]
    if len(hours) < 2:
        return []
    groups = [
        ("light", "░", [hour.use.light_s / 60 for hour in hours]),
        ("medium", "▒", [hour.use.medium_s / 60 for hour in hours]),
        ("heavy", "█", [hour.use.heavy_s / 60 for hour in hours]),
    ]
    return draw("Minutes of use by hour (UTC)", [_at(hour.start) for hour in hours], groups)


def _throughput(data: ReportData, draw: _Draw) -> list[str]:
    steps = data.throughput
    if len(steps) < 2:
        return []
    groups = [
        ("completed", "░", [float(step.completed) for step in steps]),
        ("failed", "█", [float(step.failed) for step in steps]),
    ]
    form = "%m-%d" if steps[0].seconds >= 86400 else "%H:%M" if steps[0].seconds >= 60 else "%H:%M:%S"
    each = span(steps[0].seconds)
    return draw(f"Tasks that ended in each {each}", [_at(step.start, form) for step in steps], groups)


def _days(data: ReportData, draw: _Draw) -> list[str]:
    days = data.days[-_MOST_BARS:]
    if len(days) < 2 or not any(day.tally.tokens for day in days):
        return []
    groups = [("tokens", "░", [float(day.tally.tokens) for day in days])]
    return draw("Tokens by day (UTC)", [_at(day.start, "%m-%d") for day in days], groups)


def _at(moment: float, form: str = "%m-%d %Hh") -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(form)


def _bars(plotext: Any, width: int, title: str, labels: Sequence[str], groups: Sequence[_Group]) -> list[str]:
    """Stacked bars, one for each label, of which a few are written."""
    shown = [group for group in groups if any(group[2])]
    if not shown:
        return []
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, HEIGHT)
    bases = [0.0] * len(labels)
    for _, marker, heights in shown:
        # One by one, and none of no height: plotext draws that as high as a line.
        parts = [
            (at, base, base + more)
            for at, (base, more) in enumerate(zip(bases, heights, strict=True))
            if more
        ]
        at, low, high = (list(column) for column in zip(*parts, strict=True))
        # A width is a part of the least distance between two bars, not between two places.
        apart = min((after - before for before, after in pairwise(at)), default=1)
        figure.draw(figure.bar(at, low, high, marker=marker, width=_BAR / apart))
        bases = [base + more for base, more in zip(bases, heights, strict=True)]
    figure.ruler("x").lim(-0.5, len(labels) - 0.5)
    figure.ruler("y").lim(0, max(bases))
    places = list(range(len(labels)))
    every = max(len(places) // _TICKS, 1)
    figure.ruler("x").ticks(places[::every], list(labels[::every]))
    lines = str(plotext.uncolorize(str(figure.build()))).splitlines()
    legend = "  ".join(f"{marker} {name}" for name, marker, _ in shown)
    figure.clear()
    return ["", title, *([legend] if len(shown) > 1 else []), *lines]
