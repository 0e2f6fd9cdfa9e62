"""The SARIF 2.1.0 report (OASIS standard), for code-scanning viewers.

One run for the whole batch; a repository is a `uriBaseId` of its own. Must never call an incomplete
scan successful: every gap is a notification of the invocation.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cortex_git import __version__
from cortex_git.scan.fingerprints import KEY, fingerprint, numbered, secret_fingerprint
from cortex_git.scan.records import SEVERITIES, Finding, RepositoryScan, SecretFound, Severity
from cortex_git.scan.reports.accepted import said
from cortex_git.scan.reports.aside import until
from cortex_git.scan.reports.contents import Gap, gaps, origin
from cortex_git.scan.reports.escape import break_log_commands, clip, visible
from cortex_git.scan.reports.sarif_places import (
    TEXT_LIMIT,
    base,
    base_location,
    location,
    message,
    provenance,
    quoted,
)
from cortex_git.scan.reports.secrets import looked_line
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import AcceptedGap, Suppressed, SuppressedSecret

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "unknown": "note",
}
_LEAK = "secret/"
"""Before a secret's kind, in the id of its rule."""
_Json = dict[str, Any]


def render(report: ScanReport) -> str:
    """The report as SARIF 2.1.0 in ASCII, one line for each result.

    Results become text one by one: as one tree, 50,000 of them take 2.4 s instead of 1.4 s, and more memory.
    """
    entries = list(_entries(report))
    secrets = list(_secret_entries(report))
    rules = [*_rules(entry.finding for entry in entries), *_secret_rules(secrets)]
    places = {rule["id"]: index for index, rule in enumerate(rules)}
    used = {entry.row for entry in entries} | {entry.row for entry in secrets}
    read = [at for at in enumerate(report.repositories) if at[1].status != "failed" or at[0] in used]
    results = [_dumps(_result(entry, places)) for entry in entries]
    results += [_dumps(_secret_result(entry, places)) for entry in secrets]
    head = _dumps({"$schema": SCHEMA_URI, "version": "2.1.0"})[:-1]
    run = _dumps(_run_head(report, rules, read))[:-1]
    text = f'{head}, "runs": [{run}, "results": [\n' + ",\n".join(results) + "\n]}]}\n"
    return break_log_commands(text, hash_code="\\u0023")


class _Entry(NamedTuple):
    """A result: a finding with the row of its repository, and what is said of it beside."""

    row: int
    repo: str
    finding: Finding
    more: _Json


def _entries(report: ScanReport) -> Iterator[_Entry]:
    """Findings, then those known from the baseline, and suppressed ones.

    Those fixed since are left out: viewers that know no `absent` would show them as open.
    `baselineState` and `suppressions` are on all results or on none (sections 3.27.23 and 3.27.24).
    """
    known = report.baseline
    open_ones = _unsuppressed(report)
    rows = _rows(report)
    for index, row in enumerate(report.repositories):
        for finding in row.findings:
            yield _Entry(index, row.repo, finding, open_ones | _state(report, "new"))
    for placed in known.known if known else ():
        more = open_ones | _state(report, "unchanged")
        yield _Entry(rows.get(placed.repo, 0), placed.repo, placed.finding, more)
    for one in report.suppressed:
        state = _state(report, "unchanged" if one.in_baseline else "new")
        yield _Entry(
            rows.get(one.repo, 0), one.repo, one.finding, {"suppressions": [_suppression(one)]} | state
        )


def _rows(report: ScanReport) -> dict[str, int]:
    """The first row of each repository."""
    return {row.repo: index for index, row in reversed(list(enumerate(report.repositories)))}


def _unsuppressed(report: ScanReport) -> _Json:
    return {"suppressions": []} if report.suppressed or report.suppressed_secrets else {}


def _state(report: ScanReport, state: str) -> _Json:
    return {"baselineState": state} if report.baseline is not None else {}


def _suppression(one: Suppressed | SuppressedSecret) -> _Json:
    return {
        "kind": "external",
        "status": "accepted",
        "justification": visible(clip(f"{until(one)}: {one.reason} ({one.source})", TEXT_LIMIT)),
    }


def _run_head(report: ScanReport, rules: list[_Json], read: list[tuple[int, RepositoryScan]]) -> _Json:
    return {
        "tool": {"driver": {"name": "cortex-git", "version": __version__, "rules": rules}},
        "invocations": [_invocation(report)],
        "originalUriBaseIds": {base(index): base_location(row.repo) for index, row in read},
        "versionControlProvenance": [entry for index, row in read if (entry := provenance(index, row))],
        "columnKind": "unicodeCodePoints",
        "properties": {"batch": report.batch, "database": report.database, "sample": report.sample},
    }


def _rules(findings: Iterable[Finding]) -> list[_Json]:
    """One rule for each vulnerability, in the order of its id; its severity is the highest reported."""
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    worst: dict[str, Finding] = {}
    for finding in findings:
        known = worst.get(finding.id)
        if known is None or _badness(finding, rank) < _badness(known, rank):
            worst[finding.id] = finding
    return [_rule(worst[name]) for name in sorted(worst)]


