"""Gaps that an ignore file accepts, in words: what is not scanned and does not count, with the reason.

Everything here is escaped for a terminal. Must never let an accepted gap go unseen: it may
hide a vulnerability.
"""

from cortex_git.scan.reports.aside import until
from cortex_git.scan.reports.listing import SHOWN, joined, listed
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import AcceptedGap


def accepted_lines(report: ScanReport, limit: int | None = SHOWN) -> list[str]:
    """`Accepted as not scanned (N):` and a line for each of the first `limit`; nothing for none."""
    return listed("Accepted as not scanned", report.accepted, _line, limit)


def accepted_sentence(report: ScanReport) -> str:
    """` 3 things were accepted as not scanned.`, empty where none were."""
    if not report.accepted:
        return ""
    things = "1 thing was" if len(report.accepted) == 1 else f"{len(report.accepted):,} things were"
    return f" {things} accepted as not scanned."


def said(one: AcceptedGap) -> str:
    """The acceptance in one text: until when, why, and which entry says so (not escaped)."""
    return f"{until(one)}: {one.reason} ({one.source})"


def _line(one: AcceptedGap) -> str:
    parts = (one.repo, one.gap.what, one.gap.reason, until(one), one.reason)
    return joined(part for part in parts if part)
