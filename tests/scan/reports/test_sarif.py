import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft4Validator
from report_examples import FEW, hostile_reports

from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.scan_report import ScanReport

SCHEMA = Path(__file__).parents[3] / "../shared/schemas/sarif-schema-2.1.0.json"


@pytest.fixture(scope="module")
def validator() -> Draft4Validator:
    if not SCHEMA.exists():
        pytest.skip("the SARIF schema of OASIS is not beside the checkout")
    return Draft4Validator(json.loads(SCHEMA.read_text()))


def run_of(report: ScanReport) -> dict[str, Any]:
    (run,) = json.loads(RENDERERS["sarif"](report))["runs"]
    return run


def test_a_full_report_is_valid_sarif(full_report: ScanReport, validator: Draft4Validator) -> None:
    validator.validate(json.loads(RENDERERS["sarif"](full_report)))


@FEW
@given(report=hostile_reports)
def test_any_report_is_valid_sarif(report: ScanReport, validator: Draft4Validator) -> None:
    text = RENDERERS["sarif"](report)
    validator.validate(json.loads(text))
    assert text.isascii()
    assert "##[" not in text


def test_rules_are_one_a_vulnerability_with_the_worst_severity(
    make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]
) -> None:
    mild, grave = make_finding(severity="low", score=2.0), make_finding(severity="critical", score=9.81)
    other = make_finding(id="GHSA-x", score=None, severity="unknown")
    run = run_of(make_report(RepositoryScan("/r", "scanned", findings=(mild, other, grave))))
    first, second = run["tool"]["driver"]["rules"]
    assert (first["id"], second["id"]) == ("CVE-2021-23337", "GHSA-x")
    assert first["helpUri"] == "https://osv.dev/vulnerability/CVE-2021-23337"
    assert first["properties"]["security-severity"] == "9.8"
    assert "security-severity" not in second["properties"]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 1, 0]
    assert [result["level"] for result in run["results"]] == ["note", "note", "error"]


def test_a_result_points_at_the_lockfile_of_its_repository(full_report: ScanReport) -> None:
    run = run_of(full_report)
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert places[1] == {
        "artifactLocation": {"uri": "web/package-lock.json", "uriBaseId": "REPO0"},
        "region": {"startLine": 12},
    }
    assert "region" not in places[0]
    assert places[2]["artifactLocation"]["uriBaseId"] == "REPO1"
    assert run["originalUriBaseIds"]["REPO0"]["uri"] == "file:///srv/first%20repo/"
    related = run["results"][1]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]
    assert related == {"uri": "b/yarn.lock", "uriBaseId": "REPO0"}


def test_provenance_names_repository_and_commit(full_report: ScanReport) -> None:
    assert run_of(full_report)["versionControlProvenance"] == [
        {"repositoryUri": uri, "mappedTo": {"uriBaseId": f"REPO{index}"}, "revisionId": commit * 40}
        for index, (uri, commit) in enumerate(
            [
                ("file:///srv/first%20repo", "a"),
                ("https://h.test/t/second.git", "b"),
                ("ssh://git@h.test/t/third.git", "c"),
            ]
        )
    ]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü#?.lock", "a%20b/%C3%BC%23%3F.lock"),
        ("c:/x", "c%3A/x"),
        ("/../../etc/./passwd", "etc/passwd"),
        ("raw\udcff", "raw%FF"),
        ("100%", "100%25"),
    ],
)
def test_lockfile_paths_become_relative_uris(
    path: str, uri: str, make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]
) -> None:
    run = run_of(make_report(RepositoryScan("./r", "scanned", findings=(make_finding(lockfile=path),))))
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
    assert run["versionControlProvenance"] == []


def test_fingerprints_survive_moved_lines_and_upgrades_only(
    make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]
) -> None:
    def fingerprint(finding: Finding, repo: str = "/r") -> str:
        run = run_of(make_report(RepositoryScan(repo, "scanned", findings=(finding,))))
        return run["results"][0]["partialFingerprints"]["cortexGitFinding/v1"]

    one = make_finding()
    same = fingerprint(one)
    assert fingerprint(replace(one, line=99, version="4.17.19", summary="other")) == same
    others = [{"id": "CVE-1"}, {"ecosystem": "PyPI"}, {"package": "p"}, {"lockfile": "l"}]
    different = {fingerprint(replace(one, **change)) for change in others} | {fingerprint(one, "/s")}
    assert len(different - {same}) == 5


def test_gaps_make_the_execution_unsuccessful(full_report: ScanReport) -> None:
    (invocation,) = run_of(full_report)["invocations"]
    assert invocation["executionSuccessful"] is False
    notes = [(note["level"], note["message"]["text"]) for note in invocation["toolExecutionNotifications"]]
    assert notes == [
        ("warning", "Not scanned: Hex: no advisories for this ecosystem"),
        ("error", "Not scanned: https://h.test/gone.git: failed: repository not found"),
        ("warning", "Not scanned: git@h.test:t/third.git: go.mod: not valid UTF-8"),
    ]


def test_a_complete_scan_is_successful(make_report: Callable[..., ScanReport]) -> None:
    (invocation,) = run_of(make_report(RepositoryScan("/r", "scanned")))["invocations"]
    assert invocation == {"executionSuccessful": True, "toolExecutionNotifications": []}


def test_messages_hold_neither_links_nor_placeholders(
    make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]
) -> None:
    finding = make_finding(package="[x](http://e.test){0}\n\\", summary="s.", fixed=None)
    run = run_of(make_report(RepositoryScan("/r", "scanned", findings=(finding,))))
    assert run["results"][0]["message"]["text"] == (
        "\\[x\\](http://e.test){{0}}\\\\x0a\\\\ 4.17.20 (npm) is affected by CVE-2021-23337: s."
        " No fixed version is published."
    )
