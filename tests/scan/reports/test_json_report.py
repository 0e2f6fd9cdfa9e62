import json
from pathlib import Path

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from report_examples import FEW, hostile_reports

from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.scan_report import ScanReport

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/multi-repo-scan-1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_keys_and_their_order_are_those_of_schema_1(full_report: ScanReport) -> None:
    value = json.loads(RENDERERS["json"](full_report))
    assert " ".join(value) == (
        "schema batch repositories_scanned repositories_failed cves_found severity real_time_s "
        "spawn_overhead_s_avg scan_time_s_avg parallel_efficiency workers mode repositories "
        "not_scanned coverage database sample suppressed baseline notes epss_date kev_date secrets_found "
        "advisories secrets_looked suppressed_secrets accepted"
    )
    assert list(value["severity"]) == ["critical", "high", "medium", "low", "unknown"]
    row = value["repositories"][0]
    assert list(row)[:7] == ["repo", "status", "commit", "packages", "error", "duration_s", "findings"]
    assert " ".join(list(row["findings"][0])[:10]) == (
        "id aliases severity score ecosystem package version fixed lockfile line"
    )


def test_the_figures_are_those_of_the_report(full_report: ScanReport) -> None:
    value = json.loads(RENDERERS["json"](full_report))
    assert (value["repositories_scanned"], value["repositories_failed"]) == (3, 1)
    assert (value["cves_found"], value["not_scanned"]) == (4, 3)
    assert value["severity"] == {"critical": 1, "high": 2, "medium": 0, "low": 1, "unknown": 0}
    assert value["coverage"] == [
        {"what": "Hex", "reason": "no advisories for this ecosystem", "kind": "other", "path": None}
    ]
    assert value["repositories"][3]["error"] == "repository not found"
    assert value["repositories"][0]["findings"][1]["other_lockfiles"] == ["b/yarn.lock"]


@FEW
@given(hostile_reports)
def test_any_report_is_valid_and_comes_back_unchanged(report: ScanReport) -> None:
    text = RENDERERS["json"](report)
    value = json.loads(text)
    VALIDATOR.validate(value)
    for row, written in zip(report.repositories, value["repositories"], strict=True):
        back = RepositoryScan.from_json(written)
        # JSON itself joins two half surrogates that stand side by side into one character.
        expected = RepositoryScan.from_json(json.loads(json.dumps(row.to_json())))
        assert back.findings == expected.findings
        assert (back.repo, back.error) == (expected.repo, expected.error)
        assert back.not_scanned == expected.not_scanned
        assert (back.secrets, back.secrets_looked) == (expected.secrets, expected.secrets_looked)


@FEW
@given(hostile_reports)
def test_no_terminal_or_log_acts_on_the_text(report: ScanReport) -> None:
    lines = RENDERERS["json"](report).split("\n")
    assert all(line.isascii() and line.replace("\x7f", "").isprintable() for line in lines)
    assert not any("##[" in line or "##vso[" in line for line in lines)


def test_what_is_no_number_is_refused_instead_of_written(full_report: ScanReport) -> None:
    row = RepositoryScan("r", "scanned", duration_s=float("nan"))
    broken = ScanReport("b", (row,), full_report.timing, "osv")
    with pytest.raises(ValueError, match="not JSON compliant"):
        RENDERERS["json"](broken)
