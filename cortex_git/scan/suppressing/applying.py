"""Taking what was said about findings into account: which are suppressed, and what was said in vain.

Must never drop a finding: one that is suppressed is kept with its reason, and every entry that expired or
that applied to nothing is named.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Protocol, cast, get_args

from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import Suppressed, SuppressionStatus
from cortex_git.scan.suppressing.statements import Statement

NOTES_SHOWN = 20
_SUPPRESSES = get_args(SuppressionStatus)


class Entry(Protocol):
    """What a person said of something, for as long as it applies."""

    @property
    def expires(self) -> date | None:
        """The last day on which it applies."""

    def label(self) -> str:
        """The entry as a note names it."""


def suppress(
    report: ScanReport, ignored: Sequence[Statement], vex: Sequence[Statement], today: date
) -> ScanReport:
    """The report with the findings that the statements are about set aside.

    An entry of an ignore file applies through the day on which it expires. Of the VEX statements about a
    finding the latest decides, of those made at the same time the one that does not suppress.
    """
    judgement = Judgement(ignored, vex, today)
    rows, suppressed = judgement.split(report.repositories)
    return replace(
        report,
        repositories=tuple(rows),
        suppressed=(*report.suppressed, *suppressed),
        notes=(*report.notes, *judgement.notes()),
    )


class Judgement:
    """The statements by the ids that they are about, and which of them applied to anything so far."""

    def __init__(self, ignored: Sequence[Statement], vex: Sequence[Statement], today: date) -> None:
        self._statements = statements = (*ignored, *vex)
        self._own = len(ignored)
        self._today = today
        self._used: set[int] = set()
        self._by_id: dict[str, list[int]] = defaultdict(list)
        for number, statement in enumerate(statements):
            for name in statement.ids:
                self._by_id[name].append(number)

    def split(self, repositories: Iterable[RepositoryScan]) -> tuple[list[RepositoryScan], list[Suppressed]]:
        """The rows without the findings that are suppressed, and those."""
        rows: list[RepositoryScan] = []
        suppressed: list[Suppressed] = []
        for row in repositories:
            decided = [self._decided(row.repo, finding) for finding in row.findings]
            pairs = list(zip(row.findings, decided, strict=True))
            suppressed += [_suppressed(row.repo, finding, by) for finding, by in pairs if by is not None]
            rows.append(replace(row, findings=tuple(finding for finding, by in pairs if by is None)))
        return rows, suppressed

    def _decided(self, repo: str, finding: Finding) -> Statement | None:
        """The statement that suppresses the finding, None where none does."""
        ids = {name.casefold() for name in (finding.id, *finding.aliases)}
        numbers = sorted({number for name in ids for number in self._by_id.get(name, ())})
        about = [number for number in numbers if self._statements[number].about(repo, finding)]
        valid = [number for number in about if not is_over(self._statements[number], self._today)]
        self._used.update(about)
        if valid and valid[0] < self._own:  # what a person here decided needs no other's word
            return self._statements[valid[0]]
        return _latest(self._statements[number] for number in valid)

    def notes(self) -> list[str]:
        """One line for each entry that expired or applied to nothing, bounded."""
        unused = (
            one
            for number, one in enumerate(self._statements)
            if number not in self._used and one.status in _SUPPRESSES
        )
        return said_in_vain(self._statements, unused, self._today)


def _latest(found: Iterable[Statement]) -> Statement | None:
    last = max(found, key=lambda one: (one.timestamp, one.status not in _SUPPRESSES), default=None)
    return last if last is not None and last.status in _SUPPRESSES else None


def is_over(entry: Entry, today: date) -> bool:
    """Whether the day has passed on which it applies last."""
    return entry.expires is not None and entry.expires < today


def said_in_vain(entries: Iterable[Entry], unused: Iterable[Entry], today: date) -> list[str]:
    """One line for each of the entries that expired, and of the unused ones that did not; bounded."""
    expired = [
        f"{one.label()} expired on {one.expires} and does not apply" for one in entries if is_over(one, today)
    ]
    idle = [f"{one.label()} applied to nothing" for one in unused if not is_over(one, today)]
    return [*_bounded(expired, "expired"), *_bounded(idle, "applied to nothing")]


def _bounded(lines: list[str], what: str) -> list[str]:
    """The first `NOTES_SHOWN` lines, and how many more there are."""
    if len(lines) <= NOTES_SHOWN:
        return lines
    return [*lines[:NOTES_SHOWN], f"{len(lines) - NOTES_SHOWN:,} more entries {what}"]


def _suppressed(repo: str, finding: Finding, statement: Statement) -> Suppressed:
    return Suppressed(
        repo=repo,
        finding=finding,
        status=cast(SuppressionStatus, statement.status),
        reason=statement.reason,
        source=statement.source,
        justification=statement.justification,
        expires=statement.expires.isoformat() if statement.expires else None,
    )
