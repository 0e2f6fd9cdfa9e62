"""The scan's page: what was not scanned first, everything that a repository chose as text, nothing loaded."""

from collections.abc import Callable

import pytest
from hypothesis import given
from pageworld import Parsed, parse
from report_examples import FEW, hostile_reports

from cortex_git.pages import plots
from cortex_git.scan.records import Finding, NotScanned, RepositoryScan
from cortex_git.scan.reports import html
from cortex_git.scan.scan_report import ScanReport


@pytest.fixture(scope="module", autouse=True)
def undrawn(module_mocker: object) -> None:
    """Drawing takes a second, and `test_page_plots` is about it."""
    module_mocker.patch.object(plots, "draw", return_value=None)  # type: ignore[attr-defined]


def test_what_was_not_scanned_comes_first(full_report: ScanReport) -> None:
    page = parse(html.render(full_report))
    assert page.headings("h2")[1:] == [
        "Not scanned (3)",
        "Severity by repository",
        "Findings",
        "Repositories",
    ]
    assert page.texts("li", "notice critical") == [
        "‼Critical: 3 things were not scanned1 of 4 repositories failed"
        "Each may hide a vulnerability: see Not scanned below."
    ]
    assert "osv 2026-08-01, 8,158 records" in page.text
    rows = page.rows("gaps")
    assert rows[0] == ["all", "Hex", "no advisories for this ecosystem", "other"]
    assert rows[1] == ["https://h.test/gone.git", "the whole repository", "repository not found", "failed"]
    assert rows[2] == ["git@h.test:t/third.git", "go.mod", "not valid UTF-8", "other"]


def test_findings_are_listed_most_severe_first_with_a_link_to_what_is_known(full_report: ScanReport) -> None:
    text = html.render(full_report)
    rows = parse(text).rows("findings-list")
    assert [row[:5] for row in rows] == [
        ["CVE-2021-44228", "critical", "10.0", "https://h.test/t/second.git", "log4j"],
        ["CVE-2021-23337", "high", "7.2", "/srv/first repo", "lodash"],
        ["CVE-2021-23337", "high", "7.2", "https://h.test/t/second.git", "lodash"],
        ["GHSA-low0-low0-low0", "low", "–", "/srv/first repo", "lodash"],
    ]
    assert rows[3][6] == "none published"
    assert 'href="https://osv.dev/vulnerability/CVE-2021-44228" rel="noopener noreferrer"' in text


def test_a_clean_scan_says_so_and_an_incomplete_one_never(make_report: Callable[..., ScanReport]) -> None:
    clean = parse(html.render(make_report(RepositoryScan("a", "scanned", packages=3))))
    assert clean.texts("li", "notice good") == ["✓Fine: No known vulnerabilities, and nothing was left out."]
    gap = NotScanned("go.mod", "damaged")
    partly = parse(html.render(make_report(RepositoryScan("a", "incomplete", not_scanned=(gap,)))))
    assert partly.texts("li", "notice good") == []
    assert partly.texts("li", "notice critical") != []
    nothing = parse(html.render(make_report()))
    assert nothing.texts("li", "notice good") == []


def test_a_table_says_what_it_leaves_out(
    make_report: Callable[..., ScanReport],
    make_finding: Callable[..., Finding],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(html, "ROWS_SHOWN", 2)
    found = tuple(make_finding(id=f"CVE-2024-{number}") for number in range(3))
    page = parse(html.render(make_report(RepositoryScan("a", "scanned", findings=found))))
    assert len(page.rows("findings-list")) == 2
    assert "The first 2 of 3 are listed; --format json lists them all." in page.text


@FEW
@given(hostile_reports)
def test_whatever_a_repository_says_is_text(report: ScanReport) -> None:
    page = parse(html.render(report))
    assert_harmless(page)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param("<script>alert(1)</script>", id="script"),
        pytest.param('" onmouseover="alert(1)', id="quote"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("\x00\x1b[31m\x07", id="controls"),
        pytest.param("\u202egnp.exe\u200f", id="right-to-left"),
        pytest.param("</title></style></svg><img src=x onerror=alert(1)>", id="closing"),
    ],
)
def test_a_hostile_name_is_shown_and_does_nothing(
    make_report: Callable[..., ScanReport], make_finding: Callable[..., Finding], hostile: str
) -> None:
    finding = make_finding(id=hostile, package=hostile, version=hostile, summary=hostile, lockfile=hostile)
    row = RepositoryScan(hostile, "scanned", findings=(finding,))
    failed = RepositoryScan(hostile, "failed", error=hostile)
    page = parse(html.render(make_report(row, failed, database=hostile, batch=hostile)))
    assert_harmless(page)
    shown = page.rows("findings-list")[0]
    assert shown[0] == shown[3] == shown[4] == shown[9]
    assert shown[0].isprintable()
    if hostile.isprintable():
        assert shown[0] == hostile


def assert_harmless(page: Parsed) -> None:
    assert page.scripts == 1
    assert page.loads == []
    assert page.handlers == []
    assert all(address.startswith(("#", "https://osv.dev/vulnerability/")) for address in page.addresses)
    assert page.text.replace("\n", "").isprintable()
