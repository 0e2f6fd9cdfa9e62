"""The parts of the page about findings that are counted apart, and about what is known to be exploited."""

from collections.abc import Iterator

from cortex_git.pages.markup import Html, join
from cortex_git.pages.parts import Section, paragraph
from cortex_git.pages.tables import Cell, Column, Content, Table, draw
from cortex_git.pages.text import clip_start
from cortex_git.scan.records import SEVERITIES, Finding, SecretFound
from cortex_git.scan.reports.aside import baseline_counts, dates_line, until
from cortex_git.scan.reports.secrets import looked_line
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import Baseline, Placed

_NAME_LIMIT = 200
_Row = tuple[Content | Cell, ...]

EXPLOITED = (Column("EPSS %", number=True, digits=1), Column("Exploited since"))
"""Columns of the findings where EPSS or KEV were imported."""


def exploited_cells(finding: Finding) -> _Row:
    """The cells of `EXPLOITED`."""
    return (None if finding.epss is None else finding.epss * 100, finding.kev)


def facts(report: ScanReport) -> tuple[tuple[str, str], ...]:
    """The baseline with what it hides, in how much secrets were looked for, and the days of the lists."""
    found = []
    if report.baseline is not None:
        counts = "; ".join(baseline_counts(report.baseline))
        found.append(("Only new since", f"{clip_start(report.baseline.source, _NAME_LIMIT)}: {counts}"))
    if looked := looked_line(report):
        found.append(("Secrets", looked.removeprefix("Secrets: ")))
    if dates := dates_line(report):
        found.append(("Exploitation", dates.removeprefix("Exploitation: ")))
    return tuple(found)


def sections(report: ScanReport, most: int) -> list[Section]:
    """What is accepted or suppressed, what the baseline knew, what is fixed since: those that there are."""
    found = [_accepted(report, most)] if report.accepted else []
    if report.suppressed:
        title = f"Suppressed ({len(report.suppressed):,})"
        found.append(
            Section("suppressed", title, join([_explained(), draw(_suppressed(report, most), "aside")]))
        )
    if report.suppressed_secrets:
        aside = report.suppressed_secrets
        title = f"Suppressed secrets ({len(aside):,})"
        rows = [
            (
                *_secret_cells(one.repo, one.secret),
                until(one),
                one.reason,
                clip_start(one.source, _NAME_LIMIT),
            )
            for one in aside[:most]
        ]
        columns = (*_SECRET_COLUMNS, *_SAID)
        table = Table("Suppressed secrets, and why", columns, rows, left_out=_left_out(len(aside), most))
        parts = [_explained(), draw(table, "suppressed-secrets-list")]
        found.append(Section("suppressed-secrets", title, join(parts)))
    if report.baseline is not None:
        found += _secret_sections(report.baseline, most)
        for name, title, placed in (
            ("known", "Known from the baseline", report.baseline.known),
            ("fixed", "Fixed since the baseline", report.baseline.fixed),
        ):
            if placed:
                table = _placed(title, placed, most)
                found.append(Section(name, f"{title} ({len(placed):,})", draw(table, f"{name}-list")))
    return found


def _accepted(report: ScanReport, most: int) -> Section:
    rows = [
        (
            clip_start(one.repo, _NAME_LIMIT) if one.repo else "all",
            one.gap.what,
            one.gap.reason,
            one.gap.kind,
            until(one),
            one.reason,
            clip_start(one.source, _NAME_LIMIT),
        )
        for one in report.accepted[:most]
    ]
    gap = (Column("Repository", name=True), Column("What"), Column("Not scanned as", long=True))
    columns = (*gap, Column("Kind", choose=True), *_SAID)
    left_out = _left_out(len(report.accepted), most)
    table = Table("Gaps that an ignore file accepts, and why", columns, rows, left_out=left_out)
    text = paragraph("An ignore file accepts these gaps. Any of them may hide a vulnerability.")
    title = f"Accepted as not scanned ({len(report.accepted):,})"
    return Section("accepted", title, join([text, draw(table, "accepted-list")]))


def _secret_sections(baseline: Baseline, most: int) -> Iterator[Section]:
    for name, title, placed in (
        ("known-secrets", "Secrets known from the baseline", baseline.known_secrets),
        ("gone-secrets", "Secrets gone from the files since the baseline", baseline.gone_secrets),
    ):
        if placed:
            rows = [_secret_cells(one.repo, one.secret) for one in placed[:most]]
            table = Table(title, _SECRET_COLUMNS, rows, left_out=_left_out(len(placed), most))
            yield Section(name, f"{title} ({len(placed):,})", draw(table, f"{name}-list"))


def _secret_cells(repo: str, secret: SecretFound) -> _Row:
    return (clip_start(repo, _NAME_LIMIT), secret.path, secret.line, secret.kind)


def _explained() -> Html:
    return paragraph("An ignore file or a VEX document says so; they are in no count of this page.")


def _suppressed(report: ScanReport, most: int) -> Table:
    columns = (*_COLUMNS, *_SAID)
    rows = [
        (*_cells(one.repo, one.finding), until(one), one.reason, clip_start(one.source, _NAME_LIMIT))
        for one in report.suppressed[:most]
    ]
    return Table(
        "Suppressed findings, and why", columns, rows, left_out=_left_out(len(report.suppressed), most)
    )


def _placed(title: str, placed: tuple[Placed, ...], most: int) -> Table:
    rows = [_cells(one.repo, one.finding) for one in placed[:most]]
    return Table(title, _COLUMNS, rows, left_out=_left_out(len(placed), most))


_SAID = (Column("Status", choose=True), Column("Reason", long=True), Column("Said by", name=True))
_SECRET_COLUMNS = (Column("Repository", name=True), Column("File"), Column("Line"), Column("Looks like"))
_COLUMNS = (
    Column("Vulnerability"),
    Column("Severity", choose=True),
    Column("Repository", name=True),
    Column("Package", name=True),
    Column("Version"),
    Column("Fixed in"),
    Column("Where", name=True),
)


def _cells(repo: str, finding: Finding) -> _Row:
    where = finding.lockfile if finding.line is None else f"{finding.lockfile}:{finding.line}"
    return (
        finding.id,
        Cell(finding.severity, SEVERITIES.index(finding.severity)),
        clip_start(repo, _NAME_LIMIT),
        finding.package,
        finding.version,
        finding.fixed or "none published",
        clip_start(where, _NAME_LIMIT),
    )


def _left_out(count: int, most: int) -> str:
    if count <= most:
        return ""
    return f"The first {most:,} of {count:,} are listed; --format json lists them all."
