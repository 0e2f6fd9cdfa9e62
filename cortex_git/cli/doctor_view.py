"""What `doctor` shows on a terminal: a line for each area, then what was found, the worst first.

Owns layout only. Must never print what others chose unescaped; what has no room is told in one line each.
"""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from cortex_git.cli.screen import fold, terminal_size
from cortex_git.scan.reports.escape import terminal
from cortex_git.services.doctor.checks import AREAS, REMOTE
from cortex_git.services.doctor.examining import Entry, Examination
from cortex_git.services.doctor.findings import Severity, many

_LABEL = 13
_STYLES = {
    "problem": "bold red",
    "warning": "bold yellow",
    "note": "bold cyan",
    "mended": "bold green",
    "did": "bold green",
    "would": "bold",
    "failed": "bold red",
}
_TOLD = {"git", "identity", "branch", "reachable", "capabilities"}
"""Checks whose good news is worth a word."""
Line = tuple[str, str]


def print_examination(found: Examination, *, dry_run: bool) -> None:
    """The screen on stdout."""
    width, height = terminal_size()
    console = Console(highlight=False, markup=False, width=width)
    for label, text in render(found, width, height - 1, dry_run=dry_run):
        line = Text.assemble((f"{label:<{_LABEL}}", _STYLES.get(label, "bold")), text)
        line.rstrip()
        console.print(line, soft_wrap=True)


def render(found: Examination, width: int, height: int, *, dry_run: bool = False) -> list[Line]:
    """(label, text) lines. Problems and warnings are told whole, notes in a line where room is short."""
    head = [*_head(found, width), ("", "")]
    tail = list(_tail(found, width, dry_run=dry_run))
    told = sorted(
        (e for e in found.entries if e.looked and e.severity is not Severity.OK),
        key=lambda entry: (bool(entry.fixed), -entry.severity.rank),
    )
    shown = [line for entry in told for line in _whole(entry, width)]
    if len(head) + len(shown) + len(tail) > height:
        shown = []
        for entry in told:
            is_short = entry.severity is Severity.NOTE or entry.fixed
            shown += _brief(entry, width) if is_short else _whole(entry, width)
    return [*head, *shown, *([("", "")] if shown else []), *tail]


def _head(found: Examination, width: int) -> Iterator[Line]:
    if found.folder is None:
        yield from _lines(
            "", "No coordination repository here or above: only this machine was looked at.", width
        )
    else:
        yield from _lines("repository", str(found.folder), width)
    for area in AREAS:
        entries = [entry for entry in found.entries if entry.check.area == area]
        if not entries:
            if area == REMOTE and found.folder is not None:
                yield REMOTE, "not looked at (--offline)"
            continue
        yield from _lines(area, _summary(entries), width)


def _summary(entries: Sequence[Entry]) -> str:
    counts = [
        many(count, severity.value)
        for severity in (Severity.PROBLEM, Severity.WARNING, Severity.NOTE)
        if (count := sum(e.severity is severity and e.looked and e.stands for e in entries))
    ]
    mended = sum(bool(entry.fixed) for entry in entries)
    counts += [f"{mended} mended"] if mended else []
    checks = len({entry.check.id for entry in entries if entry.looked})
    if not checks:
        return "left out: the last lines say why"
    text = f"{many(checks, 'check')}: {', '.join(counts) or 'all well'}"
    told = [e.finding.summary for e in entries if e.severity is Severity.OK and e.check.id in _TOLD]
    return f"{text} ({'; '.join(told)})" if told else text


def _whole(entry: Entry, width: int) -> Iterator[Line]:
    finding = entry.finding
    yield from _lines("mended" if entry.fixed else finding.severity.value, _titled(entry), width)
    if finding.where and finding.where not in finding.summary:
        yield from _lines("", f"where: {finding.where}", width)
    if finding.why:
        yield from _lines("", f"why:   {finding.why}", width)
    if finding.advice and not entry.fixed:
        yield from _lines("", f"do:    {finding.advice}", width)


def _brief(entry: Entry, width: int) -> Iterator[Line]:
    advice = f" → {entry.finding.advice}" if entry.finding.advice and not entry.fixed else ""
    label = "mended" if entry.fixed else entry.finding.severity.value
    yield from _lines(label, f"{_titled(entry)}{advice}", width)


def _titled(entry: Entry) -> str:
    return f"{entry.finding.summary} [{entry.check.id}]"


def _tail(found: Examination, width: int, *, dry_run: bool) -> Iterator[Line]:
    for text in found.deeds:
        yield from _lines("would" if dry_run else "did", text, width)
    for text in found.failures:
        yield from _lines("failed", text, width)
    for reason, ids in _not_looked(found.entries).items():
        yield from _lines("left out", f"{', '.join(ids)}: {reason}", width)
    yield from _lines("", _verdict(found, dry_run=dry_run), width)


def _not_looked(entries: Iterable[Entry]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        if not entry.looked and entry.check.id != "fsck":
            reason = entry.finding.summary.removeprefix("not looked at: ")
            found.setdefault(reason, []).append(entry.check.id)
    return found


def _verdict(found: Examination, *, dry_run: bool) -> str:
    problems, warnings = found.count(Severity.PROBLEM), found.count(Severity.WARNING)
    mendable = sum(e.finding.mend is not None and e.fixed is None for e in found.entries)
    text = (
        "All is well."
        if not problems + warnings
        else f"{many(problems, 'problem')}, {many(warnings, 'warning')}."
    )
    if mendable and not dry_run:
        text += f" `cortex-git doctor --fix` mends {mendable} of what was found."
    return text


def _lines(label: str, text: str, width: int) -> Iterator[Line]:
    """The text folded, escaped, behind its label; what follows the first line is set in."""
    room = width - _LABEL
    words = terminal(text).split(" ")
    first, *rest = fold(words, room)
    if rest:
        first, *rest = fold(words, room - 2)
    yield label, first
    yield from (("", f"  {line}") for line in rest)
