"""What `report` shows on a terminal: a box with the figures, charts, and what needs attention.

Owns layout only. Must never print what others chose unescaped.
"""

from collections.abc import Iterator, Sequence
from io import StringIO

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cortex_git.analysis.statistics import Attention, ReportData
from cortex_git.analysis.wording import (
    cost,
    heading,
    money,
    no_pool,
    number,
    pace,
    percent,
    span,
    statuses,
    workers,
)
from cortex_git.cli.report_charts import drawn
from cortex_git.cli.screen import terminal_size
from cortex_git.scan.reports.escape import clip, terminal

WIDTH = 100
"""Cells of the widest box: longer lines are hard to read."""
_BAR = 20
_TEXT = 300
_STYLES = {"critical": "bold red", "warning": "bold yellow", "note": "bold"}


def print_report(data: ReportData, *, charts: bool | None = None) -> None:
    """The report on stdout; with charts where they are asked for, or it is a terminal that can have them."""
    from cortex_git.cli.output import note

    console = Console(highlight=False, markup=False, width=min(terminal_size()[0], WIDTH))
    for part in _parts(data):
        console.print(part)
    if charts or (charts is None and console.is_terminal):
        lines, problem = drawn(data, console.width)
        for line in lines:
            console.print(Text(line), no_wrap=True, crop=False)
        if problem and charts:
            note(problem)


def plain(data: ReportData, *, charts: bool) -> str:
    """The same as text, for a file."""
    console = Console(file=StringIO(), highlight=False, markup=False, width=WIDTH, color_system=None)
    for part in _parts(data):
        console.print(part)
    lines = drawn(data, WIDTH)[0] if charts else []
    written = console.file.getvalue() if isinstance(console.file, StringIO) else ""
    return written + "".join(f"{line}\n" for line in lines)


def _parts(data: ReportData) -> Iterator[Panel | Table | Text]:
    yield _box(data)
    yield from _attention(data.attention)
    for line in data.notes:
        yield Text(f"Note: {terminal(clip(line, _TEXT))}", style="dim")


def _box(data: ReportData) -> Panel:
    title = "Report" if data.period.batch is None else f"Batch {terminal(clip(data.period.batch, 60))}"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _lines(data):
        table.add_row(label, text)
    about = Text(heading(data.period), style="dim")
    return Panel(Group(about, table), title=Text(title), title_align="left")


def _lines(data: ReportData) -> Iterator[tuple[str, str]]:
    yield from _use(data)
    yield from _work(data)
    yield from _spent(data)
    if (found := data.findings) is not None:
        counts = f"critical {found.critical}, high {found.high}, medium {found.medium}, low {found.low}"
        unknown = f", unknown {found.unknown}" if found.unknown else ""
        many = "1 repository" if data.scanned == 1 else f"{data.scanned:,} repositories"
        yield "Findings", f"{found.total:,} in {many}: {counts}{unknown}"


def _use(data: ReportData) -> Iterator[tuple[str, str]]:
    used = data.utilization
    if used is None:
        yield "Pools", no_pool(data)
        return
    for name, share in (("Light", used.light), ("Medium", used.medium), ("Heavy", used.heavy)):
        share = share or 0.0
        # With a space, so that its columns stand below each other in any font.
        yield (
            name,
            f"{span(share * used.covered_s):>7} {percent(share):>6}  {'█' * round(share * _BAR)}".rstrip(),
        )
    efficiency = percent(used.efficiency)
    average = number(used.average_active)
    yield "Active", f"{average} on average, {used.peak_active} at most; efficiency {efficiency}"


def _work(data: ReportData) -> Iterator[tuple[str, str]]:
    totals, tally = data.totals, data.totals.tally
    still = f"; {totals.open:,} open" if totals.open else ""
    if not tally.tasks:
        yield "Tasks", f"none ended{still}"
        return
    yield "Tasks", f"{tally.tasks:,} ended: {statuses(data)}{still}"
    again = f"; {totals.retried:,} needed more than one attempt" if totals.retried else ""
    yield "Success", f"{percent(tally.success_rate)}{again}"
    if totals.throughput_per_hour is not None:
        most = max(data.throughput, key=lambda step: step.ended, default=None)
        peak = f", at most {most.ended:,} in {span(most.seconds)}" if most is not None else ""
        yield "Pace", f"{pace(data)}{peak}"
    if (had := workers(data)) is not None:
        yield "Workers", had
    if tally.run_s_median is not None:
        yield "Run time", f"{span(tally.run_s_median)} median, {span(tally.run_s_p90)} for 90%"
    if tally.wait_s_median is not None:
        yield "Wait", f"{span(tally.wait_s_median)} median, {span(tally.wait_s_p90)} for 90%"


def _spent(data: ReportData) -> Iterator[tuple[str, str]]:
    tally, usage = data.totals.tally, data.totals.usage
    if not tally.tokens:
        yield "Tokens", "none"
        return
    kinds = f": {usage.input:,} input, {usage.output:,} output" if usage.total else ""
    cache = usage.cache_write + usage.cache_read
    yield "Tokens", f"{tally.tokens:,}{kinds}" + (f", {cache:,} cache" if cache else "")
    each = tally.cost_usd / tally.completed if tally.completed and tally.cost_usd else None
    a_task = f", {money(each)} a completed task" if each is not None else ""
    yield "Cost", f"{cost(data)}{a_task}"


def _attention(found: Sequence[Attention]) -> Iterator[Text | Table]:
    if not found:
        yield Text("Nothing needs attention.", style="green")
        return
    yield Text(f"Needs attention ({len(found)}):", style="bold")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found:
        what, where = (terminal(clip(text, _TEXT)) for text in (one.what, one.where))
        table.add_row(Text(one.level, style=_STYLES[one.level]), f"{where}: {what}")
        table.add_row("", terminal(one.what_to_do))
    yield table
