"""What `multi-repo-scan --dry-run` says."""

from collections import Counter
from typing import TYPE_CHECKING

from cortex_git.cli.output import announce, note
from cortex_git.pages.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cortex_git.services.scan_plan import Planned
    from cortex_git.services.scan_request import ScanRequest


def show_plan(request: "ScanRequest", found: "Sequence[Planned]", *, as_json: bool) -> None:
    """Each repository with what would become of it, what could not be looked into, and the sum."""
    for one in found:
        what = f"{one.repo} at {one.ref}" if one.ref else one.repo
        since = f", unchanged since batch {one.unchanged_since}: its row would be taken over"
        note(f"{what}{since}" if one.unchanged_since else f"would scan {what}")
    for gap in request.not_looked_into:
        note(f"not scanned: {gap.what}: {gap.reason}")
    for text in request.notes:
        note(text)
    kept = Counter(one.unchanged_since for one in found if one.unchanged_since)
    left = len(found) - kept.total()
    count = min(request.workers if request.mode == "parallel" else 1, left if kept else max(left, 1))
    text = f"scan {counted(left, 'repository', 'repositories')} with {counted(count, 'worker')}"
    if kept:
        parts = ", ".join(f"{counted(count, 'row')} from batch {name}" for name, count in kept.most_common())
        text += f", and take over {parts} (--rescan scans those, too)"
    plan = {
        "repositories": [one._asdict() for one in found],
        "coverage": [gap.to_json() for gap in request.not_looked_into],
    }
    announce(text, as_json=as_json, more=plan)
