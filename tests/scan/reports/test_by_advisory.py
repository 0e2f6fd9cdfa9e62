"""Grouping by what has to be done: the sentences, their order, and the three formats that list them."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from markdown_it import MarkdownIt
from pageworld import parse
from report_examples import FEW, hostile_reports
from rich.console import Console

from cortex_git.cli.scan_view import render_table
from cortex_git.pages import plots
from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.reports.by_advisory import by_advisory
from cortex_git.scan.reports.contents import origin
from cortex_git.scan.scan_report import ScanReport

MakeFinding = Callable[..., Finding]
MakeReport = Callable[..., ScanReport]


@pytest.fixture(scope="module", autouse=True)
def undrawn(module_mocker: object) -> None:
    """Drawing takes a second, and `test_page_plots` is about it."""
    module_mocker.patch.object(plots, "draw", return_value=None)  # type: ignore[attr-defined]


def many(make_finding: MakeFinding, make_report: MakeReport) -> ScanReport:
    """Twelve repositories with one need, one of them with another for an older branch, and one hopeless."""
    rows = [
        RepositoryScan(f"team/app-{n:02}", "scanned", findings=(make_finding(direct=n % 2 == 0),))
        for n in range(12)
    ]
    older = make_finding(version="3.10.1", fixed="3.10.2", dev=True, via=("gulp", "karma"), direct=False)
    hopeless = make_finding(id="CVE-2020-1", severity="critical", package="left", fixed=None)
    rows[3] = replace(rows[3], findings=(*rows[3].findings, older, hopeless))
    return make_report(*rows, grouped=True)


def test_the_sentences(make_finding: MakeFinding, make_report: MakeReport) -> None:
    needs = by_advisory(many(make_finding, make_report))
    assert [need.sentence for need in needs] == [
        "1 repository has left with no fixed version (CVE-2020-1)",
        "12 repositories need lodash >= 4.17.21 (CVE-2021-23337)",
        "1 repository needs lodash >= 3.10.2 (CVE-2021-23337)",
    ]
    assert (needs[1].direct, needs[1].dev, needs[2].dev) == (6, 0, 1)
    assert needs[1].repositories[:2] == ("team/app-00", "team/app-01")


def test_what_is_exploited_comes_before_what_is_common(
    make_finding: MakeFinding, make_report: MakeReport
) -> None:
    common = [RepositoryScan(f"r{n}", "scanned", findings=(make_finding(),)) for n in range(3)]
    exploited = make_finding(id="CVE-2019-9", package="z", kev="2021-12-10")
    report = make_report(*common, RepositoryScan("r9", "scanned", findings=(exploited,)))
    assert [need.id for need in by_advisory(report)] == ["CVE-2019-9", "CVE-2021-23337"]


def test_a_branch_scanned_beside_another_counts_the_repository_once(
    make_finding: MakeFinding, make_report: MakeReport
) -> None:
    rows = [RepositoryScan("r", "scanned", findings=(make_finding(line=n),)) for n in (1, 2)]
    assert by_advisory(make_report(*rows))[0].repositories == ("r",)


def table(report: ScanReport, *, show_all: bool) -> str:
    console = Console(record=True, width=100, file=StringIO())
    render_table(report, console, show_all=show_all)
    return console.export_text()


def test_the_table_lists_needs_in_place_of_findings(
    make_finding: MakeFinding, make_report: MakeReport
) -> None:
    report = many(make_finding, make_report)
    text = table(report, show_all=False)
    assert "high      12 repositories need lodash >= 4.17.21 (CVE-2021-23337)\n" in text
    assert "team/app-03, team/app-04 and 7 more\n" in text
    assert "Fixed in" not in text
    assert "team/app-11" in table(report, show_all=True)
    assert "Fixed in" in table(replace(report, grouped=False), show_all=False)


def test_markdown_and_html_list_them(make_finding: MakeFinding, make_report: MakeReport) -> None:
    report = many(make_finding, make_report)
    text = RENDERERS["markdown"](report)
    link = "[CVE-2021-23337](https://osv.dev/vulnerability/CVE-2021-23337)"
    assert f"| high | 12 repositories need `lodash >= 4.17.21` ({link}) | `team/app-00, " in text
    assert "## Findings" not in text
    page = parse(RENDERERS["html"](report))
    assert page.rows("advisories-list")[1][2:4] == [
        "12",
        "12 repositories need lodash >= 4.17.21 (CVE-2021-23337)",
    ]
    assert len(page.rows("findings-list")) == 14
    assert "advisories-list" not in RENDERERS["html"](replace(report, grouped=False))


def test_json_has_both_whatever_is_chosen(make_finding: MakeFinding, make_report: MakeReport) -> None:
    report = many(make_finding, make_report)
    for shown in (report, replace(report, grouped=False)):
        value = json.loads(RENDERERS["json"](shown))
        assert [len(one["repositories"]) for one in value["advisories"]] == [1, 12, 1]
        assert value["advisories"][1]["need"] == "12 repositories need lodash >= 4.17.21 (CVE-2021-23337)"
        assert sum(len(row["findings"]) for row in value["repositories"]) == 14


def test_where_it_comes_from_in_few_words(make_finding: MakeFinding) -> None:
    assert origin(make_finding(direct=True, dev=False, via=("x",))) == "direct"
    assert origin(make_finding(direct=False, via=("express", "koa", "next"))) == "via express +2"
    assert origin(make_finding(direct=None, dev=True, via=("mocha",))) == "via mocha, dev"
    assert origin(make_finding(direct=False, dev=True)) == "brought in, dev"
    assert origin(make_finding()) == ""


def test_every_format_shows_origin_and_upgrade(make_finding: MakeFinding, make_report: MakeReport) -> None:
    one = make_finding(direct=False, via=("express",), upgrade="cd web && npm update lodash")
    report = make_report(RepositoryScan("r", "scanned", findings=(one,)))
    markdown = RENDERERS["markdown"](report)
    assert "| Origin | Upgrade |" in markdown
    assert "| `via express` | `cd web && npm update lodash` |" in markdown
    result = json.loads(RENDERERS["sarif"](report))["runs"][0]["results"][0]
    assert result["message"]["text"].endswith("Via express. Upgrade: cd web && npm update lodash")
    assert (result["properties"]["via"], result["properties"]["direct"]) == (["express"], False)
    assert parse(RENDERERS["html"](report)).rows("findings-list")[0][-2:] == [
        "via express",
        "cd web && npm update lodash",
    ]
    assert "via express" in table(report, show_all=False)


@FEW
@given(hostile_reports)
def test_nothing_hostile_gets_through_grouped(report: ScanReport) -> None:
    grouped = replace(report, grouped=True)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(RENDERERS["markdown"](grouped))
    assert not any(token.type == "html_block" for token in tokens)
    children = [child for token in tokens for child in token.children or []]
    assert not {child.type for child in children} & {"html_inline", "image"}
    text = table(grouped, show_all=True)
    assert "\x1b" not in text and not any(line.strip().startswith("::") for line in text.splitlines())
    assert RENDERERS["html"](grouped).endswith("</html>\n")


def test_a_narrow_terminal_keeps_the_id_whole_and_folds_the_origin(
    make_finding: MakeFinding, make_report: MakeReport
) -> None:
    one = make_finding(direct=False, via=("a-long-name-of-a-package", "other"), dev=True)
    row = RepositoryScan("https://h.test/team/a-long-name-of-a-repository", "scanned", findings=(one,))
    console = Console(record=True, width=80, force_terminal=True, file=StringIO())
    render_table(make_report(row), console)
    lines = console.export_text().splitlines()
    assert all(len(line) <= 80 for line in lines[:8])
    assert any("CVE-2021-23337" in line for line in lines)
    start = lines[0].index("Origin")
    table = lines[: lines.index("")]
    assert "".join(line[start:] for line in table) == "Originvia a-long-name-of-a-package +1, dev"
