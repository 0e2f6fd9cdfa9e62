"""The CSV report (RFC 4180, UTF-8), for spreadsheets: one line a finding, and one a thing not scanned.

No cell is taken for a formula. Must never leave out a gap: a sheet of findings alone would read as all.
"""

import csv
import io
from collections.abc import Iterator

from cortex_git.scan.fingerprints import fingerprint
from cortex_git.scan.records import Finding
from cortex_git.scan.reports.contents import findings_by_severity, gaps
from cortex_git.scan.reports.escape import clip, csv_cell
from cortex_git.scan.scan_report import ScanReport

COLUMNS = (
    "kind", "repository", "severity", "score", "epss", "kev", "id", "aliases", "ecosystem", "package",
    "version", "fixed", "direct", "dev", "via", "upgrade", "lockfile", "line", "other_lockfiles", "summary",
    "reason", "expires", "source", "fingerprint", "other_versions",
)  # fmt: skip
"""`kind` is finding, known (from the baseline), suppressed, fixed (since the baseline), not_scanned or
accepted (not scanned, and counted apart); of the last two `id` is the kind of gap. New columns come last:
people read a sheet by position."""
_CELL_LIMIT = 30_000
"""Spreadsheets take 32,767 characters."""
_Line = dict[str, str]


def render(report: ScanReport) -> str:
    """The whole report; lines end with one newline."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for line in _lines(report):
        writer.writerow({key: csv_cell(clip(text, _CELL_LIMIT)) for key, text in line.items()})
    return out.getvalue()


def _lines(report: ScanReport) -> Iterator[_Line]:
    for row, finding in findings_by_severity(report):
        yield _line("finding", row.repo, finding)
    if report.baseline is not None:
        for placed in report.baseline.known:
            yield _line("known", placed.repo, placed.finding)
        for placed in report.baseline.fixed:
            yield _line("fixed", placed.repo, placed.finding)
    for one in report.suppressed:
        said = {"reason": one.reason, "expires": one.expires or "", "source": one.source}
        yield _line("suppressed", one.repo, one.finding) | said
    for gap in gaps(report):
        what = gap.what or "the whole repository"
        place = {"id": gap.kind, "lockfile": gap.path or ""}
        yield {"kind": "not_scanned", "repository": gap.repo, "summary": what, "reason": gap.reason} | place
    for accepted in report.accepted:
        yield {
            "kind": "accepted",
            "repository": accepted.repo,
            "id": accepted.gap.kind,
            "lockfile": accepted.gap.path or "",
            "summary": f"{accepted.gap.what}: {accepted.gap.reason}",
            "reason": accepted.reason,
            "expires": accepted.expires or "",
            "source": accepted.source,
        }


def _line(kind: str, repo: str, finding: Finding) -> _Line:
    return {
        "kind": kind,
        "repository": repo,
        "severity": finding.severity,
        "score": _number(finding.score),
        "epss": _number(finding.epss),
        "kev": finding.kev or "",
        "id": finding.id,
        "aliases": " ".join(finding.aliases),
        "ecosystem": finding.ecosystem,
        "package": finding.package,
        "version": finding.version,
        "fixed": finding.fixed or "",
        "direct": _flag(finding.direct),
        "dev": _flag(finding.dev),
        "via": " ".join(finding.via),
        "upgrade": finding.upgrade or "",
        "lockfile": finding.lockfile,
        "line": _number(finding.line),
        "other_lockfiles": " ".join(finding.other_lockfiles),
        "summary": finding.summary,
        "fingerprint": fingerprint(repo, finding),
        "other_versions": " ".join(finding.other_versions),
    }


def _number(value: float | None) -> str:
    return "" if value is None else str(value)


def _flag(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"
