"""The report as one page that loads nothing: what needs attention on top, then figures, plots and tables.

Pure. Every name was chosen by whoever could push: it is text to the page, which escapes it.
"""

from collections.abc import Iterator, Mapping, Sequence

from cortex_git.analysis.report_plots import plots
from cortex_git.analysis.report_scaling import Fit, fit_of, scaling_plots, scaling_table
from cortex_git.analysis.statistics import Attention, BudgetStanding, ReportData, Tally, moment
from cortex_git.analysis.wording import cost, heading, money, no_pool, number, pace, percent, span, statuses
from cortex_git.pages.drawing import MISSING
from cortex_git.pages.markup import Html, element, join
from cortex_git.pages.page import Page, render
from cortex_git.pages.parts import Level, Notice, Section, Tile, notices, paragraph, tiles
from cortex_git.pages.plots import figures
from cortex_git.pages.tables import Cell, Column, Table, draw
from cortex_git.pages.text import clip_start, counted

_NOTICES_SHOWN = 30
_NAME_LIMIT = 200
_SCALING = "Throughput and overhead by workers"


def page(data: ReportData, fitted: Fit | None = None) -> str:
    """The whole page; it ends with one newline. Without a fit it makes one, where the batches allow it."""
    found = [*plots(data)]
    if len({one.workers for one in data.scaling}) > 1:
        found += scaling_plots(data.scaling, fitted or fit_of(data.scaling))
    drawn, could_draw = figures(found)
    batch = data.period.batch
    return render(
        Page(
            title="Report" if batch is None else f"Report of batch {batch}",
            subtitle=heading(data.period),
            facts=(("Made", moment(data.at)), ("On host", data.host)),
            opening=_opening(data, could_draw),
            sections=tuple(_sections(data, drawn)),
            footer=(*data.notes, "Times are UTC. A dash stands for what is not known."),
        )
    )


def _opening(data: ReportData, could_draw: bool) -> Html:
    found = [_notice(one) for one in data.attention[:_NOTICES_SHOWN]]
    if len(data.attention) > _NOTICES_SHOWN:
        found.append(
            Notice("note", f"{len(data.attention) - _NOTICES_SHOWN:,} more; --format json has them all")
        )
    if not found:
        found.append(Notice("good", "Nothing needs attention, as far as this host knows."))
    note = None if could_draw else paragraph(MISSING, "note")
    head = element("h2", "What needs attention")
    return element("div", head, notices(found), tiles(_tiles(data)), note, class_="opening")


def _notice(one: Attention) -> Notice:
    return Notice(one.level, one.what, one.where, one.what_to_do)


def _tiles(data: ReportData) -> Iterator[Tile]:
    totals, tally, used = data.totals, data.totals.tally, data.utilization
    yield Tile("Tasks ended", f"{tally.tasks:,}", statuses(data))
    yield Tile("Still open", f"{totals.open:,}", f"{counted(totals.retried, 'task')} needed several attempts")
    yield Tile("Success", percent(tally.success_rate), _success_said(tally), _success_level(tally))
    per_hour = totals.throughput_per_hour
    wall_s = data.period.wall_s or 0.0
    over = pace(data) if wall_s < 3600 else f"over {span(wall_s)}"
    yield Tile("Tasks an hour", number(per_hour), over if per_hour is not None else "")
    waits = f"90 % up to {span(tally.run_s_p90)}; waited {span(tally.wait_s_median)} (median)"
    waits = waits if tally.run_s_median is not None else ""
    yield Tile("Run time, median", span(tally.run_s_median), waits)
    if used is None:
        yield Tile("Pool efficiency", percent(None), no_pool(data))
    else:
        active = f"{number(used.average_active)} active on average, {used.peak_active:,} at most"
        yield Tile("Pool efficiency", percent(used.efficiency), active)
    yield Tile("Tokens", f"{tally.tokens:,}", f"{totals.usage.cache_read:,} of them read from a cache")
    unpriced = f"{tally.unpriced_tokens:,} tokens have no price" if tally.unpriced_tokens else ""
    known = tally.unpriced_tokens < tally.tokens or not tally.tokens
    yield Tile("Cost", money(tally.cost_usd) if known else percent(None), unpriced if known else cost(data))
    if data.findings is not None:
        worst = f"{data.findings.critical:,} critical, {data.findings.high:,} high"
        where = counted(data.scanned, "repository", "repositories")
        yield Tile("Vulnerabilities", f"{data.findings.total:,}", f"{worst}, in {where} scanned")


