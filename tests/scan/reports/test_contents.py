from collections.abc import Callable

from hypothesis import given
from report_examples import FEW, hostile_reports

from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.reports.contents import Gap, findings_by_severity, gaps
from cortex_git.scan.scan_report import ScanReport


def test_gaps_come_widest_first(full_report: ScanReport) -> None:
    assert gaps(full_report) == [
        Gap("", "Hex", "no advisories for this ecosystem"),
        Gap("https://h.test/gone.git", "", "repository not found", "failed"),
        Gap("git@h.test:t/third.git", "go.mod", "not valid UTF-8"),
    ]


def test_an_incomplete_row_that_says_nothing_is_a_gap_all_the_same(
    make_report: Callable[..., ScanReport],
) -> None:
    report = make_report(RepositoryScan("r", "incomplete"), RepositoryScan("s", "failed"))
    assert [gap.repo for gap in gaps(report)] == ["s", "r"]
    assert all(gap.reason for gap in gaps(report))


@FEW
@given(hostile_reports)
def test_as_many_gaps_are_listed_as_the_report_counts(report: ScanReport) -> None:
    assert len(gaps(report)) == report.not_scanned


def test_findings_are_ordered_by_severity_then_repository(
    make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]
) -> None:
    low, high, unknown = (make_finding(severity=name) for name in ("low", "high", "unknown"))
    report = make_report(
        RepositoryScan("b", "scanned", findings=(unknown, high)),
        RepositoryScan("a", "scanned", findings=(low, high)),
    )
    order = [(finding.severity, row.repo) for row, finding in findings_by_severity(report)]
    assert order == [("high", "a"), ("high", "b"), ("low", "a"), ("unknown", "b")]
