"""Reports to draw: a busy one of a thousand tasks, and one whose every name is hostile."""

from dataclasses import replace
from decimal import Decimal
from random import Random

from cortex_git.analysis.statistics import (
    Attention,
    BudgetStanding,
    Day,
    Gantt,
    GanttRow,
    Hour,
    Period,
    ReportData,
    ScalingPoint,
    Severities,
    SlowRepository,
    Step,
    Tally,
    Totals,
)
from cortex_git.analysis.utilization import Use, shares
from cortex_git.llm import Usage

AT = 1_795_950_000.0
"""2026-11-29T11:00:00Z."""
NOTHING = Usage()


def tally(name: str, tasks: int = 100, failed: int = 4, tokens: int = 120_000) -> Tally:
    """Tasks of which so many failed, and tokens at $3 a million."""
    cost = Decimal(tokens) * 3 / 1_000_000
    if not tasks:
        return Tally(name, 0, 0, 0, 0, None, 0.0, None, None, None, None, tokens, cost, 0)
    done = tasks - failed
    return Tally(name, tasks, done, failed, 0, done / tasks, tasks * 2.5, 2.1, 7.9, 0.4, 1.9, tokens, cost, 0)


def empty() -> ReportData:
    """A report of a period in which nothing happened."""
    totals = Totals(tally("", 0, 0, 0), {}, None, NOTHING, None, 0, 0)
    return ReportData(AT, "h1", Period(AT - 86_400, AT, None, 86_400.0), totals, None)


def busy(tasks: int = 1000, workers: int = 20) -> ReportData:
    """A report in which everything has something to show."""
    chance = Random(7)
    used = Usage(900_000, 210_000, 80_000, 1_400_000)
    whole = tally("", tasks, tasks // 25, used.total + 30_000)
    hours = tuple(Hour(AT - 86_400 + 3600 * n, _use(chance, n)) for n in range(24) if n not in (3, 4))
    return replace(
        empty(),
        period=Period(AT - 86_400, AT, "audit-7", 640.0),
        totals=Totals(
            whole, {"completed": whole.completed, "failed": whole.failed}, 5_400.0, used, 0.021, 12, 3
        ),
        utilization=shares(hours[-1].use),
        hours=hours,
        throughput=tuple(
            Step(AT - 600 + 15 * n, 15.0, chance.randint(5, 40), n % 9 == 4, 9000) for n in range(40)
        ),
        days=tuple(
            Day(AT // 86_400 * 86_400 - 86_400 * n, tally("", 300, 9, used.total + 30_000), used)
            for n in range(9, -1, -1)
        ),
        by_master=(tally("security-master"), tally("development-master", 60)),
        by_type=(tally("scan-worker"), tally("fix-worker", 60)),
        by_model=(tally("small-1"), replace(tally(""), unpriced_tokens=120_000)),
        by_host=(tally("h1"),),
        by_repository=tuple(tally(f"https://git.example.test/team/service-{n}.git", 30) for n in range(40)),
        repositories=140,
        by_batch=(tally("audit-7"), tally("audit-6")),
        batches=2,
        gantt=_gantt(chance, tasks, workers),
        slowest=tuple(
            SlowRepository(
                f"https://git.example.test/team/service-{n}.git", 4, 61.0 / (n + 1), 1.5, f"scan-{n}"
            )
            for n in range(12)
        ),
        findings=Severities("", 9, 31, 40, 12, 5),
        severities=tuple(
            Severities(
                f"https://git.example.test/team/service-{n}.git", *(chance.randint(0, 6) for _ in range(5))
            )
            for n in range(30)
        ),
        scanned=40,
        scaling=tuple(_point(n, count) for n, count in enumerate((1, 2, 5, 5, 10, 20, 30, 40))),
        budgets=(BudgetStanding("all", 1_000_000, 870_000, "warn"),),
        attention=(
            Attention("critical", "12 results wait to be published", "this clone", "run `cortex-git sync`"),
            Attention(
                "warning", "the budget is spent to 87 %", "account all", "raise it: `cortex-git budget set`"
            ),
            Attention("note", "40 tasks of service-3 failed 3 times", "service-3", "look at `results show`"),
        ),
        notes=("120,000 tokens have no price here, and are not in the cost: of the models unknown",),
    )


def hostile(text: str) -> ReportData:
    """The busy report with `text` as every name."""
    data = busy(tasks=12, workers=3)
    named = {
        name: tuple(replace(one, name=text) for one in getattr(data, name)[:2])
        for name in ("by_master", "by_type", "by_model", "by_host", "by_repository", "by_batch")
    }
    rows = tuple(
        GanttRow(text, text, text, row.start_s, row.end_s, text) for row in _gantt(Random(1), 6, 2).rows
    )
    return replace(
        data,
        host=text,
        period=replace(data.period, batch=text),
        totals=replace(data.totals, by_status={text: 12}),
        gantt=Gantt(text, AT, rows, 3),
        slowest=tuple(replace(one, repo=text, task=text) for one in data.slowest[:3]),
        severities=tuple(replace(one, repo=text) for one in data.severities[:3]),
        scaling=tuple(replace(one, batch=text) for one in data.scaling),
        budgets=tuple(replace(one, account=text) for one in data.budgets),
        attention=(Attention("critical", text, text, text),),
        notes=(text,),
        **named,
    )


def _use(chance: Random, hour: int) -> Use:
    heavy = chance.randint(0, 1500) if 8 < hour < 20 else 0
    medium = chance.randint(0, 1500)
    light = 3600 - heavy - medium
    busy_s = light * 3.0 + medium * 10 + heavy * 20
    return Use(light, medium, heavy, busy_s, busy_s * 1.3, 20)


def _gantt(chance: Random, tasks: int, workers: int) -> Gantt:
    at = [chance.random() * 2 for _ in range(workers)]
    rows = []
    for task in range(tasks):
        number = min(range(workers), key=at.__getitem__)
        seconds = chance.choice((0.05, 0.3, 2.0, 6.0, 14.0))
        status = "failed" if task % 25 == 7 else "completed"
        name = f"worker-scan-{number:03d}"
        rows.append(GanttRow("h1", name, f"audit-7-{task:04d}", at[number], at[number] + seconds, status))
        at[number] += seconds + chance.random() * 0.4
    rows.sort(key=lambda row: (row.host, row.worker, row.start_s))
    return Gantt("audit-7", AT - 640, tuple(rows), 0)


def _point(number: int, workers: int) -> ScalingPoint:
    rate = (
        30 * workers / (1 + 0.03 * (workers - 1) + 0.0007 * workers * (workers - 1)) * (1 + number % 3 / 50)
    )
    return ScalingPoint(
        f"audit-{number}", workers, workers * 20, rate, 1 - rate / (30.6 * workers) * 0.97, 1.9
    )
