"""Throughput and overhead against workers, drawn: each batch a point, and the curve fitted to them.

A curve is drawn only through enough different numbers of workers, and where scipy is installed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cortex_git.analysis.statistics import ScalingPoint
from cortex_git.analysis.usl import Point, Usl, fit
from cortex_git.analysis.wording import number, percent, span
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.pages.charts import Curve, curves
from cortex_git.pages.frame import Axis, Marks
from cortex_git.pages.plots import Plot
from cortex_git.pages.tables import Column, Table
from cortex_git.pages.text import counted

_DRAWN_AT = 40
"""Points of a drawn curve."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A curve as plain numbers: tasks a minute at so many workers, and the band it lies in."""

    workers: tuple[float, ...]
    tasks_per_minute: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    said: str
    """What it means, in a sentence or two."""


def fit_of(found: Sequence[ScalingPoint]) -> Fit | None:
    """The Universal Scalability Law fitted to the batches; None where they are too few, or without scipy."""
    try:
        curve = fit(Point(one.workers, one.tasks_per_minute) for one in found)
    except (BadInput, EnvironmentProblem):
        return None
    return plain(curve)


def plain(curve: Usl) -> Fit:
    """A fitted curve as far as it is followed."""
    step = max(1, curve.most // _DRAWN_AT)
    at = (*range(1, curve.most, step), curve.most)
    bands = [curve.band(workers) for workers in at]
    spot = curve.sweet_spot()
    peak = curve.peak()
    said = (
        f"Fitted curve (Universal Scalability Law, 95 % band): up to {counted(spot.workers, 'worker')}"
        " the last one adds at least half of what the first one does"
    )
    said += f"; the most tasks a minute are reached with {peak:,}." if peak else "."
    if spot.extrapolated:
        said += f" Measured up to {curve.measured_most:,} only."
    return Fit(
        tuple(map(float, at)),
        tuple(curve.per_min(workers) for workers in at),
        tuple(low for low, _ in bands),
        tuple(high for _, high in bands),
        said,
    )


def scaling_plots(found: Sequence[ScalingPoint], fitted: Fit | None) -> tuple[Plot, Plot]:
    """Tasks a minute, and overhead, against workers. `found` is not empty."""
    said = f"Points for {counted(len(found), 'batch', 'batches')}"
    best = max(found, key=lambda one: one.tasks_per_minute)
    least = min(found, key=lambda one: one.overhead)
    most = max(found, key=lambda one: one.overhead)
    pace = Plot(
        "pace",
        "Tasks a minute against workers, each point a batch",
        f"{said}. The most, {number(best.tasks_per_minute)} tasks a minute, on"
        f" {counted(best.workers, 'worker')}. {fitted.said if fitted else ''}",
        lambda width: _pace(found, fitted, width),
        scaling_table(found),
        wide=False,
        note=fitted.said if fitted else "",
    )
    overhead = Plot(
        "overhead",
        "Overhead against workers: the part of their time in which they were on no task",
        f"{said}: from {percent(least.overhead)} on {counted(least.workers, 'worker')} to"
        f" {percent(most.overhead)} on {counted(most.workers, 'worker')}.",
        lambda width: _overhead(found, width),
        scaling_table(found),
        wide=False,
    )
    return pace, overhead


def _pace(found: Sequence[ScalingPoint], fitted: Fit | None, width: int) -> Marks:
    points = [(float(one.workers), one.tasks_per_minute, _tip(one)) for one in found]
    lines = []
    if fitted is not None:
        ceiling = 1.6 * max(max(fitted.tasks_per_minute), *(at for _, at, _ in points))
        high = tuple(min(value, ceiling) for value in fitted.high)
        line = Curve("fitted", "series-2", fitted.workers, fitted.tasks_per_minute, fitted.low, high)
        lines.append(line)
    return curves(
        points, lines, _workers(found, fitted), Axis("tasks a minute", "~s"), width, measured="batches"
    )


def _overhead(found: Sequence[ScalingPoint], width: int) -> Marks:
    points = [(float(one.workers), one.overhead, _tip(one)) for one in found]
    counts = sorted({one.workers for one in found})
    middle = tuple(median(one.overhead for one in found if one.workers == count) for count in counts)
    lines = []
    if len(counts) > 1:
        lines.append(Curve("median", "series-2", tuple(map(float, counts)), middle, dashed=True))
    share = Axis("overhead", ".0%", domain=(0.0, 1.0))
    return curves(points, lines, _workers(found, None), share, width, measured="batches")


def _workers(found: Sequence[ScalingPoint], fitted: Fit | None) -> Axis:
    most = max(max(one.workers for one in found), fitted.workers[-1] if fitted else 0)
    return Axis("workers", ",~f", domain=(0.0, most * 1.05))


def _tip(one: ScalingPoint) -> str:
    return (
        f"{one.batch}: {counted(one.workers, 'worker')}, {counted(one.tasks, 'task')},"
        f" {number(one.tasks_per_minute)} a minute, overhead {percent(one.overhead)}, median task"
        f" {span(one.run_s_median)}"
    )


def scaling_table(found: Sequence[ScalingPoint]) -> Table:
    """Every batch with its pace and its overhead."""
    columns = (
        Column("Batch", name=True),
        Column("Workers", number=True),
        Column("Tasks", number=True),
        Column("Tasks a minute", number=True, digits=2),
        Column("Overhead, %", number=True, digits=1),
        Column("Median task, s", number=True, digits=3),
    )
    rows = [
        (one.batch, one.workers, one.tasks, one.tasks_per_minute, one.overhead * 100, one.run_s_median)
        for one in found
    ]
    return Table("Throughput and overhead by batch", columns, rows)
