"""What a scan batch could not find out about which repositories there are, kept in the batch's document.

Whoever resumes or merges a batch, on any host, must not take a listing that ended half-way for a whole one.
"""

from collections.abc import Sequence
from typing import Any

from cortex_git.models import Batch
from cortex_git.scan.gap_kinds import FOLDER, OTHER
from cortex_git.scan.records import NotScanned

KEY = "gaps"
"""The option of a batch that holds its gaps."""
MOST = 200
_LONGEST = 500


def written(gaps: Sequence[NotScanned]) -> list[list[str]]:
    """The gaps as a batch keeps them; of very many the first, and how many more."""
    kept = [[gap.what[:_LONGEST], gap.reason[:_LONGEST], gap.kind] for gap in gaps[:MOST]]
    if len(gaps) > MOST:
        kept.append([f"{len(gaps) - MOST:,} more", "could not be listed or looked into either", OTHER])
    return kept


def gaps_of(batch: Batch) -> tuple[NotScanned, ...]:
    """The gaps that the batch began with; what is not of this form is one, too."""
    found = batch.options.get(KEY, [])
    return tuple(_gap(entry) for entry in found) if isinstance(found, list) else (_gap(found),)


def _gap(entry: Any) -> NotScanned:
    match entry:
        case [str(what), str(reason)]:
            return NotScanned(what, reason)
        case [str(what), str(reason), str(kind)]:
            return NotScanned(what, reason, kind[:_LONGEST], what if kind == FOLDER else None)
        case _:
            return NotScanned("a part of the batch", "its document does not say which, in a form known here")
