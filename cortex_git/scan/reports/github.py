"""GitHub workflow commands, which GitHub shows as annotations of the run, and the summary lines.

GitHub shows at most 10 annotations of each kind for a step, so no more are written: the rest is said in
the last of them. What was not scanned and what is known to be exploited come first, so that they are never
what is cut off.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from cortex_git.pages.text import visible
from cortex_git.scan.records import Finding, RepositoryScan, Severity
from cortex_git.scan.reports.aside import exploitation, suppressed_lines
from cortex_git.scan.reports.contents import findings_by_severity, gaps
from cortex_git.scan.reports.escape import clip, workflow_data, workflow_property
from cortex_git.scan.reports.secrets import secret_lines, secrets_of, suppressed_secret_lines
from cortex_git.scan.reports.summary import context_lines, not_scanned_lines, seven_lines, verdict
from cortex_git.scan.scan_report import ScanReport

SHOWN = 10
"""Annotations of each kind that GitHub shows for a step."""
_KINDS: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "notice",
    "unknown": "notice",
}
_TEXT_LIMIT = 1000
_NAME_LIMIT = 200


def render(report: ScanReport) -> str:
    """The commands, then the lines that a log's reader wants."""
    lines = [*_annotations(report), verdict(report), *secret_lines(report), *not_scanned_lines(report)]
    lines += [*suppressed_lines(report), *suppressed_secret_lines(report)]
    lines += [*context_lines(report), *seven_lines(report)]
    return "\n".join(lines) + "\n"


def _annotations(report: ScanReport) -> Iterator[str]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    missing = gaps(report)
    if missing:
        first = missing[0]
        named = ": ".join(part for part in (first.repo, first.what or "failed", first.reason) if part)
        text = f"{len(missing):,} not scanned, each may hide a vulnerability. First: {named}"
        by_kind["warning"].append(_command("warning", "Not scanned", text))
    for row, one in secrets_of(report):
        place = _file(report, row, one.path)
        text = f"{one.kind} in {row.repo}, {one.path}"
        by_kind["error"].append(_command("error", "Secret", text, place, one.line if place else None))
    for row, finding in findings_by_severity(report):
        kind = _KINDS[finding.severity] if finding.kev is None else "error"
        by_kind[kind].append(_annotation(kind, report, row, finding))
    for kind in ("error", "warning", "notice"):
        found = by_kind[kind]
        if len(found) <= SHOWN:
            yield from found
            continue
        yield from found[: SHOWN - 1]
        left = len(found) - SHOWN + 1
        yield _command(kind, "More findings", f"{left:,} more of this kind: see the report in another format")


def _annotation(kind: str, report: ScanReport, row: RepositoryScan, finding: Finding) -> str:
    title = f"{finding.id}: {finding.package} {finding.version}"
    remedy = f"fixed in {finding.fixed}" if finding.fixed else "no fixed version is published"
    parts = [f"{finding.severity}: {finding.summary or finding.id}", remedy]
    if known := exploitation(finding):
        parts.append(known)
    if finding.upgrade:
        parts.append(f"upgrade: {finding.upgrade}")
    parts.append(f"in {row.repo}, {finding.lockfile}")
    file = _file(report, row, finding.lockfile)
    return _command(kind, title, "; ".join(parts), file, finding.line if file else None)


def _file(report: ScanReport, row: RepositoryScan, path: str) -> str | None:
    """Where the file is in the workflow's checkout; None where it is in another repository."""
    repo = row.repo
    if "://" in repo or repo.startswith(("/", "..")) or ":" in repo:
        # The only repository of a scan is taken for the checkout, whatever it is called.
        return path if len(report.repositories) == 1 else None
    parts = PurePosixPath(repo, path).parts
    return None if ".." in parts else "/".join(parts)


def _command(kind: str, title: str, text: str, file: str | None = None, line: int | None = None) -> str:
    properties = {
        "file": clip(file, _TEXT_LIMIT) if file else None,
        "line": str(line) if line is not None and line > 0 else None,
        "title": clip(title, _NAME_LIMIT),
    }
    listed = ",".join(
        f"{key}={workflow_property(visible(value))}" for key, value in properties.items() if value
    )
    return f"::{kind} {listed}::{workflow_data(visible(clip(text, _TEXT_LIMIT)))}"
