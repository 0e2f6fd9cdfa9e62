"""Gaps that an ignore file accepts, in every form: told with the reason, and in no count."""

import csv
import io
import json
from collections.abc import Callable

import pytest

from cortex_git.scan.records import NotScanned, RepositoryScan
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.reports.summary import verdict
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import AcceptedGap

GAP = NotScanned("old/pom.xml", "lists only what is asked for", "direct-only", "old/pom.xml")


@pytest.fixture
def report(make_report: Callable[..., ScanReport]) -> ScanReport:
    one = AcceptedGap("shop", GAP, "looked at by hand", "ignore.toml: not_scanned 1", "2027-01-31")
    return make_report(RepositoryScan("shop", "scanned", "a" * 40, 40), accepted=(one,))


@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_every_form_names_it_with_its_reason(report: ScanReport, form: str) -> None:
    text = RENDERERS[form](report).replace("\\/", "/")
    for part in ("old/pom.xml", "lists only what is asked for", "looked at by hand", "2027-01-31"):
        assert part in text, part


def test_it_counts_nowhere_and_the_verdict_claims_no_whole_scan(report: ScanReport) -> None:
    assert report.not_scanned == 0
    assert verdict(report) == (
        "No known vulnerabilities in the part that was scanned: 40 packages of 1 repository. "
        "1 thing was accepted as not scanned."
    )
    value = json.loads(RENDERERS["json"](report))
    (row,) = value["repositories"]
    assert (value["not_scanned"], row["not_scanned"], row["gaps_accepted"]) == (0, [], 1)
    assert value["accepted"] == [
        {
            "repo": "shop",
            **GAP.to_json(),
            "acceptance": {
                "reason": "looked at by hand",
                "source": "ignore.toml: not_scanned 1",
                "expires": "2027-01-31",
            },
        }
    ]
    (run,) = json.loads(RENDERERS["sarif"](report))["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    assert [(one["level"], one["properties"]) for one in invocation["toolExecutionNotifications"]] == [
        ("note", {"kind": "direct-only"})
    ]
    (line,) = csv.DictReader(io.StringIO(RENDERERS["csv"](report)))
    assert (line["kind"], line["id"], line["lockfile"]) == ("accepted", "direct-only", "old/pom.xml")
    assert "nothing was left out" not in RENDERERS["html"](report)


def test_a_gap_that_counts_is_shown_with_its_kind(make_report: Callable[..., ScanReport]) -> None:
    found = make_report(RepositoryScan("shop", "incomplete", not_scanned=(GAP,)))
    for form in sorted(RENDERERS.keys() - {"cyclonedx-vex"}):
        assert "direct-only" in RENDERERS[form](found), form
