"""The HTML report: one page that loads nothing, for people who look rather than read.

What was not scanned comes first. Names, versions, paths and messages are text to the page:
it escapes them.
"""

from cortex_git.pages.charts import Stack, ranked
from cortex_git.pages.drawing import MISSING
from cortex_git.pages.frame import Axis, Series
from cortex_git.pages.markup import Html, element, join
from cortex_git.pages.page import Page
from cortex_git.pages.page import render as render_page
from cortex_git.pages.parts import Notice, Section, Tile, notices, paragraph, tiles
from cortex_git.pages.plots import Plot, figures
from cortex_git.pages.tables import Cell, Column, Table, draw
from cortex_git.pages.text import clip_start, counted
from cortex_git.scan.records import SEVERITIES, Finding, RepositoryScan
from cortex_git.scan.reports import html_aside, html_needs
from cortex_git.scan.reports.by_advisory import by_advisory
from cortex_git.scan.reports.contents import Gap, findings_by_severity, gaps, origin
from cortex_git.scan.reports.html_cells import linked, severity_cell
from cortex_git.scan.reports.secrets import secrets_of
from cortex_git.scan.reports.summary import SAMPLE_NOTE, repositories_read, verdict
from cortex_git.scan.scan_report import ScanReport

ROWS_SHOWN = 50_000
"""Of each table: the page has 30 MB then. It says what it leaves out."""
NAMES_CHOSEN = 200
"""Repositories up to which a menu lets one be chosen; beyond it the text filter does."""
BARS_SHOWN = 25
_NAME_LIMIT = 200

SERIES = tuple(
    Series(
        name,
        f"severity-{name}",
        name[0].upper(),
        "on-severity-critical" if name == "critical" else "on-severity",
    )
    for name in SEVERITIES
)
"""How severities look in a plot, most severe first."""


def render(report: ScanReport) -> str:
    """The whole page; it ends with one newline."""
    plot = _plot(report)
    drawn, could_draw = figures([plot] if plot else [])
    sections = [
        _gaps(report),
        _secrets(report),
        _severity(drawn.get("severity"), could_draw),
        _by_advisory(report),
        Section("findings", "Findings", draw(_findings(report), "findings-list")),
        *html_aside.sections(report, ROWS_SHOWN),
        Section("repositories", "Repositories", draw(_repositories(report), "repositories-list")),
    ]
    read = repositories_read(report)
    amount = counted(len(report.repositories), "repository", "repositories")
    page = Page(
        title=f"Vulnerability scan of {read:,} of {amount}",
        subtitle=verdict(report),
        facts=(
            ("Database", report.database or "none"),
            ("Batch", report.batch),
            ("Mode", report.timing.mode),
            *html_aside.facts(report),
        ),
        opening=_opening(report),
        sections=tuple(part for part in sections if part is not None),
        footer=(
            "A vulnerability known under several ids counts once, and once per repository.",
            "Unknown means that no severity was published; none is guessed.",
        ),
    )
    return render_page(page)


def _opening(report: ScanReport) -> Html:
    found: list[Notice] = []
    missing = gaps(report)
    if missing:
        what = f"{len(missing):,} {'thing was' if len(missing) == 1 else 'things were'} not scanned"
        failed = (
            f"{report.failed:,} of {counted(len(report.repositories), 'repository', 'repositories')} failed"
            if report.failed
            else ""
        )
        found.append(
            Notice("critical", what, failed, "Each may hide a vulnerability: see Not scanned below.")
        )
    if report.sample:
        found.append(Notice("note", SAMPLE_NOTE))
    if report.secrets_found:
        found.append(
            Notice(
                "critical",
                f"{counted(report.secrets_found, 'secret')} in files",
                "",
                "See Secrets below.",
            )
        )
    base = report.baseline
    known = base is not None and bool(base.known or base.known_secrets)
    aside = bool(report.suppressed or report.suppressed_secrets or report.accepted) or known
    if report.repositories and not (missing or report.cves_found or report.secrets_found or aside):
        found.append(Notice("good", "No known vulnerabilities, and nothing was left out."))
    counts, timing = report.severity, report.timing
    listed = ", ".join(f"{counts[name]:,} {name}" for name in SEVERITIES if counts[name])
    figures_shown = [
        Tile("Vulnerabilities", f"{report.cves_found:,}", listed or "none known in what was scanned"),
        Tile("Repositories scanned", f"{repositories_read(report):,}", f"of {len(report.repositories):,}"),
        Tile("Packages", f"{sum(row.packages for row in report.repositories):,}", "pinned in lockfiles"),
        Tile(
            "Not scanned",
            f"{len(missing):,}",
            f"beside {len(report.accepted):,} accepted" if report.accepted else "",
            "critical" if missing else "good",
        ),
        Tile("Real time", f"{timing.real_time_s:,.1f} s", f"{timing.scan_time_s_avg:.3f} s a repository"),
        Tile(
            "Parallel efficiency",
            f"{timing.parallel_efficiency * 100:.0f} %",
            f"{timing.workers:,} workers, {timing.mode}",
        ),
    ]
    return element("div", notices(found) if found else None, tiles(figures_shown), class_="opening")


def _gaps(report: ScanReport) -> Section | None:
    found = gaps(report)
    if not found:
        return None
    table = Table(
        "What was not scanned, and why",
        (
            Column("Repository", name=True),
            Column("What"),
            Column("Reason", long=True),
            Column("Kind", choose=True),
        ),
        [_gap_row(gap) for gap in found[:ROWS_SHOWN]],
        left_out=_left_out(len(found)),
    )
    text = paragraph("Any of these may hide a vulnerability.")
    return Section("not-scanned", f"Not scanned ({len(found):,})", join([text, draw(table, "gaps")]))


