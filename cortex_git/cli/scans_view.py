"""How the history of scan batches is printed: tables, JSON and Markdown.

Names and versions come from repositories and advisories: each form escapes them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cortex_git.cli.output import note, print_json, print_line, print_table, write_document
from cortex_git.scan.comparing import NotCompared
from cortex_git.scan.fingerprints import fingerprint
from cortex_git.scan.records import SEVERITIES
from cortex_git.scan.reports.escape import clip, markdown_cell
from cortex_git.scan.set_aside import Placed
from cortex_git.services.acting import ActingRequest, Judging, read_said
from cortex_git.services.scan_history import BatchDifference, BatchLine, Counts, TrendLine, archived_note
from cortex_git.store.coordination import Coordination

_LIMIT = 300
_NOTHING = "no scan batches yet: run `cortex-git multi-repo-scan`"
_SHORT = tuple(name.capitalize() for name in SEVERITIES)
_Row = Sequence[object]


@contextmanager
def judging(ignore_files: Sequence[Path] | None, vex: Sequence[Path] | None) -> Iterator[Judging]:
    """What takes suppressed findings out of rows; afterwards it is said how many those were."""
    judge = Judging(read_said(ActingRequest(ignore_files or (), vex or ())))
    yield judge
    if ignore_files or vex:
        for text in judge.notes():
            note(text)
        note(f"{judge.suppressed:,} findings in these batches are suppressed and not counted")


def note_archived(coordination: Coordination) -> None:
    """Say that there are batches which a list has not."""
    if (text := archived_note(coordination)) is not None:
        note(text)


def show_list(lines: Sequence[BatchLine], form: str) -> None:
    """The batches, each with its findings."""
    if form == "json":
        print_json({"batches": [_batch(line) for line in lines]})
        return
    columns = ("Batch", "Created", "Repositories", "Failed", "Not done", *_SHORT)
    rows = [
        (one.batch, one.created_at, one.repositories, one.failed, one.not_done, *one.open.values())
        for one in lines
    ]
    _show(columns, rows, form, "Scan batches")


def show_trend(lines: Sequence[TrendLine], form: str) -> None:
    """Each batch with what is new, fixed and open, a column a severity: `+new -fixed =open`."""
    if form == "json":
        print_json({"batches": [_trend(line) for line in lines]})
        return
    columns = ("Batch", "Created", "Repositories", "First scanned", "New", "Fixed", "Open", *_SHORT)
    rows = [_trend_row(one) for one in lines]
    _show(columns, rows, form, "Trend")
    if form == "table" and rows:
        note("by severity: +new -fixed =open")
        lost = sum(one.not_compared for one in lines)
        if lost:
            note(f"{lost:,} findings could not be compared: their place was not scanned again in a batch")


def show_difference(found: BatchDifference, form: str) -> None:
    """New ones first, then fixed ones, then what cannot be told; those still there are counted."""
    parts = found.difference
    if form == "json":
        print_json(_difference(found))
        return
    columns = ("Change", "Severity", "Repository", "Package", "Version", "Fixed in", "Vulnerability")
    rows = [
        *(_placed_row("new", one) for one in _ordered(parts.new)),
        *(_placed_row("fixed", one) for one in _ordered(parts.fixed)),
        *(_placed_row("not compared", one) for one in parts.not_compared),
    ]
    title = f"From {found.earlier.batch} to {found.later.batch}"
    if form == "markdown":
        text = _markdown(title, columns, rows)
        text += "\n" + _markdown_table(("Repository", *_CHANGES), _by_repository(found)) + "\n"
        write_document(text)
    else:
        if rows:
            print_table(columns, rows, "")
            print_line("")
        print_table(("Repository", *_CHANGES), _by_repository(found), "no findings in either")
    if found.databases[0] != found.databases[1]:
        note(f"other advisories: {_named(found.databases[0])}, then {_named(found.databases[1])}")
    if form == "table":
        print_line(
            f"New: {len(parts.new):,}, Fixed: {len(parts.fixed):,}, Still there: {len(parts.still):,}, "
            f"Not compared: {len(parts.not_compared):,}"
        )


_CHANGES = ("New", "Fixed", "Still there", "Not compared")


def _by_repository(found: BatchDifference) -> list[_Row]:
    parts = found.difference
    groups: tuple[Sequence[Placed | NotCompared], ...] = (
        parts.new, parts.fixed, parts.still, parts.not_compared,
    )  # fmt: skip
    counted: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        for one in group:
            counted.setdefault(one.repo, [0] * len(groups))[place] += 1
    return [(repo, *counts) for repo, counts in sorted(counted.items())]


def _ordered(placed: Iterable[Placed]) -> list[Placed]:
    def order(one: Placed) -> tuple[int, str, str, str]:
        finding = one.finding
        return (SEVERITIES.index(finding.severity), one.repo, finding.package, finding.id)

    return sorted(placed, key=order)


def _placed_row(change: str, one: Placed | NotCompared) -> _Row:
    finding = one.finding
    texts = (finding.severity, one.repo, finding.package, finding.version, finding.fixed or "-", finding.id)
    return (change, *(clip(text, _LIMIT) for text in texts))


def _trend_row(one: TrendLine) -> _Row:
    line = one.line
    totals = (sum(one.new.values()), sum(one.fixed.values()), sum(line.open.values()))
    by_severity = (f"+{one.new[name]} -{one.fixed[name]} ={line.open[name]}" for name in SEVERITIES)
    return (line.batch, line.created_at, line.repositories, one.first_scanned, *totals, *by_severity)


def _show(columns: Sequence[str], rows: Sequence[_Row], form: str, title: str) -> None:
    if form == "markdown":
        write_document(_markdown(title, columns, rows))
    else:
        print_table(columns, rows, _NOTHING)


def _markdown(title: str, columns: Sequence[str], rows: Sequence[_Row]) -> str:
    return f"# {title}\n\n{_markdown_table(columns, rows)}\n"


def _markdown_table(columns: Sequence[str], rows: Sequence[_Row]) -> str:
    if not rows:
        return "Nothing."
    lines = [_line(columns), _line(["---"] * len(columns))]
    return "\n".join([*lines, *(_line(_cell(value) for value in row) for row in rows)])


def _cell(value: object) -> str:
    return str(value) if isinstance(value, int) else markdown_cell(str(value))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _named(databases: Sequence[str]) -> str:
    return ", ".join(databases) or "none"


def _batch(line: BatchLine) -> dict[str, Any]:
    return {
        "batch": line.batch,
        "created_at": line.created_at,
        "repositories": line.repositories,
        "repositories_failed": line.failed,
        "repositories_not_done": line.not_done,
        "open": line.open,
    }


def _trend(one: TrendLine) -> dict[str, Any]:
    return {
        **_batch(one.line),
        "new": one.new,
        "fixed": one.fixed,
        "repositories_first_scanned": one.first_scanned,
        "not_compared": one.not_compared,
    }


def _difference(found: BatchDifference) -> dict[str, Any]:
    parts = found.difference
    return {
        "earlier": _batch(found.earlier) | {"databases": list(found.databases[0])},
        "later": _batch(found.later) | {"databases": list(found.databases[1])},
        "counts": {
            "new": len(parts.new),
            "fixed": len(parts.fixed),
            "still": len(parts.still),
            "not_compared": len(parts.not_compared),
        },
        "severity": {"new": _counts(parts.new), "fixed": _counts(parts.fixed), "still": _counts(parts.still)},
        "repositories": [
            {"repo": repo, "new": new, "fixed": fixed, "still": still, "not_compared": lost}
            for repo, new, fixed, still, lost in _by_repository(found)
        ],
        "new": [_placed(one) for one in _ordered(parts.new)],
        "fixed": [_placed(one) for one in _ordered(parts.fixed)],
        "still": [_placed(one) for one in _ordered(parts.still)],
        "not_compared": [_placed(one) | {"reason": one.reason} for one in parts.not_compared],
    }


def _counts(placed: Iterable[Placed]) -> Counts:
    from cortex_git.services.scan_history import counts

    return counts(one.finding.severity for one in placed)


def _placed(one: Placed | NotCompared) -> dict[str, Any]:
    finding = one.finding
    return {
        "repo": one.repo,
        "id": finding.id,
        "aliases": list(finding.aliases),
        "severity": finding.severity,
        "ecosystem": finding.ecosystem,
        "package": finding.package,
        "version": finding.version,
        "fixed": finding.fixed,
        "lockfile": finding.lockfile,
        "fingerprint": fingerprint(one.repo, finding),
    }
