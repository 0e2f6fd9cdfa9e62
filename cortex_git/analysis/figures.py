"""A report made of what was gathered from the facts of a period, of its samples, and of what is the case now.

Pure: services collect, and hand over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cortex_git.analysis.attention import Standing, attention
from cortex_git.analysis.gathering import MOST, Gathered, added_up
from cortex_git.analysis.statistics import Day, Hour, Period, ReportData, Totals
from cortex_git.analysis.timelines import gantt, together
from cortex_git.analysis.utilization import shares
from cortex_git.pages.text import counted


@dataclass(frozen=True, slots=True)
class Asked:
    """What the report is to be about."""

    at: float
    """When it is made."""
    host: str
    since: float | None
    """None: from the first result on."""
    until: float
    batch: str | None = None


def report_of(
    asked: Asked,
    gathered: Gathered,
    hours: Sequence[Hour],
    standing: Standing,
    *,
    open_tasks: int,
    notes: Sequence[str] = (),
) -> ReportData:
    """The report."""
    use = together(hours)
    used = None if use is None else shares(use)
    scans = gathered.scans()
    period = _period(asked, gathered)
    return ReportData(
        at=asked.at,
        host=asked.host,
        period=period,
        totals=_totals(gathered, period, open_tasks),
        utilization=used,
        hours=tuple(hours),
        throughput=gathered.endings.steps(),
        days=tuple(Day(at, one.tally(""), one.usage) for at, one in sorted(gathered.days.items())),
        by_master=gathered.masters.largest(MOST),
        by_type=gathered.types.largest(MOST),
        by_model=gathered.models.largest(MOST),
        by_host=gathered.hosts.largest(MOST),
        by_repository=gathered.repositories.largest(MOST),
        repositories=len(gathered.repositories),
        by_batch=gathered.batches.newest(MOST),
        batches=len(gathered.batches),
        gantt=None if gathered.drawn is None else gantt(gathered.drawn, gathered.of_drawn),
        slowest=gathered.slowest(),
        findings=added_up(scans),
        severities=tuple([one for one in scans if one.total][:MOST]),
        scanned=len(scans),
        scaling=gathered.points(),
        budgets=standing.budgets,
        attention=attention(gathered, used, standing),
        notes=(*notes, *_notes(gathered)),
    )


def _period(asked: Asked, gathered: Gathered) -> Period:
    if asked.batch is None and asked.since is not None:
        wall_s: float | None = max(asked.until - asked.since, 0.0)
    else:
        wall_s = gathered.whole.wall_s
    return Period(asked.since, asked.until, asked.batch, wall_s)


def _totals(gathered: Gathered, period: Period, open_tasks: int) -> Totals:
    ended = gathered.all.tasks - gathered.all.cancelled
    return Totals(
        tally=gathered.all.tally(""),
        by_status=dict(sorted(gathered.by_status.items(), key=lambda pair: (-pair[1], pair[0]))),
        throughput_per_hour=ended * 3600 / period.wall_s if period.wall_s else None,
        usage=gathered.all.usage,
        spawn_s_average=gathered.spawn_s_average,
        retried=gathered.retried,
        open=open_tasks,
    )


def _notes(gathered: Gathered) -> list[str]:
    notes = []
    if gathered.mistimed:
        notes.append(
            f"{counted(gathered.mistimed, 'task')} with times that cannot be, such as a start long before it"
            " was added: counted, but in no run time, pace or plot"
        )
    if tokens := gathered.all.unpriced:
        notes.append(_unpriced(gathered, tokens))
    return notes


def _unpriced(gathered: Gathered, tokens: int) -> str:
    models = sorted(one.name for one in gathered.models.largest() if one.unpriced_tokens)
    named = ", ".join(name or "unknown" for name in models[:3])
    more = f" and {len(models) - 3} more" if len(models) > 3 else ""
    return f"{tokens:,} tokens have no price here, and are not in the cost: of the models {named}{more}"
