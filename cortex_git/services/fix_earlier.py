"""What earlier fix campaigns did or are doing, so that the same command, given again, makes no second branch.

Owns when a repository counts as done: another campaign was asked for the same findings at the same place, and
is open still, or its branch is there still. Where that cannot be told, nothing counts as done.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cortex_git.config import load_host_settings
from cortex_git.models import Task
from cortex_git.results.fix_summary import FixRow
from cortex_git.scan.reading.heads import heads_of
from cortex_git.scan.records import Finding
from cortex_git.scan.sources import Credentials, Source
from cortex_git.services.fixing import KIND, Affected, Campaign, campaign_rows, source_of_task
from cortex_git.store import index
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import listed

_OURS = "cortex/"
"""How branches of a task begin: whoever can push may write another one into a result."""
_Asked = frozenset[tuple[str, str, str]]
"""Id, package and lockfile of each finding."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is left to do, and what others did or are doing."""

    left: tuple[Affected, ...]
    rows: tuple[FixRow, ...]
    """Of earlier campaigns, in the place of the repositories that are not left. Without the text of a change
    request, which was given once: `--resume` of that campaign gives it again."""
    campaigns: tuple[str, ...]
    """All that are known here, in the order in which they were made."""


def without_earlier(coordination: Coordination, found: Sequence[Affected]) -> Earlier:
    """Leave out what an earlier campaign has a branch for, or is busy with. Asks the repositories."""
    batches = [one for one in index.batches(coordination.repository) if one.options.get("kind") == KIND]
    known: dict[Source, list[tuple[_Asked, FixRow]]] = {}
    for batch in batches:
        scope = Scope(batch=batch.batch, merges=False)
        tasks = sorted(listed(coordination.repository, scope), key=lambda task: task.task)
        for task, row in zip(tasks, campaign_rows(coordination, batch), strict=True):
            if row.status == "open" or (row.branch or "").startswith(_OURS):
                known.setdefault(source_of_task(task), []).append((_told(task), row))
    rows: dict[int, FixRow] = {}
    for number, one in enumerate(found):
        wanted = frozenset((f.id, f.package, f.lockfile) for f in one.findings)
        same = [row for told, row in known.get(one.source, []) if wanted <= told]
        if same:
            rows[number] = replace(same[-1], title="", body="")
    branches = [number for number, row in rows.items() if row.branch]
    host = load_host_settings()
    heads = heads_of(
        [_branch(found[number].source, rows[number]) for number in branches],
        Credentials(host.askpass, host.credential_helper),
    )
    for number, commit in zip(branches, heads, strict=True):
        if commit is None:
            del rows[number]
    left = tuple(one for number, one in enumerate(found) if number not in rows)
    return Earlier(left, tuple(rows.values()), tuple(batch.batch for batch in batches))


def name_of(campaign: Campaign, scan: str, earlier: Earlier) -> str:
    """The same for the same command at the same state: two machines then make one campaign, not two."""
    places = [[one.source.url, one.source.ref, *map(_place, one.findings)] for one in earlier.left]
    what = [scan, sorted(campaign.advisories), campaign.runner, places, earlier.campaigns]
    return f"{KIND}-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]}"


def _place(finding: Finding) -> list[str]:
    return [finding.id, finding.package, finding.lockfile]


def _told(task: Task) -> _Asked:
    findings = task.context.get("findings")
    some = [one for one in findings if isinstance(one, dict)] if isinstance(findings, list) else []
    return frozenset((str(one.get("id")), str(one.get("package")), str(one.get("lockfile"))) for one in some)


def _branch(source: Source, row: FixRow) -> Source:
    return Source(source.repo, source.url, f"refs/heads/{row.branch}")