def _gap_row(gap: Gap) -> tuple[str, str, str, str]:
    where = clip_start(gap.repo, _NAME_LIMIT) if gap.repo else "all"
    return (where, "the whole repository" if gap.failed_repository else gap.what, gap.reason, gap.kind)


def _secrets(report: ScanReport) -> Section | None:
    found = list(secrets_of(report))
    if not found:
        return None
    table = Table(
        "What looks like a key or a password, and where",
        (Column("Repository", name=True), Column("File"), Column("Line"), Column("Looks like")),
        [
            (clip_start(row.repo, _NAME_LIMIT), one.path, one.line, one.kind)
            for row, one in found[:ROWS_SHOWN]
        ],
        left_out=_left_out(len(found)),
    )
    return Section("secrets", f"Secrets ({len(found):,})", draw(table, "secrets-list"))


def _by_advisory(report: ScanReport) -> Section | None:
    if not report.grouped:
        return None
    needs = by_advisory(report)
    table = html_needs.table(needs[:ROWS_SHOWN], left_out=_left_out(len(needs)))
    return Section("advisories", "By advisory", draw(table, "advisories-list"))


def _severity(figure: Html | None, could_draw: bool) -> Section | None:
    if figure is None:
        return None
    note = None if could_draw else paragraph(MISSING, "note")
    return Section("severity", "Severity by repository", join([note, figure]))


def _plot(report: ScanReport) -> Plot | None:
    rows = [row for row in report.repositories if row.findings]
    if not rows:
        return None
    ordered = sorted(
        ((_counts(row), row.repo) for row in rows), key=lambda pair: ([-n for n in pair[0]], pair[1])
    )
    shown = ordered[:BARS_SHOWN]
    stacks = [Stack(repo, tuple(float(number) for number in counts)) for counts, repo in shown]
    left = len(ordered) - len(shown)
    worst = shown[0]
    bars = counted(len(shown), "repository", "repositories")
    return Plot(
        "severity",
        "Known vulnerabilities of each repository, the worst first",
        f"Bars for {bars}, made of findings by severity. The worst is "
        f"{clip_start(worst[1], 80)} with {worst[0][0]} critical and {worst[0][1]} high of {sum(worst[0])}.",
        lambda width: ranked(stacks, SERIES, Axis("findings", ",d"), width),
        Table(
            "Findings by repository and severity",
            (
                Column("Repository", name=True),
                *(Column(name.capitalize(), number=True) for name in SEVERITIES),
            ),
            [(clip_start(repo, _NAME_LIMIT), *counts) for counts, repo in ordered[:ROWS_SHOWN]],
            left_out=_left_out(len(ordered)),
        ),
        note=f"{left:,} more repositories with findings are in the table only." if left else "",
    )


def _counts(row: RepositoryScan) -> tuple[int, ...]:
    return tuple(sum(finding.severity == name for finding in row.findings) for name in SEVERITIES)


def _findings(report: ScanReport) -> Table:
    found = findings_by_severity(report)
    exploited = bool(report.epss_date or report.kev_date)
    columns = (
        Column("Vulnerability"),
        Column("Severity", choose=True),
        Column("Score", number=True, digits=1),
        Column("Repository", name=True, choose=len({row.repo for row, _ in found}) <= NAMES_CHOSEN),
        Column("Package", name=True),
        Column("Version"),
        Column("Fixed in"),
        Column("Where", name=True),
        Column("Ecosystem", choose=True),
        Column("Summary", long=True),
        *(html_aside.EXPLOITED if exploited else ()),
        Column("Origin"),
        Column("Upgrade", long=True),
    )
    return Table(
        "Known vulnerabilities, the exploited and the most severe first",
        columns,
        [_finding_row(row, finding, exploited=exploited) for row, finding in found[:ROWS_SHOWN]],
        left_out=_left_out(len(found)),
        empty="None known in what was scanned.",
    )


def _finding_row(
    row: RepositoryScan, finding: Finding, *, exploited: bool
) -> tuple[str | float | Cell | None, ...]:
    where = finding.lockfile if finding.line is None else f"{finding.lockfile}:{finding.line}"
    return (
        Cell(linked(finding.id), finding.id, "id"),
        severity_cell(finding.severity),
        finding.score,
        clip_start(row.repo, _NAME_LIMIT),
        finding.package,
        finding.version,
        finding.fixed or "none published",
        clip_start(where, _NAME_LIMIT),
        finding.ecosystem,
        finding.summary,
        *(html_aside.exploited_cells(finding) if exploited else ()),
        origin(finding),
        finding.upgrade,
    )


def _repositories(report: ScanReport) -> Table:
    columns = (
        Column("Repository", name=True),
        Column("Status", choose=True),
        Column("Findings", number=True),
        Column("Packages", number=True),
        Column("Seconds", number=True, digits=3),
        Column("Not scanned", number=True),
        Column("Commit", name=True),
        Column("Error", long=True),
    )
    rows = [
        (
            clip_start(row.repo, _NAME_LIMIT),
            f"{row.status}, unchanged since {row.unchanged_since}" if row.unchanged_since else row.status,
            len(row.findings),
            row.packages,
            row.duration_s,
            max(len(row.not_scanned), row.status == "incomplete"),
            (row.commit or "")[:12],
            row.error,
        )
        for row in report.repositories[:ROWS_SHOWN]
    ]
    left_out = _left_out(len(report.repositories))
    return Table("Every repository of the batch", columns, rows, left_out=left_out, empty="None.")


def _left_out(count: int) -> str:
    if count <= ROWS_SHOWN:
        return ""
    return f"The first {ROWS_SHOWN:,} of {count:,} are listed; --format json lists them all."
