"""The repositories that a report puts in order, drawn: by severity, and by how long they took."""

from collections.abc import Sequence

from cortex_git.analysis.statistics import Severities, SlowRepository
from cortex_git.analysis.wording import span
from cortex_git.pages import charts
from cortex_git.pages.frame import Axis, Series
from cortex_git.pages.plots import Plot
from cortex_git.pages.tables import Column, Table
from cortex_git.pages.text import clip_start, counted
from cortex_git.scan.reports.html import SERIES as SEVERITY_SERIES

BARS_SHOWN = 25
_NAME_LIMIT = 200
_LONGEST = (Series("longest task", "series-1"),)


def severities(found: Sequence[Severities]) -> Plot:
    """Findings of the worst repositories. `found` is not empty."""
    shown = found[:BARS_SHOWN]
    stacks = [charts.Stack(_repo(one.repo), tuple(map(float, _levels(one)))) for one in shown]
    left = len(found) - len(shown)
    worst = found[0]
    return Plot(
        "severity",
        "Known vulnerabilities by the newest scan of each repository, the worst first",
        f"Stacked bars for {counted(len(shown), 'repository', 'repositories')}. The worst is"
        f" {clip_start(_repo(worst.repo), 80)} with {worst.critical:,} critical and {worst.high:,} high of"
        f" {worst.total:,}.",
        lambda width: charts.ranked(stacks, SEVERITY_SERIES, Axis("findings", ",d"), width),
        Table(
            "Findings by repository and severity",
            (
                Column("Repository", name=True),
                *(Column(kind.name.capitalize(), number=True) for kind in SEVERITY_SERIES),
            ),
            [(clip_start(_repo(one.repo), _NAME_LIMIT), *_levels(one)) for one in found],
        ),
        note=f"{left:,} more in the table." if left else "",
    )


def _levels(one: Severities) -> tuple[int, ...]:
    return (one.critical, one.high, one.medium, one.low, one.unknown)


def slowest(found: Sequence[SlowRepository]) -> Plot:
    """Repositories by their longest task. `found` is not empty."""
    shown = found[:BARS_SHOWN]
    stacks = [
        charts.Stack(
            _repo(one.repo),
            (one.longest_s,),
            f"{_repo(one.repo)}: {span(one.longest_s)} for {one.task}; median {span(one.median_s)}"
            f" of {counted(one.tasks, 'task')}",
        )
        for one in shown
    ]
    first = found[0]
    return Plot(
        "slowest",
        "Repositories by their longest task, in seconds",
        f"Bars for {counted(len(shown), 'repository', 'repositories')}. The longest task took"
        f" {span(first.longest_s)}, in {clip_start(_repo(first.repo), 80)}.",
        lambda width: charts.ranked(stacks, _LONGEST, Axis("seconds", "~s"), width),
        Table(
            "Slowest repositories",
            (
                Column("Repository", name=True),
                Column("Longest, s", number=True, digits=3),
                Column("Median, s", number=True, digits=3),
                Column("Tasks", number=True),
                Column("Longest task", name=True),
            ),
            [
                (clip_start(_repo(one.repo), _NAME_LIMIT), one.longest_s, one.median_s, one.tasks, one.task)
                for one in found
            ],
        ),
    )


def _repo(name: str) -> str:
    return name or "(no repository)"
