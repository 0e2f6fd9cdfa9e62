"""Sets aside what most scanners did not find, where a person asked for that.

Nothing is dropped: a finding that is outvoted is counted and listed as suppressed, with the vote.
"""

from dataclasses import replace

from cortex_git.scan.records import Finding
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import Suppressed

BY_VOTE = "--by-vote"


def without_outvoted(report: ScanReport) -> ScanReport:
    """The report with the findings in its rows that at least half of the scanners upheld; ties are upheld."""
    rows, aside = [], []
    for row in report.repositories:
        kept = tuple(finding for finding in row.findings if not finding.outvoted)
        aside += [_aside(row.repo, finding) for finding in row.findings if finding.outvoted]
        rows.append(row if len(kept) == len(row.findings) else replace(row, findings=kept))
    return replace(report, repositories=tuple(rows), suppressed=(*report.suppressed, *aside))


def _aside(repo: str, finding: Finding) -> Suppressed:
    asked = len(finding.found_by) + len(finding.missed_by)
    found, missed = ", ".join(finding.found_by), ", ".join(finding.missed_by)
    reason = f"found by {len(finding.found_by)} of {asked} scanners ({found}; not by {missed})"
    return Suppressed(repo, finding, "false_positive", reason, BY_VOTE)
