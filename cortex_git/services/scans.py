"""`multi-repo-scan`: repositories become a batch of scan tasks, and its results one report.

Owns the choice of database and batch. The scanning itself is a worker's; everything it found is read
back from the coordination repository, so a resumed batch reports on all of it.
"""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cortex_git.config import cache_folder
from cortex_git.models import Batch, Task
from cortex_git.results import scan_gaps
from cortex_git.results.scan_summary import merge_scan, rows_of
from cortex_git.results.taken_over import KEY, Reference, written
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.gap_kinds import NOT_DONE, STARTER_SET
from cortex_git.scan.marks import row_mark
from cortex_git.scan.reading.host_gate import HostGate
from cortex_git.scan.records import NotScanned, RepositoryScan
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.scan.secrets_in_files import mark as secrets_mark
from cortex_git.scan.sources import Source
from cortex_git.services import resuming
from cortex_git.services.resuming import Tell, untold
from cortex_git.services.scan_request import (
    Database,
    ScanRequest,
    choose_database,
    options_for,
    refuse_contradictions,
)
from cortex_git.services.unchanged import done_before, unchanged
from cortex_git.state import monotonic, now
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import new_batch, new_id

if TYPE_CHECKING:
    from cortex_git.services.batches import Ended
    from cortex_git.workers.attempts import Watcher

STARTER_GAP = NotScanned(
    "advisories",
    "only the starter set of well-known ones was used; run `cortex-git advisories update`",
    STARTER_SET,
)


def prepare_batch(coordination: Coordination, request: ScanRequest, tell: Tell = untold) -> Batch:
    """The batch to run: the one to resume, or a new one with a task for each repository.

    `tell` gets what a person should know at once.
    Raises BadInput where there is nothing to scan or nothing to resume.
    """
    refuse_contradictions(request)
    if request.resume is not None:
        coordination.flush()
        found = resuming.batch_to_resume(coordination, request)
        if found is not None:
            return found
        tell(resuming.begun_anew(request.resume))
    name = request.resume or request.batch or new_id("scan")
    began = monotonic()
    kept = kept_rows(coordination, request)
    left = len(request.sources) - len(kept)
    # Where nothing is to be scanned there is nothing new to summarise, either.
    batch = new_batch(name, left, coordination.repository.host, merge=left > 0)
    options = {"kind": "scan", "sample": request.sample, **({KEY: written(kept)} if kept else {})}
    options |= resuming.begun_with(request.scanners, request.secrets)
    if request.not_looked_into:
        options[scan_gaps.KEY] = scan_gaps.written(request.not_looked_into)
    batch = batch.model_copy(update={"options": options})
    width = len(str(len(request.sources)))
    there = {reference.number for reference in kept}
    tasks = [
        _task(batch, f"{batch.batch}-{number:0{width}d}", source, request)
        for number, source in enumerate(request.sources, 1)
        if number not in there
    ]
    coordination.add_batch(batch, tasks, not_before=began)
    return batch


def kept_rows(coordination: Coordination, request: ScanRequest) -> list[Reference]:
    """The rows that a batch of these repositories takes over from earlier ones.

    Raises BadInput where `changed_since` is neither a scan batch nor a moment.
    """
    if request.since is None:
        return []
    coordination.pull()
    found = done_before(
        coordination, request.sources, request.since, sample=request.sample, secrets=request.secrets
    )
    if not found:  # a first scan has nothing to open or to ask
        return []
    secrets = secrets_mark() if request.secrets else ""
    return unchanged(
        coordination,
        request.sources,
        found,
        mark=row_mark(choose_database(request.sample).identity, secrets=secrets),
        credentials=request.credentials,
        gate=HostGate(cache_folder(), request.per_host),
        cache=ScanCache(cache_folder()),
    )


def _task(batch: Batch, name: str, source: Source, request: ScanRequest) -> Task:
    """The task says what it is looked at for: a pool or another host's workers may run it."""
    context: dict[str, Any] = {**source.context, **resuming.begun_with(request.scanners, request.secrets)}
    title = f"Scan {source.repo}"[:500]
    return Task(
        task=name, batch=batch.batch, title=title, repo=source.repo, context=context, created_at=now()
    )


def run_scan(
    coordination: Coordination, batch: Batch, request: ScanRequest, watcher: "Watcher"
) -> "tuple[ScanReport, Ended | None]":
    """Run the batch's open tasks and report on all of its results; how that ended, where there were any."""
    started = time.monotonic()
    sample = bool(batch.options.get("sample"))
    database = choose_database(sample)
    request = replace(request, secrets=request.secrets or resuming.looks_for_secrets(batch))
    ended = _run(coordination, batch, request, watcher, database)
    known = scan_gaps.KEY in batch.options
    coverage = [*(scan_gaps.gaps_of(batch) if known else request.not_looked_into)]
    if request.resume is not None:
        coverage += resuming.not_in(coordination, batch, request.sources)
    if database.starter and not sample:
        coverage.append(STARTER_GAP)
    missing = coordination.open_count(Scope(batch=batch.batch, merges=False))
    if missing:
        coverage.append(
            NotScanned(f"{missing} repositories", f"not done yet; --resume {batch.batch}", NOT_DONE)
        )
    rows: list[RepositoryScan] = rows_of(
        coordination,
        batch,
        coordination.each_result(Scope(batch=batch.batch, merges=False)),
        keep_in=ScanCache(cache_folder()),
    )
    timing = _timing(ended, request, time.monotonic() - started)
    report = ScanReport(
        batch.batch,
        tuple(rows),
        timing,
        database.line,
        tuple(coverage),
        sample,
        notes=(*database.notes, *request.notes),
    )
    return report, ended


def _run(
    coordination: Coordination, batch: Batch, request: ScanRequest, watcher: "Watcher", database: Database
) -> "Ended | None":
    """Run what is open of the batch; where nothing is, no worker is started for it.

    None for a batch that took over all of its rows: it is published, and left for another one's end to fold.
    """
    if not batch.tasks:
        return None
    # Loaded only here: a third of the imports of a command that has nothing to run.
    from cortex_git.services.batches import open_pool, run_tasks, settle

    scope = Scope(batch=batch.batch)
    if not coordination.open_count(scope):
        return settle(coordination)
    todo = coordination.open_count(Scope(batch=batch.batch, merges=False))
    size = 1 if request.mode == "sequential" else max(1, min(request.workers, todo))
    with open_pool(coordination, ["scan"], size, "scan-worker") as pool:
        return run_tasks(
            coordination,
            pool,
            scope,
            watcher,
            options=options_for(database, request),
            outputs=False,
            merger=lambda claim: merge_scan(coordination, claim, database.line),
        )


def _timing(ended: "Ended | None", request: ScanRequest, took_s: float) -> BatchTiming:
    if ended is None:
        return BatchTiming(took_s, 0.0, 0.0, 0.0, 1, request.mode)
    own = [r for r in ended.report.results.values() if r.type == "scan-worker"]
    scanning = sum(result.duration_s for result in own)
    used = max(ended.report.workers_used, 1)
    wall = ended.report.scan_wall_s
    count = max(len(own), 1)
    return BatchTiming(
        real_time_s=ended.report.real_s,
        spawn_overhead_s_avg=sum(result.spawn_s for result in own) / count,
        scan_time_s_avg=scanning / count,
        parallel_efficiency=min(1.0, scanning / (used * wall)) if wall > 0 else 0.0,
        workers=used,
        mode=request.mode,
    )
