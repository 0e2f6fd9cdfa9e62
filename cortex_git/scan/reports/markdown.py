"""The Markdown report, for a pull request, a job summary or a wiki.

Must never let a repository or an advisory write Markdown: whatever they chose stands in a code span.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from cortex_git.pages.text import counted
from cortex_git.scan.records import SEVERITIES, Finding, RepositoryScan
from cortex_git.scan.reports.aside import baseline_counts, dates_line, exploitation, until
from cortex_git.scan.reports.by_advisory import Need, by_advisory
from cortex_git.scan.reports.contents import Gap, findings_by_severity, gaps, origin
from cortex_git.scan.reports.escape import clip, markdown_cell, markdown_code
from cortex_git.scan.reports.secrets import looked_line, secrets_of
from cortex_git.scan.reports.summary import (
    SAMPLE_NOTE,
    repositories_read,
    seven_lines,
    unchanged_line,
    verdict,
)
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import AcceptedGap, Suppressed, SuppressedSecret

_CELL_LIMIT = 300
_LINE_LIMIT = 2_000
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,99}")


def render(report: ScanReport) -> str:
    """The whole report; it ends with the seven summary lines in a code block."""
    sections = [_opening(report), _severity_table(report)]
    if report.cves_found:
        sections.append(_needs_table(report) if report.grouped else _findings_table(report))
    sections += [
        _secrets_table(report),
        _suppressed_table(report),
        _suppressed_secrets_table(report),
        _gaps_table(report),
        _accepted_table(report),
        "\n".join(("## Summary", "", "```text", *seven_lines(report), "```")),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _opening(report: ScanReport) -> str:
    read = repositories_read(report)
    amount = counted(len(report.repositories), "repository", "repositories")
    lines = [
        f"# Vulnerability scan of {read} of {amount}",
        "",
        verdict(report),
    ]
    if report.sample:
        lines += ["", f"**{SAMPLE_NOTE}**"]
    facts = [("Database", report.database or "none"), ("Batch", report.batch)]
    if report.baseline is not None:
        facts.append(("Baseline", report.baseline.source))
    lines += ["", *(f"- {name}: {markdown_code(clip(value, _CELL_LIMIT))}" for name, value in facts)]
    if report.baseline is not None:
        lines[-1] += f": {', '.join(baseline_counts(report.baseline))}"
    if looked := looked_line(report):
        name, _, amount = looked.partition(": ")  # it names reasons that a result document gave
        lines.append(f"- {name}: {markdown_code(clip(amount, _LINE_LIMIT))}")
    if since := unchanged_line(report):
        lines.append(f"- {since}")
    if dates := dates_line(report):
        lines.append(f"- {dates}")
    return "\n".join(lines)


def _severity_table(report: ScanReport) -> str:
    rows = [(severity.capitalize(), str(report.severity[severity])) for severity in SEVERITIES]
    return "## Severity\n\n" + _table(("Severity", "Findings"), rows)


def _findings_table(report: ScanReport) -> str:
    header = ["Severity", "Repository", "Package", "Version", "Fixed in", "Vulnerability"]
    pairs = findings_by_severity(report)
    more = {
        "Exploited": bool(report.epss_date or report.kev_date),
        "Origin": any(origin(finding) for _, finding in pairs),
        "Upgrade": any(finding.upgrade for _, finding in pairs),
    }
    rows = ([*_finding_row(row, one), *_more_cells(one, more)] for row, one in pairs)
    return "## Findings\n\n" + _table([*header, *(name for name, has in more.items() if has)], rows)


def _more_cells(finding: Finding, more: Mapping[str, bool]) -> Iterator[str]:
    """The columns that there are only where something is known for them."""
    if more["Exploited"]:
        yield exploitation(finding) or "–"
    if more["Origin"]:
        yield _cell(origin(finding)) or "–"
    if more["Upgrade"]:
        yield _cell(finding.upgrade or "") or "–"


def _needs_table(report: ScanReport) -> str:
    rows = (
        (need.severity, _need_text(need), _cell(", ".join(need.repositories))) for need in by_advisory(report)
    )
    return "## What is needed\n\n" + _table(("Severity", "Need", "Repositories"), rows)


def _need_text(need: Need) -> str:
    """The sentence of the need, with the names that others chose in code spans."""
    link = _linked_id(need.id)
    if need.fixed is None:
        return f"{need.who} {_cell(need.package)} with no fixed version ({link})"
    return f"{need.who} {_cell(f'{need.package} >= {need.fixed}')} ({link})"


def _finding_row(row: RepositoryScan, finding: Finding) -> tuple[str, ...]:
    return (
        finding.severity,
        _cell(row.repo),
        _cell(finding.package),
        _cell(finding.version),
        _cell(finding.fixed) if finding.fixed else "none published",
        _linked_id(finding.id),
    )


def _secrets_table(report: ScanReport) -> str:
    rows = [
        (_cell(row.repo), _cell(f"{one.path}:{one.line}"), _cell(one.kind)) for row, one in secrets_of(report)
    ]
    if not rows:
        return ""
    return f"## Secrets ({len(rows)})\n\n" + _table(("Repository", "Where", "Looks like"), rows)


def _suppressed_table(report: ScanReport) -> str:
    if not report.suppressed:
        return ""
    header = ("Repository", "Package", "Version", "Vulnerability", "Status", "Reason", "Said by")
    table = _table(header, (_suppressed_row(one) for one in report.suppressed))
    return f"## Suppressed ({len(report.suppressed)})\n\nNot counted above.\n\n{table}"


def _suppressed_secrets_table(report: ScanReport) -> str:
    if not report.suppressed_secrets:
        return ""
    header = ("Repository", "Where", "Looks like", "Status", "Reason", "Said by")
    table = _table(header, (_suppressed_secret_row(one) for one in report.suppressed_secrets))
    return f"## Suppressed secrets ({len(report.suppressed_secrets)})\n\nNot counted above.\n\n{table}"


def _suppressed_secret_row(one: SuppressedSecret) -> tuple[str, ...]:
    where = f"{one.secret.path}:{one.secret.line}"
    return tuple(map(_cell, (one.repo, where, one.secret.kind, until(one), one.reason, one.source)))


def _suppressed_row(one: Suppressed) -> tuple[str, ...]:
    finding = one.finding
    package = (_cell(finding.package), _cell(finding.version), _linked_id(finding.id))
    return (_cell(one.repo), *package, _cell(until(one)), _cell(one.reason), _cell(one.source))


def _gaps_table(report: ScanReport) -> str:
    found = gaps(report)
    if not found:
        return ""
    table = _table(("Repository", "What", "Reason", "Kind"), (_gap_row(gap) for gap in found))
    return f"## Not scanned ({len(found)})\n\nAny of these may hide a vulnerability.\n\n{table}"


def _gap_row(gap: Gap) -> tuple[str, ...]:
    where = _cell(gap.repo) if gap.repo else "all"
    what = "the whole repository" if gap.failed_repository else _cell(gap.what)
    return (where, what, _cell(gap.reason), _cell(gap.kind))


def _accepted_table(report: ScanReport) -> str:
    if not report.accepted:
        return ""
    header = ("Repository", "What", "Not scanned as", "Kind", "Status", "Reason", "Said by")
    table = _table(header, (_accepted_row(one) for one in report.accepted))
    return f"## Accepted as not scanned ({len(report.accepted)})\n\nNot counted above.\n\n{table}"


def _accepted_row(one: AcceptedGap) -> tuple[str, ...]:
    texts = (one.gap.what, one.gap.reason, one.gap.kind, until(one), one.reason, one.source)
    return (_cell(one.repo) if one.repo else "all", *map(_cell, texts))


def _linked_id(vulnerability: str) -> str:
    if not _PLAIN_ID.fullmatch(vulnerability):
        return _cell(vulnerability)
    return f"[{vulnerability}](https://osv.dev/vulnerability/{quote(vulnerability, safe='')})"


def _cell(text: str) -> str:
    return markdown_cell(clip(text, _CELL_LIMIT))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(header), _row(("---",) * len(header)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
