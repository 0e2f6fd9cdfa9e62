"""OpenVEX and CycloneDX VEX: which findings a statement suppresses, and which it must not."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_git.errors import BadInput
from cortex_git.scan.records import Finding
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.suppressing.applying import suppress
from cortex_git.scan.suppressing.statements import Product
from cortex_git.scan.suppressing.vex import read_vex

Lodash = Callable[..., Finding]
ReportOf = Callable[..., ScanReport]
PURL = "pkg:npm/lodash@4.17.20"
REPO = "https://github.com/acme/shop"
NOT_AFFECTED = {"status": "not_affected", "justification": "vulnerable_code_not_present"}


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "vulnerability": {"name": "CVE-2021-23337"},
        "products": [{"@id": PURL}],
        **NOT_AFFECTED,
    } | changes


def openvex(*statements: object, **changes: Any) -> dict[str, Any]:
    head = {"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2026-01-01T00:00:00Z"}
    return head | {"statements": list(statements)} | changes


def cyclonedx(*vulnerabilities: object, **changes: Any) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "vulnerabilities": list(vulnerabilities),
    } | changes


def vulnerability(**changes: Any) -> dict[str, Any]:
    analysis = {"state": "not_affected", "justification": "code_not_reachable"}
    return {"id": "CVE-2021-23337", "analysis": analysis, "affects": [{"ref": PURL}]} | changes


def applied(tmp_path: Path, report: ScanReport, *documents: object) -> ScanReport:
    statements = []
    for number, document in enumerate(documents):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(document))
        statements += read_vex(file).statements
    return suppress(report, (), statements, date(2026, 11, 29))


def notes(tmp_path: Path, document: object) -> list[str]:
    file = tmp_path / "vex.json"
    file.write_text(json.dumps(document))
    return [note.partition(": ")[2] for note in read_vex(file).notes]


@pytest.mark.parametrize(
    ("changes", "suppressed"),
    [
        ({}, True),
        ({"status": "fixed", "justification": None}, True),
        ({"status": "affected", "action_statement": "update"}, False),
        ({"status": "under_investigation"}, False),
        ({"justification": None}, False),
        ({"justification": None, "impact_statement": "not called"}, True),
        ({"vulnerability": "CVE-2021-23337", "products": [PURL]}, True),
        ({"vulnerability": {"name": "X", "aliases": ["GHSA-35jh-r3h4-6jhm"]}}, True),
        ({"vulnerability": {"name": "CVE-2020-1"}}, False),
        ({"products": [{"@id": "pkg:npm/lodash"}]}, True),
        ({"products": [{"@id": "pkg:npm/lodash@4.17.19"}]}, False),
        ({"products": [{"@id": "pkg:pypi/lodash@4.17.20"}]}, False),
        ({"products": [{"@id": "pkg:npm/%40types/lodash@4.17.20"}]}, False),
        ({"products": [{"@id": "x", "identifiers": {"purl": PURL}}]}, True),
        ({"products": [{"@id": REPO}]}, True),
        ({"products": [{"@id": "git@github.com:acme/Shop.git"}]}, True),
        ({"products": [{"@id": "pkg:github/acme/shop"}]}, True),
        ({"products": [{"@id": "pkg:github/acme/shop@v1"}]}, False),
        ({"products": [{"@id": "https://github.com/acme/other"}]}, False),
        ({"products": [{"@id": REPO, "subcomponents": [{"@id": PURL}]}]}, True),
        ({"products": [{"@id": REPO, "subcomponents": [{"@id": "pkg:npm/left-pad"}]}]}, False),
        ({"products": [{"@id": "pkg:oci/image", "subcomponents": [{"@id": PURL}]}]}, False),
        ({"products": [REPO], "subcomponents": [PURL]}, True),
        ({"products": []}, False),
        ({"products": None}, False),
        ({"products": "pkg:npm/lodash"}, False),
    ],
)
def test_openvex(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf, changes: dict[str, Any], suppressed: bool
) -> None:
    found = applied(tmp_path, report_of(lodash()), openvex(statement(**changes)))
    assert (len(found.suppressed), found.cves_found) == (suppressed, not suppressed)


@pytest.mark.parametrize(
    ("changes", "suppressed"),
    [
        ({}, True),
        ({"analysis": {"state": "not_affected"}}, False),
        ({"analysis": {"state": "not_affected", "detail": "not called"}}, True),
        ({"analysis": {"state": "false_positive", "detail": "another package"}}, True),
        ({"analysis": {"state": "resolved"}}, True),
        ({"analysis": {"state": "exploitable"}}, False),
        ({"analysis": {"state": "in_triage"}}, False),
        ({"analysis": {"state": "fine"}}, False),
        ({"analysis": None}, False),
        ({"id": "X", "references": [{"id": "GHSA-35jh-r3h4-6jhm"}]}, True),
        ({"affects": [{"ref": "component-1"}]}, True),
        ({"affects": [{"ref": "urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#component-1"}]}, True),
        (
            {"affects": [{"ref": "urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#pkg:npm/lodash%404.17.20"}]},
            True,
        ),
        ({"affects": [{"ref": "nested"}]}, False),
        ({"affects": [{"ref": "ours"}]}, True),
        ({"affects": [{"ref": "gone"}]}, False),
        ({"affects": []}, False),
        ({"affects": [{"ref": "pkg:npm/lodash", "versions": [{"version": "4.17.20"}]}]}, True),
        ({"affects": [{"ref": "pkg:npm/lodash", "versions": [{"version": "4.17.1"}]}]}, False),
        ({"affects": [{"ref": "pkg:npm/lodash", "versions": [{"range": "vers:npm/<5"}]}]}, False),
    ],
)
def test_cyclonedx(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf, changes: dict[str, Any], suppressed: bool
) -> None:
    inside = {"type": "library", "bom-ref": "nested", "purl": PURL, "name": "lodash"}
    ours = inside | {"bom-ref": "ours"}
    vcs = [{"type": "vcs", "url": f"{REPO}.git"}]
    components = [
        {"type": "library", "bom-ref": "component-1", "purl": PURL, "name": "lodash"},
        {"type": "application", "bom-ref": "app", "name": "another", "components": [inside]},
        {"type": "application", "name": "shop", "externalReferences": vcs, "components": [ours]},
    ]
    document = cyclonedx(vulnerability(**changes), components=components)
    found = applied(tmp_path, report_of(lodash()), document)
    assert (len(found.suppressed), found.cves_found) == (suppressed, not suppressed)


@pytest.mark.parametrize(
    ("purl", "ecosystem", "name", "version", "covered"),
    [
        ("pkg:golang/github.com/masterminds/goutils@v1.1.0", "Go", "github.com/Masterminds/goutils", "1.1.0",
         True),
        ("pkg:golang/github.com/Azure/x@v1.0.0#sdk/core", "Go", "github.com/Azure/x/sdk/core", "1.0.0", True),
        ("pkg:golang/github.com/Azure/x@v1.0.0#sdk/core", "Go", "github.com/Azure/x", "1.0.0", False),
        ("pkg:swift/a.org/b/c.git/c@1.0.0", "SwiftURL", "a.org/b/c", "1.0.0", True),
        ("pkg:gem/nokogiri@1.15.4-java", "RubyGems", "nokogiri", "1.15.4", True),
        ("pkg:npm/JSONStream", "npm", "JSONStream", "1.3.5", True),
        ("pkg:npm/jsonstream", "npm", "JSONStream", "1.3.5", False),
        ("pkg:npm/a@%3E1.0.0", "npm", "a", "1.3.5", False),
    ],
)  # fmt: skip
def test_purls_as_tools_write_them(purl: str, ecosystem: str, name: str, version: str, covered: bool) -> None:
    found = Finding("CVE-1", (), "high", None, ecosystem, name, version, None, "a", None)
    assert Product(purl).covers("repo", found) is covered


def test_a_document_about_one_repository_says_nothing_of_another(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf
) -> None:
    component = {"type": "library", "bom-ref": "c", "purl": PURL}
    product = {"type": "application", "name": "x", "externalReferences": [{"type": "vcs", "url": REPO}]}
    affects = [{"ref": "c"}]
    document = cyclonedx(
        vulnerability(affects=affects), components=[component], metadata={"component": product}
    )
    assert applied(tmp_path, report_of(lodash()), document).suppressed
    assert not applied(tmp_path, report_of(lodash(), repo="/srv/other"), document).suppressed


def test_a_statement_about_one_version_leaves_a_finding_with_two(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf
) -> None:
    both = lodash(other_versions=("4.17.15",))
    assert not applied(tmp_path, report_of(both), openvex(statement())).suppressed
    whole = statement(products=[{"@id": "pkg:npm/lodash"}])
    assert applied(tmp_path, report_of(both), openvex(whole)).suppressed


@pytest.mark.parametrize("swapped", [False, True], ids=["in-order", "swapped"])
def test_the_latest_statement_decides(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf, swapped: bool
) -> None:
    old = statement(timestamp="2026-01-01T00:00:00Z")
    new = statement(status="affected", timestamp="2026-03-01T02:00:00+02:00")
    newest = statement(status="fixed", timestamp="2026-03-01T00:00:01Z")
    both = [new, old] if swapped else [old, new]
    assert not applied(tmp_path, report_of(lodash()), openvex(*both)).suppressed
    documents = [openvex(*both), openvex(newest)]
    assert applied(tmp_path, report_of(lodash()), *(documents[::-1] if swapped else documents)).suppressed


def test_of_statements_made_at_once_the_careful_one_decides(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf
) -> None:
    for pair in ([statement(), statement(status="affected")], [statement(status="affected"), statement()]):
        assert not applied(tmp_path, report_of(lodash()), openvex(*pair)).suppressed


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "soon", "", None, 7]
)
def test_a_time_that_is_none_is_the_oldest(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf, time: object
) -> None:
    document = openvex(
        statement(timestamp=time), statement(status="affected", timestamp="2000-01-01"), timestamp=time
    )
    assert not applied(tmp_path, report_of(lodash()), document).suppressed


def test_what_is_kept_of_a_statement(tmp_path: Path, lodash: Lodash, report_of: ReportOf) -> None:
    document = openvex(statement(impact_statement="never called"))
    (one,) = applied(tmp_path, report_of(lodash()), document).suppressed
    assert (one.status, one.reason, one.justification) == (
        "not_affected", "never called", "vulnerable_code_not_present",
    )  # fmt: skip
    assert one.source == f"{tmp_path}/0.json: statement 1"


def test_what_suppresses_nothing_is_said(tmp_path: Path) -> None:
    said = notes(
        tmp_path,
        openvex(
            statement(justification=""),
            statement(status="unaffected"),
            statement(products=[]),
            statement(vulnerability={}),
            "no object",
        ),
    )
    assert said == [
        "statements that have a status that is not known: 1",
        "statements that name no package or repository that can be compared: 1",
        "statements that name no vulnerability: 1",
        "statements that say not_affected without a justification: 1",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "neither OpenVEX nor CycloneDX"),
        ('{"document": {"category": "csaf_vex"}}', "CSAF"),
        ("<bom/>", "not valid JSON"),
        ("[]", "no JSON object"),
        ("[" * 200_000, "nested too deeply"),
        ("\x00", "not valid JSON"),
    ],
    ids=["empty", "csaf", "xml", "list", "deep", "zero"],
)
def test_other_documents_are_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "vex.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=told):
        read_vex(file)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([PURL, REPO, "fixed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_keys = ["vulnerability", "products", "status", "subcomponents", "justification", "timestamp", "identifiers"]
_cdx_keys = ["id", "analysis", "affects", "references", "bom-ref", "purl", "components", "versions"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from(_keys), _json)),
    st.lists(st.dictionaries(st.sampled_from(_cdx_keys), _json)),
)
def test_any_content_is_read_without_an_error(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf, statements: list[Any], entries: list[Any]
) -> None:
    documents = (
        openvex(*statements),
        openvex(*(statement() | one for one in statements)),
        cyclonedx(*entries, components=entries, metadata={"component": entries}),
        cyclonedx(*(vulnerability() | one for one in entries), components=[{"components": entries}]),
    )
    found = applied(tmp_path, report_of(lodash()), *documents)
    assert found.cves_found + len(found.suppressed) == 1
