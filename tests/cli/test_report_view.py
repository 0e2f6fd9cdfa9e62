"""What `report` draws on a terminal, and the periods that it understands."""

import re
import sys
from decimal import Decimal

import pytest
from factworld import NOON, fact, gathered_of, report_on
from rich.cells import cell_len

from cortex_git.analysis.attention import Standing
from cortex_git.analysis.figures import Asked, report_of
from cortex_git.analysis.statistics import ReportData
from cortex_git.analysis.timelines import hours
from cortex_git.analysis.utilization import Sample
from cortex_git.cli.periods import moment_of, period_of
from cortex_git.cli.report_charts import HEIGHT, drawn
from cortex_git.cli.report_view import WIDTH, plain
from cortex_git.errors import BadInput


def a_day() -> ReportData:
    """A pool that gets busier through 24 hours, with tasks and tokens on two days."""
    samples = [Sample("p", NOON + 600.0 * n, 600, 20, n / 8, n // 8) for n in range(1, 145)]
    facts = [
        fact(f"t{n}", start=n * 3600.0, status="failed" if n % 5 == 0 else "completed", tokens_used=100 * n,
             cost_usd=Decimal(n) / 100, repo="r", severities={"high": 2})
        for n in range(24)
    ]  # fmt: skip
    until = NOON + 86_400
    used = hours(samples, NOON, until)
    asked = Asked(until, "h1", NOON, until)
    return report_of(asked, gathered_of(facts), used, Standing(), open_tasks=7)


def test_the_box_says_what_the_data_say() -> None:
    data = a_day()
    text = " ".join(re.sub("[│╭╮╰╯─]", " ", plain(data, charts=False)).split())
    assert data.utilization is not None
    for said in (
        "Light 7h10m 30% ██████ Medium 13h20m 56% ███████████ Heavy 3h30m 15% ███",
        "Active 9.06 on average, 18 at most; efficiency 45%",
        "Tasks 24 ended: 19 completed, 5 failed; 7 open",
        "Success 79%",
        "Pace 1.00 an hour over 1d00h, at most",
        "Run time 10s median, 10s for 90%",
        "Wait 5s median, 5s for 90%",
        "Tokens 27,600",
        "Cost $2.76, $0.1453 a completed task",
        "Findings 2 in 1 repository: critical 0, high 2, medium 0, low 0",
        "Needs attention (2): warning t0 and 4 more: 5 tasks failed",
    ):
        assert said in text


@pytest.mark.parametrize("charts", [False, True], ids=["plain", "with charts"])
def test_no_line_is_wider_than_the_page(charts: bool) -> None:
    lines = plain(a_day(), charts=charts).splitlines()
    assert max(map(cell_len, lines)) <= WIDTH
    hostile = report_on([fact(f"t{n}", status="failed", error="x" * 500, repo="y" * 500) for n in range(4)])
    assert max(map(cell_len, plain(hostile, charts=charts).splitlines())) <= WIDTH


@pytest.mark.parametrize("width", [40, 80, 100])
def test_three_charts(width: int) -> None:
    lines, problem = drawn(a_day(), width)
    assert problem is None
    assert max(map(cell_len, lines)) <= width
    titles = ["Minutes of use by hour (UTC)", "Tasks that ended in each 1h00m", "Tokens by day (UTC)"]
    assert [line for line in lines if line in titles] == titles
    legends = ["░ light  ▒ medium  █ heavy", "░ completed  █ failed"]
    assert [line for line in lines if line in legends] == legends
    assert len(lines) == 3 * (HEIGHT + 2) + len(legends)
    assert all(mark in "".join(lines) for mark in "░▒█")


def test_nothing_to_draw() -> None:
    assert drawn(report_on([]), 80) == ([], None)
    assert drawn(report_on([fact()]), 80) == ([], None)


def test_without_plotext_the_report_is_the_same_but_for_the_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotext", None)
    lines, problem = drawn(a_day(), 80)
    assert (lines, problem) == ([], "charts need plotext 6: run `pip install 'cortex-git[report]'`")
    assert plain(a_day(), charts=True) == plain(a_day(), charts=False)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", NOON - 30), ("90m", NOON - 5400), ("24h", NOON - 86_400), ("1.5h", NOON - 5400),
        ("7d", NOON - 7 * 86_400), ("2w", NOON - 14 * 86_400), ("999999999w", 0.0),
        ("2026-10-29", NOON - 12 * 3600), ("2026-10-29T12:00", NOON), ("2026-10-29T12:00:00Z", NOON),
        ("2026-10-29T12:00+01:00", NOON - 3600), ("1960-01-01", 0.0), ("0001-01-01T00:00+23:00", 0.0),
    ],
)  # fmt: skip
def test_moments(text: str, moment: float) -> None:
    assert moment_of(text, "--since", NOON) == moment


@pytest.mark.parametrize("text", ["", "h", "-1h", "1y", "nan", "١h", "2026-02-30", "now", "all", "1e9h"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(BadInput, match="is no moment"):
        moment_of(text, "--since", NOON)


def test_usual_periods() -> None:
    usual, of_batch = period_of(None, None, None), period_of(None, None, "b1")
    assert usual.since is not None
    assert usual.at is not None
    assert usual.at - usual.since == 24 * 3600
    assert (usual.until, of_batch.since, of_batch.batch) == (None, None, "b1")
    assert period_of("all", None, None).since is None


def test_a_period_with_an_end_alone_is_the_day_before_it() -> None:
    asked = period_of(None, "2026-11-20", None)
    assert asked.since is not None
    assert asked.until is not None
    assert asked.until - asked.since == 24 * 3600
