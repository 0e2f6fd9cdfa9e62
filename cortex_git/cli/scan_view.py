"""What a person sees of a scan on a terminal: the table of a finished one (and `ScanProgress` while it runs).

Owns layout only. Must never print a name, version, path or message unescaped, nor hide a gap.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from cortex_git.cli.scan_progress import ScanProgress, tail
from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.reports.aside import exploitation, suppressed_lines
from cortex_git.scan.reports.by_advisory import by_advisory
from cortex_git.scan.reports.contents import findings_by_severity, origin
from cortex_git.scan.reports.escape import clip, terminal
from cortex_git.scan.reports.listing import SHOWN
from cortex_git.scan.reports.secrets import secret_lines, suppressed_secret_lines
from cortex_git.scan.reports.summary import GAPS_SHOWN, context_lines, not_scanned_lines, seven_lines, verdict
from cortex_git.scan.scan_report import ScanReport

__all__ = ["FINDINGS_SHOWN", "ScanProgress", "column_widths", "render_table"]

FINDINGS_SHOWN = 50
_CELL_LIMIT = 200
_GAP = 2
_NOTHING = "-"
_HEADER = ("Severity", "Repository", "Package", "Version", "Fixed in", "Vulnerability")
_EXPLOITED = "Exploited"
"""One more column where EPSS or KEV were imported."""
_ORIGIN = "Origin"
"""One more where any package's is known."""
REPOSITORIES_NAMED = 5
"""Of each need, without `--all`."""
_ID = 5
_SHRINK_ORDER = (
    (1, 12), (2, 16), (4, 8), (3, 7), (6, 10), (7, 10), (1, 6), (2, 10), (6, 6), (7, 8), (_ID, 24),
)  # fmt: skip
"""(column, least width) in the order in which a narrow terminal takes from them: from the id last."""
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "unknown": "magenta"}
_Cells = tuple[str, ...]


def render_table(report: ScanReport, console: Console, *, show_all: bool = False) -> None:
    """Prints the findings, what was not scanned, the database and, last, the seven summary lines.

    Without `show_all`, at most `FINDINGS_SHOWN` findings and 20 gaps are listed, and a line says so.
    Away from a terminal no cell is shortened and no colour is used.
    """
    pairs = [] if report.grouped else findings_by_severity(report)
    shown = pairs if show_all else pairs[:FINDINGS_SHOWN]
    if report.grouped:
        _print_needs(report, console, show_all=show_all)
    if shown:
        _print_findings(shown, console, exploited=bool(report.epss_date or report.kev_date))
        if len(pairs) > len(shown):
            more = len(pairs) - len(shown)
            _line(console, f"... and {more:,} more (--all lists them, so does --format json)", "dim")
        _line(console)
    _line(console, verdict(report), "bold")
    _line(console)
    for text in secret_lines(report, None if show_all else SHOWN):
        _line(console, text, "red")
    for number, text in enumerate(not_scanned_lines(report, None if show_all else GAPS_SHOWN)):
        _line(console, text, "bold yellow" if number == 0 else "yellow")
    for text in suppressed_lines(report, None if show_all else SHOWN):
        _line(console, text)
    for text in suppressed_secret_lines(report, None if show_all else SHOWN):
        _line(console, text)
    for text in context_lines(report):
        _line(console, text)
    for text in seven_lines(report):
        _line(console, text)


def column_widths(natural: list[int], width: int) -> list[int]:
    """The columns' widths in a line of `width` cells: natural ones first, then the repository gives way,
    then the package and the versions, each down to a least width that keeps it readable, and the id last."""
    widths = list(natural)
    room = width - _GAP * (len(widths) - 1)
    for column, least in _SHRINK_ORDER:
        excess = sum(widths) - room
        if excess <= 0:
            break
        if column >= len(widths):
            continue
        widths[column] = min(widths[column], max(least, widths[column] - excess))
    return widths


def _print_findings(
    pairs: list[tuple[RepositoryScan, Finding]], console: Console, *, exploited: bool
) -> None:
    """Lays the table out itself: for 50,000 rows rich's own took 29 s, this takes 3 s."""
    more = {_ORIGIN: any(origin(finding) for _, finding in pairs), _EXPLOITED: exploited}
    header = (*_HEADER, *(name for name, has in more.items() if has))
    rows = [_cells(row, finding, more) for row, finding in pairs]
    natural = [max(cell_len(cells[place]) for cells in (header, *rows)) for place in range(len(header))]
    widths = column_widths(natural, console.width) if console.is_terminal else natural
    if widths[_ID] < natural[_ID] or (
        widths is not natural and sum(widths) + _GAP * (len(widths) - 1) > console.width
    ):
        _print_stacked(rows, console)
        return
    segments = list(_row_segments(header, widths, Style.parse("bold")))
    for cells in rows:
        shortened = (cells[0], tail(cells[1], widths[1]), *cells[2:])
        segments += _row_segments(shortened, widths, Style.parse(_STYLES[cells[0]]))
    console.print(Segments(segments), soft_wrap=True, end="")


def _print_stacked(rows: list[_Cells], console: Console) -> None:
    """Three lines a finding, for a terminal on which columns would cut ids: these are there to be copied."""
    for severity, repo, package, version, fixed, id_, *more in rows:
        text = Text(f"{severity:<8}", style=_STYLES[severity])
        text.append(f"  {id_}", style="default not bold")
        console.print(text, soft_wrap=True)
        remedy = f"fixed in {fixed}" if fixed != _NOTHING else "no fixed version"
        _line(console, f"  {package} {version}, {remedy}")
        _line(console, "  " + ", ".join((repo, *(part for part in more if part != _NOTHING))))


def _row_segments(cells: _Cells, widths: list[int], style: Style) -> Iterator[Segment]:
    """One row, its first cell in `style`; a cell that is too wide goes on in the next line, uncut."""
    folded = [chop_cells(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for line in zip_longest(*folded, fillvalue=""):
        first, *others = (set_cell_size(part, width + _GAP) for part, width in zip(line, widths, strict=True))
        yield Segment(first, style)
        yield Segment("".join(others).rstrip())
        yield Segment.line()


def _cells(row: RepositoryScan, finding: Finding, more: Mapping[str, bool]) -> _Cells:
    texts = [row.repo, finding.package, finding.version, finding.fixed or _NOTHING, finding.id]
    if more[_ORIGIN]:
        texts.append(origin(finding) or _NOTHING)
    if more[_EXPLOITED]:
        texts.append(exploitation(finding) or _NOTHING)
    return (finding.severity, *(terminal(clip(text, _CELL_LIMIT)) for text in texts))


def _print_needs(report: ScanReport, console: Console, *, show_all: bool) -> None:
    """A line for each need, and below it some of the repositories."""
    needs = by_advisory(report)
    shown = needs if show_all else needs[:FINDINGS_SHOWN]
    for need in shown:
        text = Text(f"{need.severity:<8}", style=_STYLES[need.severity])
        text.append(f"  {terminal(clip(need.sentence, _CELL_LIMIT))}", style="default not bold")
        console.print(text, soft_wrap=True)
        named = need.repositories if show_all else need.repositories[:REPOSITORIES_NAMED]
        listed = ", ".join(terminal(clip(repo, _CELL_LIMIT)) for repo in named)
        more = len(need.repositories) - len(named)
        _line(console, f"          {listed}" + (f" and {more:,} more" if more else ""), "dim")
    if len(needs) > len(shown):
        more = len(needs) - len(shown)
        _line(console, f"... and {more:,} more (--all lists them, so does --format json)", "dim")
    if shown:
        _line(console)


def _line(console: Console, text: str = "", style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