def _success_said(tally: Tally) -> str:
    return f"{tally.completed:,} of {tally.tasks - tally.cancelled:,} completed" if tally.tasks else ""


def _success_level(tally: Tally) -> Level | None:
    if tally.success_rate is None:
        return None
    return "good" if tally.success_rate >= 0.95 else "warning" if tally.success_rate >= 0.75 else "critical"


def _sections(data: ReportData, drawn: Mapping[str, Html]) -> Iterator[Section]:
    alone = {
        "utilization": "Use of the pools",
        "gantt": f"Batch {data.gantt.batch} by worker" if data.gantt else "",
        "throughput": "Throughput over time",
    }
    yield from _each(alone, drawn)
    if "pace" in drawn:
        yield Section("scaling", _SCALING, _pair(drawn["pace"], drawn["overhead"]))
    elif data.scaling:
        yield Section("scaling", _SCALING, draw(scaling_table(data.scaling), "scaling-list"))
    if "tokens" in drawn:
        yield Section("spending", "Tokens and cost by day", _pair(drawn["tokens"], drawn["cost"]))
    yield from _each({"severity": "Severity by repository", "slowest": "Slowest repositories"}, drawn)
    if data.budgets:
        yield Section("budgets", "Budgets", draw(_budgets(data.budgets), "budgets-list"))
    numbers = [one for one in _tallies(data) if one is not None]
    if numbers:
        yield Section("numbers", "In numbers", join(numbers))
    else:
        yield Section("numbers", "In numbers", paragraph("No task ended in this time.", "empty"))


def _each(named: Mapping[str, str], drawn: Mapping[str, Html]) -> Iterator[Section]:
    for identity, title in named.items():
        if identity in drawn:
            yield Section(f"{identity}-part", title, drawn[identity])


def _pair(*found: Html) -> Html:
    return element("div", *found, class_="pair")


def _tallies(data: ReportData) -> Iterator[Html | None]:
    yield _tally_table("masters", "By master", data.by_master)
    yield _tally_table("types", "By worker type", data.by_type)
    yield _tally_table("models", "By model", data.by_model)
    yield _tally_table("hosts", "By host", data.by_host)
    yield _tally_table("batches", "By batch, the newest first", data.by_batch, data.batches)
    yield _tally_table("repositories", "By repository", data.by_repository, data.repositories)


def _tally_table(identity: str, title: str, found: Sequence[Tally], total: int | None = None) -> Html | None:
    if not found:
        return None
    columns = (
        Column("Name", name=True),
        *(Column(name, number=True) for name in ("Tasks", "Completed", "Failed", "Cancelled")),
        Column("Success", number=True),
        *(Column(name, number=True) for name in ("Run, median", "Run, 90 %", "Wait, median")),
        Column("Tokens", number=True),
        Column("Cost", number=True),
    )
    more = (total or 0) - len(found)
    return draw(
        Table(
            title,
            columns,
            [_tally_row(one) for one in found],
            left_out=f"{more:,} more are not listed." if more > 0 else "",
        ),
        identity,
    )


def _tally_row(one: Tally) -> tuple[str | int | Cell, ...]:
    missing = " + ?" if one.unpriced_tokens else ""
    return (
        clip_start(one.name, _NAME_LIMIT) or "(not named)",
        one.tasks,
        one.completed,
        one.failed,
        one.cancelled,
        Cell(percent(one.success_rate), one.success_rate),
        Cell(span(one.run_s_median), one.run_s_median),
        Cell(span(one.run_s_p90), one.run_s_p90),
        Cell(span(one.wait_s_median), one.wait_s_median),
        one.tokens,
        Cell(f"{money(one.cost_usd)}{missing}", float(one.cost_usd)),
    )


def _budgets(found: Sequence[BudgetStanding]) -> Table:
    columns = (
        Column("Account", name=True),
        Column("Used", number=True),
        Column("Limit", number=True),
        Column("Used, %", number=True, digits=1),
        Column("Level"),
    )
    rows = [
        (one.account, one.used, one.limit, one.used * 100 / one.limit if one.limit else None, one.level)
        for one in found
    ]
    return Table("Tokens of all hosts, as this clone last saw them", columns, rows)
