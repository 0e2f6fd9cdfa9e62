"""What every format shows, in the order in which it shows it: the findings and the gaps of a report.

Must never leave out a gap: a failed repository or an unread part that no format names would be a
false all-clear.
"""

from collections import Counter
from dataclasses import dataclass

from cortex_git.scan.gap_kinds import FAILED, OTHER
from cortex_git.scan.records import SEVERITIES, Finding, NotScanned, RepositoryScan
from cortex_git.scan.scan_report import ScanReport

UNNAMED_ERROR = "failed without a message"
UNNAMED_GAP = "incomplete, without a reason recorded"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not scanned, as the repository, git or a lockfile named it (not escaped)."""

    repo: str
    """Empty when the gap concerns the whole batch."""
    what: str
    """Empty when the whole repository failed."""
    reason: str
    kind: str = OTHER
    path: str | None = None

    @property
    def failed_repository(self) -> bool:
        return not self.what


def gaps(report: ScanReport) -> list[Gap]:
    """Gaps of the whole batch first, then failed repositories, then parts of repositories."""
    batch = [_gap("", part, "the batch") for part in report.coverage]
    failed = [
        Gap(row.repo, "", row.error or UNNAMED_ERROR, FAILED) for row in report.repositories if _failed(row)
    ]
    parts = [_gap(row.repo, part, "a part") for row in report.repositories for part in row.not_scanned]
    silent = [
        Gap(row.repo, "a part", UNNAMED_GAP)
        for row in report.repositories
        if row.status == "incomplete" and not row.not_scanned
    ]
    return [*batch, *failed, *parts, *silent]


def _gap(repo: str, part: NotScanned, unnamed: str) -> Gap:
    return Gap(repo, part.what or unnamed, part.reason, part.kind, part.path)


def unchanged(report: ScanReport) -> list[tuple[str, int]]:
    """How many rows were taken over from each earlier batch, most first."""
    return Counter(row.unchanged_since for row in report.repositories if row.unchanged_since).most_common()


def findings_by_severity(report: ScanReport) -> list[tuple[RepositoryScan, Finding]]:
    """Every finding with its repository: those known to be exploited first, whatever their severity, then the
    most severe, then the most probably exploited, then by repository, package and id."""
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}

    def order(pair: tuple[RepositoryScan, Finding]) -> tuple[bool, int, float, str, str, str]:
        row, one = pair
        return (one.kev is None, rank[one.severity], -(one.epss or 0.0), row.repo, one.package, one.id)

    return sorted(((row, one) for row in report.repositories for one in row.findings), key=order)


def origin(finding: Finding) -> str:
    """Where the package comes from in few words: `direct`, `via express +2`, `direct, dev`; may be empty."""
    words = []
    if finding.direct:
        words.append("direct")
    elif finding.via:
        more = len(finding.via) - 1
        words.append(f"via {finding.via[0]}" + (f" +{more}" if more else ""))
    elif finding.direct is False:
        words.append("brought in")
    if finding.dev:
        words.append("dev")
    return ", ".join(words)


def _failed(row: RepositoryScan) -> bool:
    return row.status == "failed"