def _badness(finding: Finding, rank: dict[Severity, int]) -> tuple[int, float]:
    return rank[finding.severity], -(finding.score or 0.0)


def _rule(finding: Finding) -> _Json:
    properties: _Json = {"tags": ["security", "vulnerability"], "aliases": finding.aliases}
    if finding.score is not None:
        properties["security-severity"] = f"{finding.score:.1f}"
    return {
        "id": finding.id,
        "shortDescription": {"text": message(finding.summary or finding.id)},
        "helpUri": f"https://osv.dev/vulnerability/{quoted(finding.id)}",
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        "properties": properties,
    }


def _result(entry: _Entry, places: dict[str, int]) -> _Json:
    index, repo, finding, more = entry
    return {
        "ruleId": finding.id,
        "ruleIndex": places[finding.id],
        "level": _LEVELS[finding.severity],
        "message": {"text": _about(finding)},
        "locations": [location(index, finding.lockfile, finding.line)],
        "relatedLocations": [location(index, path, None) for path in finding.other_lockfiles],
        "partialFingerprints": {KEY: fingerprint(repo, finding)},
        "properties": {
            "repository": repo,
            "ecosystem": finding.ecosystem,
            "package": finding.package,
            "version": finding.version,
            "fixed": finding.fixed,
            "direct": finding.direct,
            "dev": finding.dev,
            "via": finding.via,
            "upgrade": finding.upgrade,
            "severity": finding.severity,
            "epss": finding.epss,
            "kev": finding.kev,
        },
        **more,
    }


class _SecretEntry(NamedTuple):
    """A result about a secret, which has its number."""

    row: int
    repo: str
    secret: SecretFound
    more: _Json


def _secret_entries(report: ScanReport) -> Iterator[_SecretEntry]:
    """Secrets, then those known from the baseline, and suppressed ones, as with findings."""
    known = report.baseline
    open_ones = _unsuppressed(report)
    rows = _rows(report)
    for index, row in enumerate(report.repositories):
        for one in numbered(row.secrets):
            yield _SecretEntry(index, row.repo, one, open_ones | _state(report, "new"))
    for placed in known.known_secrets if known else ():
        more = open_ones | _state(report, "unchanged")
        yield _SecretEntry(rows.get(placed.repo, 0), placed.repo, placed.secret, more)
    for aside in report.suppressed_secrets:
        state = _state(report, "unchanged" if aside.in_baseline else "new")
        more = {"suppressions": [_suppression(aside)]} | state
        yield _SecretEntry(rows.get(aside.repo, 0), aside.repo, aside.secret, more)


def _secret_rules(entries: Iterable[_SecretEntry]) -> list[_Json]:
    return [
        {
            "id": _LEAK + kind,
            "shortDescription": {"text": message(f"A file holds what looks like a secret: {kind}")},
            "defaultConfiguration": {"level": "error"},
            "properties": {"tags": ["security", "secret"]},
        }
        for kind in sorted({entry.secret.kind for entry in entries})
    ]


def _secret_result(entry: _SecretEntry, places: dict[str, int]) -> _Json:
    index, repo, secret, more = entry
    rule = _LEAK + secret.kind
    return {
        "ruleId": rule,
        "ruleIndex": places[rule],
        "level": "error",
        "message": {"text": message(f"This looks like a secret: {secret.kind}")},
        "locations": [location(index, secret.path, secret.line)],
        "partialFingerprints": {KEY: secret_fingerprint(repo, secret)},
        "properties": {"repository": repo},
        **more,
    }


def _about(finding: Finding) -> str:
    what = f"{finding.package} {finding.version} ({finding.ecosystem}) is affected by {finding.id}"
    remedy = f"Fixed in {finding.fixed}." if finding.fixed else "No fixed version is published."
    summary = f": {finding.summary.rstrip('.')}" if finding.summary else ""
    known = origin(finding)
    asked = f" {known[0].upper()}{known[1:]}." if known else ""
    upgrade = f" Upgrade: {finding.upgrade}" if finding.upgrade else ""
    return message(f"{what}{summary}. {remedy}{asked}{upgrade}")


def _invocation(report: ScanReport) -> _Json:
    found = gaps(report)
    notifications = [*map(_notification, found), *map(_accepted, report.accepted)]
    if looked := looked_line(report):
        notifications.append({"level": "note", "message": {"text": message(looked)}})
    return {"executionSuccessful": not found, "toolExecutionNotifications": notifications}


def _notification(gap: Gap) -> _Json:
    text = ": ".join(part for part in (gap.repo, gap.what or "failed", gap.reason) if part)
    return {
        "level": "error" if gap.failed_repository else "warning",
        "message": {"text": message(f"Not scanned: {text}")},
        "properties": {"kind": gap.kind},
    }


def _accepted(one: AcceptedGap) -> _Json:
    """What an ignore file accepts is told, and makes the run no failure."""
    place = ": ".join(part for part in (one.repo, one.gap.what, one.gap.reason) if part)
    return {
        "level": "note",
        "message": {"text": message(f"Not scanned, {said(one)}: {place}")},
        "properties": {"kind": one.gap.kind},
    }


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False)
