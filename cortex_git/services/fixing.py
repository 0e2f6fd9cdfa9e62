"""`multi-repo-fix`: the repositories that an advisory is about become a batch of fix tasks.

Owns who is affected, by the rows of a scan, and what each task is told. Upgrading is a worker's; what came
of it is read back from the coordination repository, so a resumed campaign reports on all of it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from cortex_git.config import cache_folder, data_folder
from cortex_git.errors import BadInput
from cortex_git.models import Batch, Task
from cortex_git.results.fix_summary import FixRow, fix_rows
from cortex_git.results.taken_over import earlier_rows, place_of, references_of
from cortex_git.scan.records import Finding
from cortex_git.scan.reports.escape import visible
from cortex_git.scan.sources import Source, checked_ref, parse_source
from cortex_git.services.batches import Ended, open_pool, run_tasks
from cortex_git.services.scan_request import Database, ScanRequest, choose_database, options_for
from cortex_git.state import now
from cortex_git.store import index
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import listed, named, new_batch, new_id
from cortex_git.workers.attempts import Watcher

KIND = "fix"
BUMP = "bump"
_MOST_FINDINGS = 200
"""Of one task; a repository with more has several."""
_MOST_TOLD = 20
_TOLD = ("id", "aliases", "severity", "ecosystem", "package", "version", "other_versions", "fixed")
_TOLD_TOO = ("lockfile", "other_lockfiles", "direct", "dev", "via")


@dataclass(frozen=True, slots=True)
class Affected:
    """One repository that has at least one of the vulnerabilities."""

    source: Source
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Who is affected, and how many repositories the scan could not look at, or not everywhere."""

    affected: tuple[Affected, ...]
    unsure: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a fix command asks for."""

    advisories: Sequence[str]
    """Ids, of any of the names that a vulnerability has, in any case."""
    scan: str | None = None
    """The scan batch to go by; the newest one without."""
    match: Sequence[str] = ()
    """Globs on the repository's name, whole or its last part; all without."""
    runner: str = BUMP
    batch: str | None = None
    derived: str | None = None
    """The name it has without `batch`: by what it is asked for. Drawn where it is None."""
    resume: str | None = None
    workers: int = 8
    tests: Sequence[Sequence[str]] = ()
    """Commands to run after the upgrade, as words."""
    variables: Sequence[str] = ()
    """Names of environment variables that package managers get."""
    ref: str | None = None
    """Branch to start from, instead of the one that was scanned."""


def scan_to_go_by(coordination: Coordination, name: str | None) -> Batch:
    """The scan batch `name`, or the newest one. Raises BadInput where there is none."""
    scans = [one for one in index.batches(coordination.repository) if one.options.get("kind") == "scan"]
    found = [one for one in scans if name is None or one.batch == name]
    if not found:
        what = f"no scan batch {name!r} that is not archived" if name else "no scan to go by"
        raise BadInput(what, "run `cortex-git multi-repo-scan` first, with the same --repository")
    return found[-1]


def affected(coordination: Coordination, scan: Batch, campaign: Campaign) -> Found:
    """The repositories of a scan that have any of the advisories, in the order of the scan."""
    wanted = {name.casefold() for name in campaign.advisories}
    ref = checked_ref(campaign.ref) if campaign.ref is not None else None
    tasks = _tasks_of(coordination, scan)
    matched = [task for task in tasks if _is_matched(task.repo or "", campaign.match)]
    rows = earlier_rows(coordination.repository, [task.task for task in matched])
    found: list[Affected] = []
    for task in matched:
        row = rows.get(task.task)
        some = row.findings if row is not None else ()
        findings = [one for one in some if wanted & {n.casefold() for n in (one.id, *one.aliases)}]
        for first in range(0, len(findings), _MOST_FINDINGS):
            source = source_of_task(task)
            part = tuple(findings[first : first + _MOST_FINDINGS])
            found.append(Affected(Source(source.repo, source.url, ref or source.ref), part))
    whole = sum(row.status == "scanned" for row in rows.values())
    return Found(tuple(found), len(matched) - whole)


def refuse_unknown(campaign: Campaign, found: Found) -> None:
    """Raises BadInput for an advisory that neither a finding nor this host's database has: a slip of the keys
    would end like a fleet that is not affected."""
    from cortex_git.scan.advisories.database import open_default, open_starter

    names = (n for one in found.affected for f in one.findings for n in (f.id, *f.aliases))
    seen = {name.casefold() for name in names}
    left = [name for name in campaign.advisories if name.casefold() not in seen]
    if not left:
        return
    with open_default(data_folder()) or open_starter(cache_folder()) as database:
        unknown = [visible(name)[:100] for name in left if not database.knows(name)]
    if unknown:
        raise BadInput(
            f"no finding and no advisory known here is called {', '.join(unknown)}",
            "look at its spelling, or run `cortex-git advisories update`",
        )


def _is_matched(repo: str, globs: Sequence[str]) -> bool:
    last = repo.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return not globs or any(fnmatchcase(name, glob) for glob in globs for name in (repo, last))


