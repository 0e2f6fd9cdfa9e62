from collections.abc import Callable

import pytest
from hypothesis import given
from report_examples import FEW, hostile_reports

from cortex_git.scan.records import Finding, NotScanned, RepositoryScan
from cortex_git.scan.reports.summary import SAMPLE_NOTE, not_scanned_lines, render, seven_lines, verdict
from cortex_git.scan.scan_report import ScanReport


def test_the_seven_lines_have_the_documented_form(
    make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]
) -> None:
    counts = {"critical": 12, "high": 18, "medium": 17}
    findings = tuple(make_finding(severity=name) for name, count in counts.items() for _ in range(count))
    rows = [RepositoryScan(f"r{n}", "scanned", findings=findings if n == 0 else ()) for n in range(20)]
    assert "\n".join(seven_lines(make_report(*rows))) == (
        "Repositories scanned: 20\n"
        "CVEs found: 47\n"
        "Critical: 12, High: 18, Medium: 17, Low: 0\n"
        "Real time: 12.3 s\n"
        "Worker spawn overhead: 0.021 s avg\n"
        "Scan time per repo: 0.143 s avg\n"
        "Parallel efficiency: 87 %"
    )


def test_unknown_severities_are_named_only_when_there_are_some(
    make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]
) -> None:
    row = RepositoryScan("r", "scanned", findings=(make_finding(severity="unknown"),))
    assert seven_lines(make_report(row))[2] == "Critical: 0, High: 0, Medium: 0, Low: 0, Unknown: 1"


def test_what_was_not_scanned_stands_before_the_seven_lines(full_report: ScanReport) -> None:
    lines = render(full_report).splitlines()
    assert lines[:5] == [
        "Not scanned (3):",
        "  - Hex: no advisories for this ecosystem",
        "  - https://h.test/gone.git: failed: repository not found",
        "  - git@h.test:t/third.git: go.mod: not valid UTF-8",
        "Database: osv 2026-08-01, 8,158 records",
    ]
    assert tuple(lines[-7:]) == seven_lines(full_report)
    assert lines[-7] == "Repositories scanned: 3"


def test_a_long_list_of_gaps_is_cut_and_says_so(make_report: Callable[..., ScanReport]) -> None:
    parts = tuple(NotScanned(f"p{number}", "too large") for number in range(25))
    report = make_report(RepositoryScan("r", "incomplete", not_scanned=parts))
    lines = not_scanned_lines(report)
    assert lines[0] == "Not scanned (25):"
    assert len(lines) == 22
    assert lines[-1] == "  ... and 5 more (see --format json)"
    assert len(not_scanned_lines(report, None)) == 26


def test_the_sample_is_named_as_one(make_report: Callable[..., ScanReport]) -> None:
    assert SAMPLE_NOTE in render(make_report(sample=True)).splitlines()
    assert SAMPLE_NOTE not in render(make_report())


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ((), "Nothing was scanned."),
        (
            (RepositoryScan("r", "scanned", packages=1),),
            "No known vulnerabilities in 1 package of 1 repository.",
        ),
        (
            (RepositoryScan("r", "scanned", packages=1200), RepositoryScan("s", "failed", error="gone")),
            "No known vulnerabilities in the part that was scanned: 1,200 packages of 1 repository."
            " 1 thing was not scanned.",
        ),
        ((RepositoryScan("s", "failed", error="gone"),), "Nothing was scanned. 1 thing was not scanned."),
    ],
)
def test_the_verdict_claims_no_more_than_was_scanned(
    rows: tuple[RepositoryScan, ...], sentence: str, make_report: Callable[..., ScanReport]
) -> None:
    assert verdict(make_report(*rows)) == sentence


@FEW
@given(hostile_reports)
def test_nothing_hostile_breaks_a_line_or_starts_a_command(report: ScanReport) -> None:
    lines = render(report).removesuffix("\n").split("\n")
    assert all(line.isprintable() and not line.lstrip().startswith("::") for line in lines)
    assert tuple(lines[-7:]) == seven_lines(report)
    assert (f"Not scanned ({report.not_scanned}):" in lines) is bool(report.not_scanned)
