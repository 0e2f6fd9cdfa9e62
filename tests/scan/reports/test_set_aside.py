"""What every form says of findings that are suppressed, known from a baseline, or exploited."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from jsonschema import Draft4Validator
from pageworld import parse
from report_examples import FEW, NASTY, hostile_reports

from cortex_git.scan.fingerprints import fingerprint
from cortex_git.scan.purls import purl_of
from cortex_git.scan.records import Finding, NotScanned, RepositoryScan, SecretFound
from cortex_git.scan.reports import RENDERERS, github, summary
from cortex_git.scan.reports.csv_report import COLUMNS
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import Baseline, Placed, Suppressed

SARIF = Path(__file__).parents[3] / "../shared/schemas/sarif-schema-2.1.0.json"
MakeFinding = Callable[..., Finding]
MakeReport = Callable[..., ScanReport]


@pytest.fixture
def aside(make_finding: MakeFinding, make_report: MakeReport) -> ScanReport:
    """One new, one known, one fixed, one suppressed finding, and one gap."""
    new = make_finding(epss=0.94358, kev="2021-12-10")
    known, gone = make_finding(id="CVE-2020-1"), make_finding(id="CVE-2020-2")
    hidden = make_finding(id="CVE-2020-3", severity="critical")
    gap = NotScanned("go.mod", "damaged")
    row = RepositoryScan("./shop", "incomplete", "a" * 40, 5, findings=(new,), not_scanned=(gap,))
    suppressed = Suppressed(
        "./shop", hidden, "not_affected", "never called", "v.json: statement 1",
        "vulnerable_code_not_in_execute_path", "2027-01-31", True,
    )  # fmt: skip
    return make_report(
        row,
        suppressed=(suppressed,),
        baseline=Baseline("before.json", (Placed("./shop", known),), (Placed("./shop", gone),), 3),
        notes=("i.toml: ignore 2 (CVE-1) applied to nothing",),
        epss_date="2026-11-28",
        kev_date="2026-11-27",
    )


def sarif_results(report: ScanReport) -> list[Any]:
    (run,) = json.loads(RENDERERS["sarif"](report))["runs"]
    return list(run["results"])


def test_counts_are_of_what_is_new_alone(aside: ScanReport) -> None:
    assert (aside.cves_found, aside.severity["critical"]) == (1, 0)
    text = summary.render(aside)
    assert "CVEs found: 1\nCritical: 0, High: 1," in text
    assert (
        "Suppressed (1):\n  - ./shop: lodash 4.17.20: CVE-2020-3: not affected until 2027-01-31: never called"
        in text
    )
    assert (
        "Baseline before.json: 1 known, not counted below; 1 fixed; 3 of which this scan cannot tell" in text
    )
    assert "EPSS scores of 2026-11-28, CISA's known exploited vulnerabilities of 2026-11-27" in text
    assert summary.verdict(aside) == (
        "1 new known vulnerability in 5 packages of 1 repository, beside 1 suppressed and 1 known from the"
        " baseline. 1 thing was not scanned."
    )


def test_an_all_clear_names_what_it_leaves_out(aside: ScanReport) -> None:
    quiet = replace(aside, repositories=(RepositoryScan("r", "scanned", packages=1),))
    assert summary.verdict(quiet).startswith(
        "No new known vulnerabilities in 1 package of 1 repository, beside 1 s"
    )
    only = replace(quiet, baseline=None)
    assert (
        summary.verdict(only) == "No known vulnerabilities in 1 package of 1 repository, beside 1 suppressed."
    )
    assert "No known vulnerabilities, and nothing was left out" not in RENDERERS["html"](only)


def test_json(aside: ScanReport) -> None:
    value = json.loads(RENDERERS["json"](aside))
    (one,) = value["suppressed"]
    assert (one["repo"], one["id"]) == ("./shop", "CVE-2020-3")
    assert one["suppression"] == {
        "status": "not_affected", "reason": "never called", "source": "v.json: statement 1",
        "justification": "vulnerable_code_not_in_execute_path", "expires": "2027-01-31", "in_baseline": True,
    }  # fmt: skip
    base = value["baseline"]
    assert (base["source"], base["not_compared"]) == ("before.json", 3)
    assert [base[key][0]["id"] for key in ("known", "fixed")] == ["CVE-2020-1", "CVE-2020-2"]
    found = value["repositories"][0]["findings"][0]
    assert (found["epss"], found["kev"]) == (0.94358, "2021-12-10")
    assert found["fingerprint"] == fingerprint("./shop", aside.repositories[0].findings[0])
    assert value["notes"] == ["i.toml: ignore 2 (CVE-1) applied to nothing"]


def test_sarif_states_and_suppressions(aside: ScanReport) -> None:
    results = sarif_results(aside)
    assert [(one["ruleId"], one["baselineState"], len(one["suppressions"])) for one in results] == [
        ("CVE-2021-23337", "new", 0),
        ("CVE-2020-1", "unchanged", 0),
        ("CVE-2020-3", "unchanged", 1),
    ]
    assert results[2]["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "not affected until 2027-01-31: never called (v.json: statement 1)",
        }
    ]
    prints = [one["partialFingerprints"]["cortexGitFinding/v1"] for one in results]
    assert len(set(prints)) == 3
    if SARIF.exists():
        Draft4Validator(json.loads(SARIF.read_text())).validate(json.loads(RENDERERS["sarif"](aside)))


def test_sarif_states_are_on_secrets_too(aside: ScanReport) -> None:
    """Section 3.27.23: all results of a run have suppressions, or none has."""
    row = replace(aside.repositories[0], secrets=(SecretFound("a.env", 3, "aws access key"),))
    results = sarif_results(replace(aside, repositories=(row,)))
    assert len(results) == 4
    assert all("suppressions" in one and "baselineState" in one for one in results)


def test_sarif_is_as_before_without_them(aside: ScanReport) -> None:
    plain = replace(aside, suppressed=(), baseline=None)
    assert all("suppressions" not in one and "baselineState" not in one for one in sarif_results(plain))


def test_csv(aside: ScanReport) -> None:
    rows = list(csv.DictReader(io.StringIO(RENDERERS["csv"](aside))))
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["kind"], row["id"], row["reason"]) for row in rows] == [
        ("finding", "CVE-2021-23337", ""),
        ("known", "CVE-2020-1", ""),
        ("fixed", "CVE-2020-2", ""),
        ("suppressed", "CVE-2020-3", "never called"),
        ("not_scanned", "other", "damaged"),
    ]
    assert (rows[0]["epss"], rows[0]["kev"], rows[0]["line"]) == ("0.94358", "2021-12-10", "12")


def test_csv_has_all_versions_and_new_columns_come_last(aside: ScanReport) -> None:
    first = aside.repositories[0]
    finding = replace(first.findings[0], other_versions=("3.0.0", "2.0.0"))
    report = replace(aside, repositories=(replace(first, findings=(finding,)),))
    row = next(csv.DictReader(io.StringIO(RENDERERS["csv"](report))))
    assert (row["version"], row["other_versions"]) == (finding.version, "3.0.0 2.0.0")
    assert COLUMNS[-2:] == ("fingerprint", "other_versions")


@FEW
@given(hostile_reports)
def test_any_csv_has_a_line_each_and_no_formula(report: ScanReport) -> None:
    text = RENDERERS["csv"](report)
    rows = list(csv.reader(io.StringIO(text)))
    base = report.baseline
    aside = len(report.suppressed) + len(report.accepted) + (len(base.known) + len(base.fixed) if base else 0)
    assert len(rows) == 1 + report.cves_found + report.not_scanned + aside == text.count("\n")
    assert {len(row) for row in rows} == {len(COLUMNS)}
    cells = [cell for row in rows for cell in row]
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)
    assert all(cell.isprintable() for cell in cells)
    text.encode()


def test_cyclonedx_vex(aside: ScanReport) -> None:
    text = RENDERERS["cyclonedx-vex"](aside)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    value = json.loads(text)
    (shop,) = value["components"]
    assert (shop["name"], shop["version"]) == ("./shop", "a" * 40)
    assert [one["purl"] for one in shop["components"]] == ["pkg:npm/lodash@4.17.20"]
    said = {one["id"]: one["analysis"] for one in value["vulnerabilities"]}
    assert said == {
        "CVE-2021-23337": {"state": "in_triage"},
        "CVE-2020-1": {"state": "in_triage", "detail": "Known from the baseline."},
        "CVE-2020-3": {
            "state": "not_affected",
            "justification": "code_not_reachable",
            "detail": "never called (v.json: statement 1) Until 2027-01-31.",
        },
    }
    references = {one["bom-ref"] for one in shop["components"]}
    assert {one["ref"] for each in value["vulnerabilities"] for one in each["affects"]} == references
    facts = {one["name"]: one["value"] for one in value["metadata"]["properties"]}
    assert facts["cortex-git:not_scanned"] == "./shop: go.mod: damaged"
    assert value["compositions"][0]["aggregate"] == "incomplete"


@FEW
@given(hostile_reports)
def test_any_cyclonedx_document_is_valid(report: ScanReport) -> None:
    text = RENDERERS["cyclonedx-vex"](report)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text.isascii()
    assert "##[" not in text


def test_its_serial_number_is_that_of_its_content(aside: ScanReport) -> None:
    def serial(report: ScanReport) -> str:
        return str(json.loads(RENDERERS["cyclonedx-vex"](report))["serialNumber"])

    assert serial(aside) == serial(aside)
    assert serial(aside) != serial(replace(aside, suppressed=()))
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", serial(aside)
    )


def test_annotations(aside: ScanReport) -> None:
    lines = RENDERERS["github"](aside).splitlines()
    assert lines[:2] == [
        "::error file=shop/web/package-lock.json,line=12,title=CVE-2021-23337%3A lodash 4.17.20::"
        "high: Command injection in lodash; fixed in 4.17.21; KEV 2021-12-10, EPSS 94.4 %25;"
        " in ./shop, web/package-lock.json",
        "::warning title=Not scanned::"
        "1 not scanned, each may hide a vulnerability. First: ./shop: go.mod: damaged",
    ]
    assert lines[-7] == "Repositories scanned: 1"
    assert not any(line.startswith("::") for line in lines[2:])


@pytest.mark.parametrize(
    ("repos", "file"),
    [
        (["."], "a/b.lock"),
        (["./x"], "x/a/b.lock"),
        (["/srv/x"], "a/b.lock"),
        (["https://h/x"], "a/b.lock"),
        (["/srv/x", "/srv/y"], None),
        (["https://h/x", "./y"], None),
        (["../x", "y"], None),
        (["g@h:x", "y"], None),
    ],
    ids=["here", "below", "absolute", "address", "two", "address-and-below", "above", "ssh"],
)
def test_an_annotation_names_a_file_of_the_checkout_only(
    make_finding: MakeFinding, make_report: MakeReport, repos: list[str], file: str | None
) -> None:
    finding = make_finding(lockfile="a/b.lock")
    rows = [RepositoryScan(repos[0], "scanned", findings=(finding,))]
    rows += [RepositoryScan(repo, "scanned") for repo in repos[1:]]
    first = RENDERERS["github"](make_report(*rows)).splitlines()[0]
    found = re.match(r"::error file=([^,]*),", first)
    assert (found[1] if found else None) == file


def test_annotations_are_bounded_and_gaps_come_first(
    make_finding: MakeFinding, make_report: MakeReport
) -> None:
    findings = tuple(make_finding(id=f"CVE-{number}", severity="medium") for number in range(500))
    gap = NotScanned("go.mod", "damaged")
    report = make_report(RepositoryScan("r", "incomplete", findings=findings, not_scanned=(gap,)))
    lines = [line for line in RENDERERS["github"](report).splitlines() if line.startswith("::")]
    assert len(lines) == github.SHOWN
    assert lines[0].startswith("::warning title=Not scanned::")
    assert lines[-1].startswith("::warning title=More findings::492 more of this kind")


@FEW
@given(hostile_reports)
def test_no_hostile_text_becomes_a_command_or_ends_one(report: ScanReport) -> None:
    lines = RENDERERS["github"](report).removesuffix("\n").split("\n")
    commands = [line for line in lines if line.lstrip().startswith("::")]
    assert len(commands) <= 3 * github.SHOWN
    pattern = re.compile(r"::(error|warning|notice) (file=[^,:]*,)?(line=\d+,)?title=[^,:]*::.*")
    assert all(pattern.fullmatch(line) for line in commands)
    assert all(line.isprintable() for line in lines)
    assert not any("##[" in line or "##vso[" in line for line in lines)


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_nasty_names_have_a_harmless_purl_or_none(name: str) -> None:
    made = purl_of("npm", name, name)
    assert made is None or (made.isascii() and made.isprintable())


def test_html(aside: ScanReport) -> None:
    text = RENDERERS["html"](aside)
    assert "before.json: 1 known, not counted below; 1 fixed; 3 of which this scan cannot tell" in text
    page = parse(text)
    headings = page.headings("h2")
    assert {"Suppressed (1)", "Known from the baseline (1)", "Fixed since the baseline (1)"} <= set(headings)
    (row,) = page.rows("aside")
    assert row[0] == "CVE-2020-3" and row[-3:-1] == ["not affected until 2027-01-31", "never called"]
    assert [page.rows(f"{name}-list")[0][0] for name in ("known", "fixed")] == ["CVE-2020-1", "CVE-2020-2"]
    (found,) = page.rows("findings-list")
    assert "94.4" in found and "2021-12-10" in found
    assert "before.json" in page.text and "EPSS scores of 2026-11-28" in page.text
