"""What a scan would do, for `multi-repo-scan --dry-run`.

Owns the plan: it asks whatever the scan would ask first, refuses what that would refuse, and makes nothing.
"""

from typing import NamedTuple

from cortex_git.errors import BadInput
from cortex_git.models import Batch
from cortex_git.results.taken_over import earlier_rows
from cortex_git.services.resuming import Tell, batch_to_resume, begun_anew, untold
from cortex_git.services.scan_request import ScanRequest, refuse_contradictions
from cortex_git.services.scans import kept_rows
from cortex_git.services.unchanged import LAST, no_such
from cortex_git.store import tasks
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


class Planned(NamedTuple):
    """One repository that would be scanned, or whose row would be taken over."""

    repo: str
    ref: str | None
    unchanged_since: str | None = None
    """The batch that has its row."""


def planned(coordination: Coordination | None, request: ScanRequest, tell: Tell = untold) -> list[Planned]:
    """What would become of the repositories, in their order; of a resumed batch those that are open.

    Raises BadInput for what the scan would refuse.
    """
    refuse_contradictions(request)
    found = batch_to_resume(coordination, request) if request.resume is not None else None
    if coordination is not None and found is not None:
        return _open(coordination, found)
    if request.resume is not None:
        tell(begun_anew(request.resume))
    taken: dict[int, str] = {}
    if coordination is not None:
        taken = _taken_over(coordination, request)
        if name := request.resume or request.batch:
            coordination.refuse_taken(name)
    elif (since := request.changed_since) is not None and since.moment is None and since.text != LAST:
        raise BadInput(*no_such(since.text))
    numbered = enumerate(request.sources, 1)
    return [Planned(source.repo, source.ref, taken.get(number)) for number, source in numbered]


def _open(coordination: Coordination, batch: Batch) -> list[Planned]:
    members = tasks.listed(coordination.repository, Scope(batch=batch.batch, merges=False))
    left = tasks.unfinished(coordination.repository, members)
    return [Planned(task.repo or task.title, task.context.get("ref")) for task in left]


def _taken_over(coordination: Coordination, request: ScanRequest) -> dict[int, str]:
    kept = kept_rows(coordination, request)
    rows = earlier_rows(coordination.repository, [reference.task for reference in kept])
    return {reference.number: rows[reference.task].unchanged_since or "" for reference in kept}