def _tasks_of(coordination: Coordination, scan: Batch) -> list[Task]:
    """The scan task of each of its repositories, in order; one that was taken over is an earlier scan's."""
    own = listed(coordination.repository, Scope(batch=scan.batch, merges=False))
    taken = {reference.task: reference.number for reference in references_of(scan)}
    places = [(place_of(task.task), task) for task in own]
    places += [(taken[name], task) for name, task in named(coordination.repository, list(taken)).items()]
    return [task for _, task in sorted(places, key=lambda place: (place[0], place[1].task))]


def source_of_task(task: Task) -> Source:
    """Where a scan task read its repository: what its result says of that is not asked."""
    url, ref = task.context.get("url"), task.context.get("ref")
    if task.repo and isinstance(url, str):
        return Source(task.repo, url, ref if isinstance(ref, str) else None)
    return parse_source(task.repo or "")


def campaign_batch(coordination: Coordination, campaign: Campaign, found: Sequence[Affected]) -> Batch:
    """A new batch with a task for each affected repository, or the one of that name, made meanwhile.

    Only of a name that says what is in it; one that a person chose and that is taken raises BadInput.
    """
    if campaign.derived is not None:
        coordination.pull()
        made = index.find_batch(coordination.repository.state, campaign.derived)
        if made is not None and made.options.get("kind") == KIND:
            return made
    batch = new_batch(
        campaign.batch or campaign.derived or new_id(KIND), len(found), coordination.repository.host
    )
    options = {
        "kind": KIND,
        "advisories": list(campaign.advisories),
        "runner": campaign.runner,
        "tests": len(campaign.tests),
    }
    batch = batch.model_copy(update={"options": options})
    width = len(str(len(found)))
    tasks = [_task(batch, f"{batch.batch}-{n:0{width}d}", one, campaign) for n, one in enumerate(found, 1)]
    coordination.add_batch(batch, tasks)
    return batch


def advisories_of(batch: Batch) -> list[str]:
    """What a campaign is about, as far as its document can be believed."""
    told = batch.options.get("advisories")
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []


def is_for_agents(batch: Batch) -> bool:
    """Whether a pool of agents does its tasks, which this command must not start."""
    return bool(batch.options.get("runner", BUMP) != BUMP)


def resumed(coordination: Coordination, name: str) -> Batch:
    """The campaign of that name, published work of this host included. Raises BadInput."""
    coordination.flush()
    coordination.pull()
    for batch in index.batches(coordination.repository):
        if batch.batch == name and batch.options.get("kind") == KIND:
            return batch
    raise BadInput(f"no fix campaign {name!r} to resume", "see `cortex-git task list`")


def _task(batch: Batch, name: str, one: Affected, campaign: Campaign) -> Task:
    packages = list(dict.fromkeys(finding.package for finding in one.findings))
    which = ", ".join(packages[:3]) + (", …" if len(packages) > 3 else "")
    ids = list(dict.fromkeys(finding.id for finding in one.findings))
    title = f"Upgrade {which} for {', '.join(ids[:3])}"[:300]
    keys = (*_TOLD, *_TOLD_TOO)
    findings = [{key: value for key, value in asdict(f).items() if key in keys} for f in one.findings]
    return Task(
        task=name,
        batch=batch.batch,
        title=title,
        type="fix-worker",
        runner=campaign.runner,
        repo=one.source.repo,
        scope=_scope(one.findings) if campaign.runner != BUMP else None,
        context={**one.source.context, "findings": findings},
        created_at=now(),
    )


def _scope(findings: Sequence[Finding]) -> str:
    """What an agent is told, who reads no findings. Names come from a repository: each stays on its line."""
    lines = ["Upgrade no further than needed, keep the lockfiles true, run the tests."]
    for one in findings[:_MOST_TOLD]:
        versions = ", ".join((one.version, *one.other_versions)[:_MOST_TOLD])
        lockfiles = ", ".join((one.lockfile, *one.other_lockfiles)[:_MOST_TOLD])
        fix = f"it is fixed in {one.fixed}" if one.fixed else "no fixed version was published"
        lines.append(visible(f"{one.package} {versions} in {lockfiles} has {one.id}; {fix}"))
    if len(findings) > _MOST_TOLD:
        lines.append(f"There are {len(findings) - _MOST_TOLD} more findings, which are not listed here.")
    return "\n".join(lines)[:4000]


def run_campaign(
    coordination: Coordination, batch: Batch, campaign: Campaign, watcher: Watcher
) -> tuple[list[FixRow], Ended]:
    """Run the campaign's open tasks; a row for each of its repositories."""
    todo = coordination.open_count(Scope(batch=batch.batch))
    database: Database = choose_database(sample=False)
    options: dict[str, Any] = options_for(database, ScanRequest())
    options |= {"tests": [list(words) for words in campaign.tests], "variables": list(campaign.variables)}
    with open_pool(coordination, [BUMP], max(1, min(campaign.workers, todo)), "fix-worker") as pool:
        ended = run_tasks(
            coordination,
            pool,
            Scope(batch=batch.batch),
            watcher,
            options=options,
            runner=BUMP,  # whoever can push can write another one into a task
            owner="multi-repo-fix",
        )
    return campaign_rows(coordination, batch), ended


def campaign_rows(coordination: Coordination, batch: Batch) -> list[FixRow]:
    """A row for each repository of a campaign, by what is published now."""
    scope = Scope(batch=batch.batch, merges=False)
    tasks = sorted(listed(coordination.repository, scope), key=lambda task: task.task)
    return fix_rows(tasks, coordination.results(scope))
