"""A batch by worker, drawn: which worker was on which task when.

Tasks of less than a pixel that lie next to each other become one bar; the table keeps every one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cortex_git.analysis.statistics import Gantt, GanttRow
from cortex_git.analysis.wording import percent, span
from cortex_git.pages.charts import Bar, lanes
from cortex_git.pages.frame import Axis, Marks, Series, distinct
from cortex_git.pages.plots import Plot
from cortex_git.pages.tables import Column, Table
from cortex_git.pages.text import clip, clip_start, counted, visible

LANES_SHOWN = 64
_DRAWN = 0.8
"""Part of a plot's width that the bars have, roughly."""
_ID_LIMIT = 100
"""Characters of an id, which are all that a valid one has: a thousand rows repeat it."""
_NAME_LIMIT = {True: 30, False: 16}
_UNITS = ((3 * 3600.0, 3600.0, "hours"), (300.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))

_COMPLETED, _FAILED, _CANCELLED = range(3)
SERIES = (
    Series("completed", "series-1"),
    Series("not completed", "critical", "✕"),
    Series("cancelled", "series-5", "–"),
)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One or several tasks of one kind on one worker."""

    start_s: float
    end_s: float
    kind: int
    tasks: int
    named: GanttRow


def gantt_plot(found: Gantt) -> Plot:
    """The plot, with every task that `found` has in its table."""
    by_worker: dict[tuple[str, str], list[GanttRow]] = {}
    for row in found.rows:
        by_worker.setdefault((row.host, row.worker), []).append(row)
    shown = dict(list(by_worker.items())[:LANES_SHOWN])
    end_s = max((row.end_s for row in found.rows), default=0.0)
    span_s = max(end_s, 0.001)

    def spec(width: int) -> Marks:
        return _spec(shown, span_s, width)

    return Plot(
        "gantt",
        f"Each worker of the batch {found.batch}, from its first start on",
        _alt(found, by_worker, span_s),
        spec,
        _table(found),
        note=_note(found, len(by_worker) - len(shown)),
    )


def _spec(shown: dict[tuple[str, str], list[GanttRow]], span_s: float, width: int) -> Marks:
    several = len({host for host, _ in shown}) > 1
    limit = _NAME_LIMIT[width > 600]
    named = [f"{worker} {host[:8]}" if several else worker for host, worker in shown]
    names = distinct([clip_start(visible(name), limit) for name in named])
    per_unit, unit = next((size, name) for least, size, name in _UNITS if span_s >= least)
    pixel_s = span_s / (width * _DRAWN)
    bars = [
        Bar(
            name,
            one.start_s / per_unit,
            max(one.end_s, one.start_s + pixel_s) / per_unit,
            one.kind,
            _tip(one),
        )
        for name, rows in zip(names, shown.values(), strict=True)
        for one in _merged(rows, pixel_s)
    ]
    used = sorted({bar.series for bar in bars} | {_COMPLETED})
    kinds = [SERIES[kind] for kind in used]
    bars = [replace(bar, series=used.index(bar.series)) for bar in bars]
    return lanes(bars, names, kinds, Axis(f"{unit} since the first start", ",~f"), width)


def _merged(rows: Iterable[GanttRow], pixel_s: float) -> list[_Stretch]:
    """What is drawn of one worker's tasks, in the order of their starts."""
    found: list[_Stretch] = []
    for row in rows:
        one = _Stretch(row.start_s, max(row.end_s, row.start_s), _kind(row.status), 1, row)
        last = found[-1] if found else None
        if last and _belong(last, one, pixel_s):
            end_s = max(last.end_s, one.end_s)
            found[-1] = replace(last, end_s=end_s, tasks=last.tasks + 1)
        else:
            found.append(one)
    return found


def _belong(last: _Stretch, one: _Stretch, pixel_s: float) -> bool:
    thin = one.end_s - one.start_s < pixel_s and (last.tasks > 1 or last.end_s - last.start_s < pixel_s)
    return thin and last.kind == one.kind and one.start_s - last.end_s < pixel_s


def _kind(status: str) -> int:
    return {"completed": _COMPLETED, "cancelled": _CANCELLED}.get(status, _FAILED)


def _tip(one: _Stretch) -> str:
    lasted = span(one.end_s - one.start_s)
    if one.tasks > 1:
        return f"{counted(one.tasks, 'task')} in {lasted} from {one.start_s:,.1f} s"
    named = f"{clip_start(one.named.task, _ID_LIMIT)}: {clip(one.named.status, 30)}"
    return f"{named}, {lasted} from {one.start_s:,.1f} s"


def _alt(found: Gantt, by_worker: dict[tuple[str, str], list[GanttRow]], span_s: float) -> str:
    busy_s = sum(max(row.end_s - row.start_s, 0.0) for row in found.rows)
    bad = sum(_kind(row.status) == _FAILED for row in found.rows)
    used = min(busy_s / (span_s * max(len(by_worker), 1)), 1.0)
    return (
        f"Gantt chart: {counted(len(found.rows), 'task')} on {counted(len(by_worker), 'worker')} within"
        f" {span(span_s)}; {bad:,} not completed. Workers were on a task {percent(used)} of that time."
    )


def _note(found: Gantt, workers_left: int) -> str:
    said = []
    if found.left_out:
        said.append(f"{counted(found.left_out, 'later task')} of the batch left out.")
    if workers_left:
        said.append(f"{counted(workers_left, 'more worker')} in the table only.")
    if len({row.host for row in found.rows}) > 1:
        said.append("Hosts are shown by their own clocks.")
    return " ".join(said)


def _table(found: Gantt) -> Table:
    columns = (
        Column("Task", name=True),
        Column("Worker", name=True),
        Column("Host", name=True),
        Column("Start, s", number=True, digits=1),
        Column("Seconds", number=True, digits=3),
        Column("Status", choose=True),
    )
    rows: Sequence[tuple[str | float, ...]] = [
        (*_ids(row), row.start_s, row.end_s - row.start_s, clip(row.status, 30)) for row in found.rows
    ]
    return Table(f"Tasks of the batch {found.batch} by worker", columns, rows, left_out=_note(found, 0))


def _ids(row: GanttRow) -> tuple[str, str, str]:
    return clip_start(row.task, _ID_LIMIT), clip_start(row.worker, _ID_LIMIT), clip_start(row.host, _ID_LIMIT)
