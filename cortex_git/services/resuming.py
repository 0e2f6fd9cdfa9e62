"""Going on with a scan batch: what it was begun with, and what a command says that is not in it.

Owns that comparison. Must never let a resumed batch pass for a look at repositories that are not in it, nor
for a look for secrets or with other scanners where a part of it was scanned without.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cortex_git.errors import BadInput
from cortex_git.models import Batch
from cortex_git.results.taken_over import references_of
from cortex_git.scan.gap_kinds import NOT_IN_BATCH
from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources import Source
from cortex_git.store import index, newer, tasks, tombstones
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

if TYPE_CHECKING:
    from cortex_git.scan.others.programs import Chosen
    from cortex_git.services.scan_request import ScanRequest

Tell = Callable[[str], None]
LAST = "last"
"""`--resume last`: the newest scan batch that is not finished."""
SECRETS = "secrets"
"""The option of a batch in which secrets are looked for, too."""
SCANNERS = "scanners"
"""The option of a batch with the names of the other scanners that are asked."""
_BATCHES = "see `cortex-git scans list`"
_NAMED = 20
"""Repositories that are not in the batch and are named one by one."""


def untold(_text: str) -> None:
    """Tells nobody."""


def begun_with(scanners: "Sequence[Chosen]", secrets: bool) -> dict[str, Any]:
    """What a new batch's document says of what its repositories are looked at for."""
    named = {SCANNERS: sorted({one.name for one in scanners})} if scanners else {}
    return named | ({SECRETS: True} if secrets else {})


def looks_for_secrets(batch: Batch) -> bool:
    """Whether all of the batch is looked through for secrets."""
    return batch.options.get(SECRETS) is True


def batch_to_resume(coordination: Coordination | None, request: "ScanRequest") -> Batch | None:
    """The batch that `request` resumes; None where there is none, and one of that name is to be begun.

    It is begun so that one command can be given again whenever it was stopped, and on any machine first.
    Raises BadInput where there is nothing to begin it with, or it was begun for another look.
    """
    name = request.resume or LAST
    found = None if coordination is None else _resumed(coordination, name)
    if found is not None and coordination is not None:
        refuse_other_looks(coordination, found, request.scanners, secrets=request.secrets)
    elif name == LAST:
        raise BadInput("no scan batch is unfinished: --resume last has none", _BATCHES)
    elif not request.sources:
        raise BadInput(f"no scan batch {name!r} to resume", _BATCHES)
    return found


def begun_anew(name: str) -> str:
    """What is told where a batch is begun that somebody wanted to go on with: its name may be misspelt."""
    return f"there is no scan batch {name!r} to go on with: it is begun ({_BATCHES})"


def _resumed(coordination: Coordination, name: str) -> Batch | None:
    coordination.pull()
    newer.refuse(coordination.repository.state, "batches", name)
    known = index.batches(coordination.repository)
    scans = [batch for batch in known if batch.options.get("kind") == "scan"]
    if name != LAST:
        archived = tombstones.batch(coordination.repository, name)
        found = [*scans, *([archived] if archived and archived.options.get("kind") == "scan" else [])]
        return next((batch for batch in found if batch.batch == name), None)
    open_ones = [b for b in scans if coordination.open_count(Scope(batch=b.batch, merges=False))]
    return open_ones[-1] if open_ones else None


def refuse_other_looks(
    coordination: Coordination, batch: Batch, scanners: "Sequence[Chosen]", *, secrets: bool
) -> None:
    """Raises BadInput where the command asks for a look that a part of the batch was, or will be, without."""
    if secrets and not looks_for_secrets(batch):
        raise BadInput(
            f"batch {batch.batch!r} was begun without --secrets", "leave it out, or begin a new batch with it"
        )
    asked = begun_with(scanners, secrets=False).get(SCANNERS, [])
    known = batch.options.get(SCANNERS, [])
    over = not scanners and not coordination.open_count(Scope(batch=batch.batch, merges=False))
    if asked != known and not over:
        with_what = "without --scanner" if not known else "with other scanners"
        raise BadInput(
            f"batch {batch.batch!r} was begun {with_what}", "name the same ones, or begin a new batch"
        )


def not_in(coordination: Coordination, batch: Batch, sources: Sequence[Source]) -> list[NotScanned]:
    """Those of the repositories a command names that the resumed batch does not have."""
    if not sources:
        return []
    own = tasks.listed(coordination.repository, Scope(batch=batch.batch, merges=False))
    taken_over = [reference.task for reference in references_of(batch)]
    there = {
        (task.context.get("url"), task.context.get("ref"))
        for task in (*own, *tasks.named(coordination.repository, taken_over).values())
    }
    left_out = [source for source in sources if (source.url, source.ref) not in there]
    reason = f"not in batch {batch.batch}, which was resumed; begin a new batch with it"
    named = [
        NotScanned(source.repo + (f"@{source.ref}" if source.ref else ""), reason, NOT_IN_BATCH)
        for source in left_out[:_NAMED]
    ]
    if len(left_out) > _NAMED:
        named.append(NotScanned(f"{len(left_out) - _NAMED:,} more repositories", reason, NOT_IN_BATCH))
    return named
