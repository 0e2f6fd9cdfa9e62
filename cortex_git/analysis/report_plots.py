"""The plots of a report, each with the table of its data."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from cortex_git.analysis.report_gantt import gantt_plot
from cortex_git.analysis.report_rankings import severities, slowest
from cortex_git.analysis.statistics import Day, Hour, ReportData, Step, moment
from cortex_git.analysis.timelines import DAY_S, HOUR_S, together
from cortex_git.analysis.utilization import Use, shares
from cortex_git.analysis.wording import money, number, percent, span
from cortex_git.pages import charts
from cortex_git.pages.frame import Axis, Marks, Series
from cortex_git.pages.plots import Plot
from cortex_git.pages.tables import Column, Table
from cortex_git.pages.text import counted

COLUMNS_SHOWN = 200
_LEAST_COLUMNS = 6
"""A plot over time has room for as many, so that one is not as wide as the plot."""
_BUCKET_HOURS = (1, 6, 24, 168, 720)

_BANDS = (Series("light", "level-1"), Series("medium", "level-2"), Series("heavy", "level-3"))
_ENDED = (Series("completed", "series-1"), Series("not completed", "critical"))
_KINDS = (
    Series("input", "step-1"),
    Series("cache read", "step-2"),
    Series("cache write", "step-3"),
    Series("output", "step-4"),
    Series("kind not known", "series-5"),
)
_COST = (Series("cost", "series-3"),)


def plots(data: ReportData) -> Iterator[Plot]:
    """Those that the data has something for."""
    if data.hours:
        yield _utilization(data.hours)
    if data.gantt is not None and data.gantt.rows:
        yield gantt_plot(data.gantt)
    if data.throughput:
        yield _throughput(data.throughput)
    if any(day.tally.tokens for day in data.days):
        yield _tokens(data.days)
        yield _cost(data.days)
    if data.severities:
        yield severities(data.severities)
    if data.slowest:
        yield slowest(data.slowest)


def _utilization(hours: Sequence[Hour]) -> Plot:
    size = _bucket(hours)
    wide_s = size * HOUR_S
    grouped: dict[float, list[Hour]] = {}
    for hour in hours:
        grouped.setdefault(hour.start // wide_s * wide_s, []).append(hour)
    uses = [(start, use) for start, group in sorted(grouped.items()) if (use := together(group))]
    shown = uses[-COLUMNS_SHOWN:]
    per_unit, unit = _unit(size, max(use.covered_s for _, use in shown))
    columns = [
        _column(start, wide_s, [part / per_unit for part in _parts(use)], _said(start, use))
        for start, use in shown
    ]
    said = _shares_said(hours)
    return Plot(
        "utilization",
        "Time in which a pool ran: light is 0 to 5 workers on a task, medium 6 to 15, heavy 16 and more",
        f"Stacked columns over {counted(len(shown), 'stretch', 'stretches')} of time. {said}",
        _over_time(columns, _BANDS, Axis(unit, ",~f"), wide_s),
        _use_table(hours),
        note=said,
    )


def _shares_said(hours: Sequence[Hour]) -> str:
    whole = together(hours)
    if whole is None:
        return ""
    used = shares(whole)
    bands = zip(_BANDS, _parts(whole), (used.light, used.medium, used.heavy), strict=True)
    parts = ", ".join(f"{band.name} {span(seconds)} ({percent(part)})" for band, seconds, part in bands)
    return (
        f"{parts}; {number(used.average_active)} workers active on average, {used.peak_active:,} at most;"
        f" efficiency {percent(used.efficiency)}."
    )


def _bucket(hours: Sequence[Hour]) -> int:
    passed = (hours[-1].start - hours[0].start) / HOUR_S
    return next((size for size in _BUCKET_HOURS if passed / size < COLUMNS_SHOWN), _BUCKET_HOURS[-1])


def _unit(size: int, most_s: float) -> tuple[float, str]:
    """Seconds of the unit in which a column of so many hours is told, and its name."""
    if size > 1:
        return HOUR_S, f"hours of {size}"
    return (60.0, "minutes of the hour") if most_s >= 60 else (1.0, "seconds of the hour")


def _parts(use: Use) -> tuple[float, float, float]:
    return (use.light_s, use.medium_s, use.heavy_s)


def _said(start: float, use: Use) -> str:
    used = shares(use)
    light, medium, heavy = (span(part) for part in _parts(use))
    return (
        f"{moment(start)}: light {light}, medium {medium}, heavy {heavy};"
        f" {number(used.average_active)} active, efficiency {percent(used.efficiency)}"
    )


def _use_table(hours: Sequence[Hour]) -> Table:
    columns = (
        Column("Hour (UTC)"),
        *(Column(f"{name}, min", number=True, digits=1) for name in ("Light", "Medium", "Heavy")),
        Column("Average active", number=True, digits=1),
        Column("Peak", number=True),
        Column("Efficiency, %", number=True, digits=1),
    )
    rows = []
    for hour in hours[-1000:]:
        used = shares(hour.use)
        minutes = [part / 60 for part in _parts(hour.use)]
        rows.append(
            (moment(hour.start), *minutes, used.average_active, used.peak_active, _percent(used.efficiency))
        )
    left = f"The last 1,000 of {len(hours):,} hours." if len(hours) > 1000 else ""
    return Table("Use of the pools by hour", columns, rows, left_out=left)


def _throughput(steps: Sequence[Step]) -> Plot:
    wide_s = max(steps[0].seconds, 0.001)
    columns = [
        _column(
            step.start,
            wide_s,
            [step.completed, step.failed],
            f"{moment(step.start)}: {step.completed:,} completed, {step.failed:,} not",
        )
        for step in steps
    ]
    most = max(steps, key=lambda step: step.ended)
    headings = ("Completed", "Not completed", "Tokens")
    return Plot(
        "throughput",
        f"Tasks that ended, for each {_length(wide_s)}",
        f"Columns over time: {counted(sum(step.ended for step in steps), 'task')} ended, at most"
        f" {most.ended:,} each {_length(wide_s)}, at {moment(most.start)}.",
        _over_time(columns, _ENDED, Axis(f"tasks each {_length(wide_s)}", "~s"), wide_s),
        Table(
            "Ended tasks over time",
            (Column("From (UTC)"), *(Column(name, number=True) for name in headings)),
            [(moment(step.start), step.completed, step.failed, step.tokens) for step in steps],
        ),
    )


def _tokens(days: Sequence[Day]) -> Plot:
    columns = [
        _column(day.start, DAY_S, _kinds(day), f"{moment(day.start)[:10]}: {day.tally.tokens:,} tokens")
        for day in days[-COLUMNS_SHOWN:]
    ]
    used = [place for place in range(len(_KINDS)) if any(column.values[place] for column in columns)]
    kinds = [_KINDS[place] for place in used]
    columns = [
        charts.Column(one.start_ms, one.end_ms, tuple(one.values[place] for place in used), one.tip)
        for one in columns
    ]
    total = sum(day.tally.tokens for day in days)
    return Plot(
        "tokens",
        "Tokens by day, by kind",
        f"Stacked columns for {counted(len(columns), 'day')}: {total:,} tokens in all.",
        _over_time(columns, kinds, Axis("tokens", "~s"), DAY_S),
        Table(
            "Tokens by day",
            (Column("Day (UTC)"), *(Column(kind.name.capitalize(), number=True) for kind in _KINDS)),
            [(moment(day.start)[:10], *map(int, _kinds(day))) for day in days],
        ),
        wide=False,
    )


def _kinds(day: Day) -> tuple[float, ...]:
    use = day.usage
    rest = max(day.tally.tokens - use.total, 0)
    return tuple(map(float, (use.input, use.cache_read, use.cache_write, use.output, rest)))


def _cost(days: Sequence[Day]) -> Plot:
    priced = [(day, _money(day.tally.cost_usd, day.tally.unpriced_tokens)) for day in days]
    columns = [
        _column(day.start, DAY_S, [float(day.tally.cost_usd)], f"{moment(day.start)[:10]}: {cost}")
        for day, cost in priced[-COLUMNS_SHOWN:]
    ]
    total = sum((day.tally.cost_usd for day in days), start=days[0].tally.cost_usd * 0)
    unpriced = sum(day.tally.unpriced_tokens for day in days)
    return Plot(
        "cost",
        "Cost by day in US dollars",
        f"Columns for {counted(len(columns), 'day')}: {_money(total, unpriced)} in all.",
        _over_time(columns, _COST, Axis("US dollars", "$~s"), DAY_S),
        Table(
            "Cost by day",
            (Column("Day (UTC)"), Column("Cost"), Column("Tokens without a price", number=True)),
            [(moment(day.start)[:10], cost, day.tally.unpriced_tokens) for day, cost in priced],
        ),
        wide=False,
        note=f"{unpriced:,} tokens have no price here and are not in it." if unpriced else "",
    )


def _money(amount: Decimal, unpriced_tokens: int) -> str:
    """Tokens without a price cost something too."""
    return f"{money(amount)} + ?" if unpriced_tokens else money(amount)


def _over_time(
    columns: Sequence[charts.Column], series: Sequence[Series], axis: Axis, wide_s: float
) -> Callable[[int], Marks]:
    last = columns[-1].end_ms
    drawn = (min(columns[0].start_ms, last - _LEAST_COLUMNS * wide_s * 1000), last)
    return lambda width: charts.columns(columns, series, axis, width, span=drawn)


def _column(start: float, wide_s: float, values: Iterable[float], tip: str) -> charts.Column:
    return charts.Column(start * 1000, (start + wide_s) * 1000, tuple(values), tip)


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else fraction * 100


def _length(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            amount = round(seconds / size)
            return name if amount == 1 else f"{amount:,} {name}s"
    return span(seconds)
