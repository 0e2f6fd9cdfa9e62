"""Taking the `[[not_scanned]]` entries of ignore files into account: which gaps are accepted.

Must never drop one: an accepted gap is kept with its reason, and every entry that expired or that applied to
nothing is named.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from cortex_git.scan.records import NotScanned, RepositoryScan
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import AcceptedGap
from cortex_git.scan.suppressing.applying import is_over, said_in_vain
from cortex_git.scan.suppressing.gap_entries import GapEntry


def accept_gaps(report: ScanReport, entries: Sequence[GapEntry], today: date) -> ScanReport:
    """The report with the gaps that the entries are about set aside; a row that has none left is `scanned`.

    An entry applies through the day on which it expires; of several about a gap the first one counts. To be
    done after findings were compared with earlier ones: what is accepted may hide one all the same.
    """
    accepting = _Accepting(entries, today)
    coverage = accepting.left("", report.coverage)
    rows = tuple(_without(row, accepting) for row in report.repositories)
    return replace(
        report,
        repositories=rows,
        coverage=coverage,
        accepted=(*report.accepted, *accepting.accepted),
        notes=(*report.notes, *accepting.notes()),
    )


def _without(row: RepositoryScan, accepting: "_Accepting") -> RepositoryScan:
    if not row.not_scanned:
        return row
    left = accepting.left(row.repo, row.not_scanned)
    whole = row.status == "incomplete" and not left
    return replace(row, not_scanned=left, status="scanned" if whole else row.status)


class _Accepting:
    """The entries by the kinds that they are about, and which of them applied to anything so far."""

    def __init__(self, entries: Sequence[GapEntry], today: date) -> None:
        self._entries = entries
        self._today = today
        self._used: set[int] = set()
        self._by_kind: dict[str, list[int]] = defaultdict(list)
        for number, entry in enumerate(entries):
            self._by_kind[entry.kind].append(number)
        self.accepted: list[AcceptedGap] = []

    def left(self, repo: str, gaps: Iterable[NotScanned]) -> tuple[NotScanned, ...]:
        """The gaps of a repository, or of the whole batch, that are not accepted."""
        kept = []
        for gap in gaps:
            about = [
                number
                for number in self._by_kind.get(gap.kind, ())
                if not is_over(self._entries[number], self._today) and self._entries[number].about(repo, gap)
            ]
            self._used.update(about)
            if about:
                self.accepted.append(_accepted(repo, gap, self._entries[about[0]]))
            else:
                kept.append(gap)
        return tuple(kept)

    def notes(self) -> list[str]:
        """One line for each entry that expired or applied to nothing, bounded."""
        unused = (one for number, one in enumerate(self._entries) if number not in self._used)
        return said_in_vain(self._entries, unused, self._today)


def _accepted(repo: str, gap: NotScanned, entry: GapEntry) -> AcceptedGap:
    expires = entry.expires.isoformat() if entry.expires else None
    return AcceptedGap(repo, gap, entry.reason, entry.source, expires)
