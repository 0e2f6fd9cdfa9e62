"""The report as CycloneDX 1.6 VEX in JSON (ECMA-424), for vulnerability management.

Each repository is an application with the vulnerable packages as components. What nobody judged is
`in_triage`: a scan knows that a version is affected, and not whether it can be exploited here.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from cortex_git import __version__
from cortex_git.scan.purls import purl_of
from cortex_git.scan.records import Finding, Severity
from cortex_git.scan.reports.accepted import said
from cortex_git.scan.reports.contents import gaps
from cortex_git.scan.reports.escape import break_log_commands, clip, visible
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import AcceptedGap, Suppressed, SuppressionStatus

_LIMIT = 1000
_SEVERITIES: dict[Severity, str] = {
    "critical": "critical",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "unknown": "unknown",
}
_STATES: dict[SuppressionStatus, str] = {
    "not_affected": "not_affected",
    "fixed": "resolved",
    "false_positive": "false_positive",
}
_JUSTIFICATIONS = {
    "component_not_present": "code_not_present",
    "vulnerable_code_not_present": "code_not_present",
    "vulnerable_code_not_in_execute_path": "code_not_reachable",
    "inline_mitigations_already_exist": "protected_by_mitigating_control",
} | {
    name: name
    for name in (
        "code_not_present", "code_not_reachable", "requires_configuration", "requires_dependency",
        "requires_environment", "protected_by_compiler", "protected_at_runtime", "protected_at_perimeter",
        "protected_by_mitigating_control",
    )
}  # fmt: skip
"""From OpenVEX's labels, where there is one that means the same; CycloneDX's own stay."""
_Json = dict[str, Any]


class _Entry(NamedTuple):
    repo: str
    finding: Finding
    analysis: _Json
    reference: str
    """The bom-ref of the package in its repository."""


def render(report: ScanReport) -> str:
    """The document in ASCII."""
    entries = list(_entries(report))
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_uuid(report, entries)}",
        "version": 1,
        "metadata": _metadata(report),
        "components": _components(report, entries),
        "compositions": [{"aggregate": "incomplete", "assemblies": _repositories(report)}],
        "vulnerabilities": _vulnerabilities(entries),
    }
    return break_log_commands(json.dumps(document, indent=1, allow_nan=False), hash_code="\\u0023") + "\n"


def _uuid(report: ScanReport, entries: list[_Entry]) -> UUID:
    """The same for the same content: version 4 in form, from a digest of what is said."""
    said = [[one.repo, one.finding.id, one.reference, one.analysis] for one in entries]
    digest = sha256(json.dumps([report.batch, report.database, said]).encode()).digest()
    return UUID(bytes=digest[:16], version=4)


def _metadata(report: ScanReport) -> _Json:
    missing = [": ".join(part for part in (gap.repo, gap.what, gap.reason) if part) for gap in gaps(report)]
    facts = [
        ("batch", report.batch),
        ("database", report.database),
        ("sample", str(report.sample).lower()),
        ("not_scanned_count", str(len(missing))),
        *(("not_scanned", text) for text in missing),
        ("accepted_count", str(len(report.accepted))),
        *(("accepted", f"{_place(one)}: {said(one)}") for one in report.accepted),
    ]
    return {
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "tools": {"components": [{"type": "application", "name": "cortex-git", "version": __version__}]},
        "properties": [{"name": f"cortex-git:{name}", "value": _text(value)} for name, value in facts],
    }


def _place(one: AcceptedGap) -> str:
    return ": ".join(part for part in (one.repo, one.gap.what, one.gap.reason) if part)


def _repository(index: int) -> str:
    return f"repository-{index}"


def _repositories(report: ScanReport) -> list[str]:
    return [_repository(index) for index in range(len(report.repositories))]


def _entries(report: ScanReport) -> Iterator[_Entry]:
    """Every finding there is now, counted or set aside."""
    rows = {row.repo: index for index, row in reversed(list(enumerate(report.repositories)))}

    def entry(repo: str, finding: Finding, analysis: _Json, index: int | None = None) -> _Entry:
        place = _repository(rows.get(repo, 0) if index is None else index)
        named = sha256(json.dumps([finding.ecosystem, finding.package, finding.version]).encode()).hexdigest()
        return _Entry(repo, finding, analysis, f"{place}/{named[:32]}")

    for index, row in enumerate(report.repositories):
        yield from (entry(row.repo, finding, {"state": "in_triage"}, index) for finding in row.findings)
    for placed in report.baseline.known if report.baseline else ():
        detail = "Known from the baseline."
        yield entry(placed.repo, placed.finding, {"state": "in_triage", "detail": detail})
    for one in report.suppressed:
        yield entry(one.repo, one.finding, _analysis(one))


def _analysis(one: Suppressed) -> _Json:
    """An accepted risk has no state in CycloneDX: it is a response, `will_not_fix`."""
    end = f" Until {one.expires}." if one.expires else ""
    analysis: _Json = {"detail": _text(f"{one.reason} ({one.source}){end}")}
    if one.status in _STATES:
        analysis["state"] = _STATES[one.status]
    else:
        analysis["response"] = ["will_not_fix"]
    justification = _JUSTIFICATIONS.get(one.justification or "")
    if justification and one.status in ("not_affected", "false_positive"):
        analysis["justification"] = justification
    return analysis


def _components(report: ScanReport, entries: list[_Entry]) -> list[_Json]:
    inside: dict[str, dict[str, _Json]] = {}
    for one in entries:
        place = one.reference.partition("/")[0]
        inside.setdefault(place, {})[one.reference] = _component(one)
    listed = []
    for index, row in enumerate(report.repositories):
        component: _Json = {
            "type": "application",
            "bom-ref": _repository(index),
            "name": _text(row.repo) or "unnamed",
            "properties": [{"name": "cortex-git:status", "value": row.status}],
        }
        if row.commit:
            component["version"] = row.commit
        if packages := inside.get(_repository(index)):
            component["components"] = list(packages.values())
        listed.append(component)
    return listed


def _component(one: _Entry) -> _Json:
    finding = one.finding
    component: _Json = {
        "type": "library",
        "bom-ref": one.reference,
        "name": _text(finding.package) or "unnamed",
        "version": _text(finding.version),
    }
    if purl := purl_of(finding.ecosystem, finding.package, finding.version):
        component["purl"] = visible(purl)
    return component


def _vulnerabilities(entries: list[_Entry]) -> list[_Json]:
    """One for each vulnerability and judgement: what is judged alike in several places is said once."""
    grouped: dict[tuple[str, str], list[_Entry]] = {}
    for one in entries:
        grouped.setdefault((one.finding.id, json.dumps(one.analysis, sort_keys=True)), []).append(one)
    return [_vulnerability(number, same) for number, same in enumerate(grouped.values(), 1)]


def _vulnerability(number: int, same: list[_Entry]) -> _Json:
    first = same[0].finding
    value: _Json = {
        "bom-ref": f"vulnerability-{number}",
        "id": _text(first.id) or "unnamed",
        "source": {"name": "OSV", "url": "https://osv.dev/"},
        "references": [
            {"id": _text(alias) or "unnamed", "source": {"name": "OSV"}}
            for alias in dict.fromkeys(first.aliases)
        ],
        "ratings": [_rating(first)],
        "description": _text(first.summary),
        "affects": [{"ref": reference} for reference in dict.fromkeys(one.reference for one in same)],
        "analysis": same[0].analysis,
    }
    if first.fixed:
        value["recommendation"] = _text(f"Upgrade {first.package} to {first.fixed} or later.")
    facts = [("epss", first.epss), ("kev", first.kev)]
    value["properties"] = [
        {"name": f"cortex-git:{name}", "value": _text(str(fact))} for name, fact in facts if fact is not None
    ]
    return value


def _rating(finding: Finding) -> _Json:
    rating: _Json = {"severity": _SEVERITIES[finding.severity]}
    return rating if finding.score is None else rating | {"score": finding.score}


def _text(text: str) -> str:
    return visible(clip(text, _LIMIT))
