"""The JSON report, schema 1 of `docs/schemas/multi-repo-scan-1.json`.

Keys are only ever added, at the end; a key that changes its meaning needs a new schema number. Values
are the data itself, never escaped for people; the text is ASCII, so that no terminal acts on it.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cortex_git.scan.fingerprints import fingerprint, numbered, secret_fingerprint
from cortex_git.scan.records import Finding, RepositoryScan, SecretFound
from cortex_git.scan.reports.by_advisory import Need, by_advisory
from cortex_git.scan.reports.contents import gaps
from cortex_git.scan.reports.escape import break_log_commands
from cortex_git.scan.reports.summary import repositories_read
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.secrets_looked import SecretsLooked
from cortex_git.scan.set_aside import (
    AcceptedGap,
    Baseline,
    PlacedSecret,
    Spread,
    Suppressed,
    SuppressedSecret,
)

SCHEMA = 1


def render(report: ScanReport) -> str:
    """The report as JSON, one line for each key, repository and finding.

    `json.dumps(indent=...)` falls back to the slow encoder (1.0 s instead of 0.4 s for 50,000 findings).
    """
    return "".join(break_log_commands(part, hash_code="\\u0023") for part in _parts(report))


def _parts(report: ScanReport) -> Iterator[str]:
    """The text in whole lines: of a large report every copy of all of it is felt."""
    head = [f"  {_dumps(key)}: {_dumps(value)}," for key, value in _head(report).items()]
    yield "{\n" + "\n".join(head) + '\n  "repositories": [\n'
    last = len(report.repositories) - 1
    accepted = Counter(one.repo for one in report.accepted)
    for number, row in enumerate(report.repositories):
        yield _repository_text(row, accepted[row.repo]) + (",\n" if number < last else "")
    tail = [f"  {_dumps(key)}: {_dumps(value)}" for key, value in _tail(report).items()]
    yield "\n  ],\n" + ",\n".join(tail) + "\n}\n"


def _head(report: ScanReport) -> dict[str, Any]:
    timing = report.timing
    return {
        "schema": SCHEMA,
        "batch": report.batch,
        "repositories_scanned": repositories_read(report),
        "repositories_failed": report.failed,
        "cves_found": report.cves_found,
        "severity": report.severity,
        "real_time_s": round(timing.real_time_s, 6),
        "spawn_overhead_s_avg": round(timing.spawn_overhead_s_avg, 6),
        "scan_time_s_avg": round(timing.scan_time_s_avg, 6),
        "parallel_efficiency": round(timing.parallel_efficiency, 6),
        "workers": timing.workers,
        "mode": timing.mode,
    }


def _tail(report: ScanReport) -> dict[str, Any]:
    return {
        "not_scanned": len(gaps(report)),
        "coverage": [gap.to_json() for gap in report.coverage],
        "database": report.database,
        "sample": report.sample,
        "suppressed": [_suppressed(one) for one in report.suppressed],
        "baseline": None if report.baseline is None else _baseline(report.baseline),
        "notes": report.notes,
        "epss_date": report.epss_date,
        "kev_date": report.kev_date,
        "secrets_found": report.secrets_found,
        "advisories": [_need(need) for need in by_advisory(report)],
        "secrets_looked": _looked(report.secrets_looked),
        "suppressed_secrets": [_suppressed_secret(one) for one in report.suppressed_secrets],
        "accepted": [_accepted(one) for one in report.accepted],
    }


def _need(need: Need) -> dict[str, Any]:
    return {
        "id": need.id,
        "aliases": need.aliases,
        "severity": need.severity,
        "score": need.score,
        "ecosystem": need.ecosystem,
        "package": need.package,
        "fixed": need.fixed,
        "need": need.sentence,
        "repositories": need.repositories,
        "versions": need.versions,
        "direct": need.direct,
        "dev": need.dev,
        "summary": need.summary,
    }


def _suppressed(one: Suppressed) -> dict[str, Any]:
    said = {
        "status": one.status,
        "reason": one.reason,
        "source": one.source,
        "justification": one.justification,
        "expires": one.expires,
        "in_baseline": one.in_baseline,
    }
    return {"repo": one.repo, **_finding(one.repo, one.finding), "suppression": said}


def _baseline(baseline: Baseline) -> dict[str, Any]:
    return {
        "source": baseline.source,
        "known": [{"repo": one.repo, **_finding(one.repo, one.finding)} for one in baseline.known],
        "fixed": [{"repo": one.repo, **_finding(one.repo, one.finding)} for one in baseline.fixed],
        "not_compared": baseline.not_compared,
        "known_secrets": [_placed_secret(one) for one in baseline.known_secrets],
        "gone_secrets": [_placed_secret(one) for one in baseline.gone_secrets],
        "secrets_not_compared": baseline.secrets_not_compared,
        "batches": baseline.batches,
        "new_lockfiles": [_spread(one) for one in baseline.spread],
    }


def _spread(one: Spread) -> dict[str, Any]:
    return {
        "repo": one.repo,
        "id": one.finding.id,
        "ecosystem": one.finding.ecosystem,
        "package": one.finding.package,
        "lockfiles": one.lockfiles,
    }


def _suppressed_secret(one: SuppressedSecret) -> dict[str, Any]:
    said = {
        "status": one.status,
        "reason": one.reason,
        "source": one.source,
        "expires": one.expires,
        "in_baseline": one.in_baseline,
    }
    return {"repo": one.repo, **_secret(one.repo, one.secret), "suppression": said}


def _accepted(one: AcceptedGap) -> dict[str, Any]:
    said = {"reason": one.reason, "source": one.source, "expires": one.expires}
    return {"repo": one.repo or None, **one.gap.to_json(), "acceptance": said}


def _placed_secret(one: PlacedSecret) -> dict[str, Any]:
    return {"repo": one.repo, **_secret(one.repo, one.secret)}


def _secret(repo: str, one: SecretFound) -> dict[str, Any]:
    return {
        "path": one.path,
        "line": one.line,
        "kind": one.kind,
        "fingerprint": secret_fingerprint(repo, one),
        "number": one.number,
    }


def _looked(looked: SecretsLooked | None) -> dict[str, Any] | None:
    if looked is None:
        return None
    passed = [{"reason": one.reason, "files": one.files} for one in looked.passed_over]
    return {"files": looked.files, "size": looked.size, "passed_over": passed, "whole": looked.whole}


def _repository_text(row: RepositoryScan, accepted: int) -> str:
    head = {
        "repo": row.repo,
        "status": row.status,
        "commit": row.commit,
        "packages": row.packages,
        "error": row.error,
        "duration_s": round(row.duration_s, 6),
    }
    tail = {
        "not_scanned": [gap.to_json() for gap in row.not_scanned],
        "database": row.database,
        "unchanged_since": row.unchanged_since,
        "secrets": [_secret(row.repo, one) for one in numbered(row.secrets)],
        "secrets_looked": _looked(row.secrets_looked),
        "gaps_accepted": accepted,
    }
    findings = ",\n".join(f"      {_dumps(_finding(row.repo, finding))}" for finding in row.findings)
    listed = f"[\n{findings}\n    ]" if findings else "[]"
    return f'    {_dumps(head)[:-1]}, "findings": {listed}, {_dumps(tail)[1:]}'


def _finding(repo: str, finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "aliases": finding.aliases,
        "severity": finding.severity,
        "score": finding.score,
        "ecosystem": finding.ecosystem,
        "package": finding.package,
        "version": finding.version,
        "fixed": finding.fixed,
        "lockfile": finding.lockfile,
        "line": finding.line,
        "summary": finding.summary,
        "other_lockfiles": finding.other_lockfiles,
        "direct": finding.direct,
        "dev": finding.dev,
        "via": finding.via,
        "upgrade": finding.upgrade,
        "other_versions": finding.other_versions,
        "epss": finding.epss,
        "kev": finding.kev,
        "found_by": finding.found_by,
        "missed_by": finding.missed_by,
        "fingerprint": fingerprint(repo, finding),
    }


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False)
