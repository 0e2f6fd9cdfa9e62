"""The report as Markdown, for the summary of a CI job, a pull request or a wiki.

Must never let whoever can push write Markdown: what they chose stands in a code span. Longer lists are cut,
and say so: a job's summary may have a megabyte.
"""

from collections.abc import Iterable, Iterator, Sequence

from cortex_git.analysis.statistics import Attention, ReportData, Tally, moment
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
from cortex_git.scan.reports.escape import clip, markdown_cell, markdown_code

_ROWS = 20
_LENGTH = 200
_MARKS = {"critical": "🔴 critical", "warning": "🟠 warning", "note": "🔵 note"}


def markdown(data: ReportData) -> str:
    """The whole report."""
    parts = [
        _opening(data),
        _attention(data.attention),
        _table("Figures", ("Figure", "Value"), _figures(data)),
        _tallies("By master", "Master", data.by_master),
        _tallies("By worker type", "Type", data.by_type),
        _tallies("By model", "Model", data.by_model),
        _tallies("By repository", "Repository", data.by_repository, data.repositories),
        _tallies("By batch, the newest first", "Batch", data.by_batch, data.batches),
        _table(
            "By day (UTC)", ("Day", *_COLUMNS), [(moment(d.start)[:10], *_cells(d.tally)) for d in data.days]
        ),
        _severities(data),
        _table(
            "Slowest repositories",
            ("Repository", "Longest", "Median", "Tasks"),
            [(_cell(r.repo), span(r.longest_s), span(r.median_s), f"{r.tasks:,}") for r in data.slowest],
        ),
        "\n".join(f"- {_sentence(text)}" for text in data.notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(data: ReportData) -> str:
    about = "Report" if data.period.batch is None else f"Report of batch {_code(data.period.batch)}"
    return f"# {about}\n\n{heading(data.period)}, made {moment(data.at)}"


def _attention(found: Sequence[Attention]) -> str:
    if not found:
        return "Nothing needs attention."
    rows = [
        (_MARKS[one.level], _cell(one.where), _cell(one.what), _cell(one.what_to_do)) for one in found[:_ROWS]
    ]
    title = f"Needs attention ({len(found)})"
    return _table(title, ("Level", "Where", "What", "What to do"), rows, len(found))


def _figures(data: ReportData) -> Iterator[tuple[str, str]]:
    totals, tally, used = data.totals, data.totals.tally, data.utilization
    yield "Tasks", f"{tally.tasks:,} ended" + (f": {statuses(data)}" if tally.tasks else "")
    yield "Open tasks", f"{totals.open:,}"
    yield "Success", percent(tally.success_rate)
    yield "Pace", pace(data)
    if (had := workers(data)) is not None:
        yield "Workers", had
    yield "Run time, median and 90%", f"{span(tally.run_s_median)}, {span(tally.run_s_p90)}"
    yield "Wait, median and 90%", f"{span(tally.wait_s_median)}, {span(tally.wait_s_p90)}"
    yield "Tokens", f"{tally.tokens:,}"
    yield "Cost", cost(data)
    if used is None:
        yield "Pools", no_pool(data)
        return
    for name, share in (("Light", used.light), ("Medium", used.medium), ("Heavy", used.heavy)):
        yield f"{name} use", f"{span((share or 0.0) * used.covered_s)} ({percent(share)})"
    yield "Active workers", f"{number(used.average_active)} on average, {used.peak_active} at most"
    yield "Efficiency", percent(used.efficiency)


_COLUMNS = ("Tasks", "Success", "Failed", "Run time (median)", "Wait (median)", "Tokens", "Cost")


def _cells(one: Tally) -> tuple[str, ...]:
    missing = " + ?" if one.unpriced_tokens else ""
    return (
        f"{one.tasks:,}",
        percent(one.success_rate),
        f"{one.failed:,}",
        span(one.run_s_median),
        span(one.wait_s_median),
        f"{one.tokens:,}",
        f"{money(one.cost_usd)}{missing}",
    )


def _tallies(title: str, column: str, found: Sequence[Tally], total: int | None = None) -> str:
    rows = [(_cell(one.name) or "not named", *_cells(one)) for one in found[:_ROWS]]
    return _table(title, (column, *_COLUMNS), rows, len(found) if total is None else total)


def _severities(data: ReportData) -> str:
    if data.findings is None:
        return ""
    names = ("critical", "high", "medium", "low", "unknown")
    rows = [("all", data.findings), *((_cell(one.repo), one) for one in data.severities[:_ROWS])]
    table = _table(
        "Findings",
        ("Repository", *(name.capitalize() for name in names)),
        [(name, *(f"{getattr(one, name):,}" for name in names)) for name, one in rows],
    )
    many = "1 repository" if data.scanned == 1 else f"{data.scanned:,} repositories"
    return f"{table}\n\nBy the newest scan of each of {many}; those without findings are not listed."


def _table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], total: int | None = None
) -> str:
    """Empty where there are no rows; with a line below it where there are more than these."""
    listed = [f"| {' | '.join(row)} |" for row in rows]
    if not listed:
        return ""
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}", *listed]
    if total is not None and total > len(listed):
        lines += ["", f"… and {total - len(listed):,} more: `--format json` has them"]
    return f"## {title}\n\n" + "\n".join(lines)


def _cell(text: str) -> str:
    return markdown_cell(clip(text, _LENGTH))


def _code(text: str) -> str:
    return markdown_code(clip(text, _LENGTH))


def _sentence(text: str) -> str:
    """A note of ours may hold a model's name or a remote's error: all of it is code."""
    return _code(text)
