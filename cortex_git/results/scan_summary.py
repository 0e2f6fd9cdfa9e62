"""A scan batch's last task: all its results made into one report, published beside them.

Owns the translation from result documents to the rows of a report.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from cortex_git.models import Batch, Result
from cortex_git.results.rows import row_of
from cortex_git.results.scan_gaps import gaps_of
from cortex_git.results.taken_over import keep_rows, place_of, taken_over
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.state import now
from cortex_git.store import index, layout, newer
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import listed, local_path

SUMMARIES = {"summary.json": "json", "summary.md": "markdown", "results.sarif": "sarif"}
"""The files that a batch's last task publishes, with the format of each."""
MOST_FINDINGS = 10_000
"""Of a batch whose findings are published in all of these: 7 MiB of JSON, which stay in the history for ever.

Beyond, each takes some 12 KB of memory on its way to the remote: only `LARGE` are published.
"""
LARGE = ("summary.md",)
_NEWER = "this task needs a newer cortex-git"
_UNREADABLE = "its result cannot be read here: it is damaged, or a newer cortex-git wrote it"


def rows_of(
    coordination: Coordination, batch: Batch, results: Iterable[Result], keep_in: ScanCache | None = None
) -> list[RepositoryScan]:
    """One row for each result and each row taken over, in the order of the batch's repositories.

    A task that failed is a failed row. So is one whose document or result cannot be read here: what it found
    must not be taken for nothing.
    """
    tasks = listed(coordination.repository, Scope(batch=batch.batch, merges=False))
    repos = {task.task: task.repo or task.title for task in tasks}
    folders = {task.task: local_path(task) for task in tasks}
    known = {result.task: row_of(result, repos[result.task]) for result in results if result.task in repos}
    if keep_in is not None:
        keep_rows(coordination.repository, batch.batch, known, keep_in)
    rows: list[tuple[int, str, RepositoryScan]] = []
    for name, repo in repos.items():
        row = known.get(name)
        if row is None and coordination.is_finished(name):
            row = RepositoryScan(repo, "failed", error=_UNREADABLE)
        if row is not None:
            rows.append((place_of(name), name, replace(row, folder=folders[name])))
    rows += [(place, "", row) for place, row in taken_over(coordination.repository, batch)]
    rows.sort(key=lambda row: row[:2])
    unread = newer.all_of(coordination.repository, Scope(batch=batch.batch))
    failed = [RepositoryScan(one.path, "failed", error=_NEWER) for one in unread if one.kind == "tasks"]
    return [*(row for _, _, row in rows), *failed]


def merge_scan(coordination: Coordination, claim: Claim, database: str) -> tuple[Result, dict[str, bytes]]:
    """Carry out `<batch>.merge`: its result, and the summary files to publish with it."""
    started = now()
    batch = index.batch_of(coordination.repository, claim.task.batch)
    results: list[Result] = []
    each = coordination.each_result(Scope(batch=batch.batch, merges=False))
    rows = rows_of(coordination, batch, _without_outputs(each, results))
    sample = bool(batch.options.get("sample"))
    report = ScanReport(batch.batch, tuple(rows), _timing(results), database, gaps_of(batch), sample)
    names = SUMMARIES if report.cves_found <= MOST_FINDINGS else LARGE
    files = {
        layout.summary_path(batch.batch, name): RENDERERS[SUMMARIES[name]](report).encode("utf-8", "replace")
        for name in names
    }
    output = {
        "repositories": len(rows),
        "failed": report.failed,
        "cves_found": report.cves_found,
        "severity": dict(report.severity),
        "sources": sorted(result.task for result in results),
        "left_out": [name for name in SUMMARIES if name not in names],
    }
    result = claim.ended("completed").model_copy(update={"started_at": started, "output": output})
    return result, files


def _without_outputs(results: Iterable[Result], kept: list[Result]) -> Iterator[Result]:
    """The results one by one, and into `kept` what is small of each: rows and documents at once are large."""
    for result in results:
        kept.append(result.model_copy(update={"output": {}}))
        yield result


def _timing(results: Sequence[Result]) -> BatchTiming:
    """What the results themselves tell: from the first start to the last end, by the hosts' clocks."""
    scanning = sum(result.duration_s for result in results)
    workers = len({(result.host, result.worker) for result in results})
    stamps = [s for r in results for s in (r.started_at, r.completed_at) if s]
    times = [datetime.fromisoformat(stamp.replace("Z", "+00:00")) for stamp in stamps]
    span = (max(times) - min(times)).total_seconds() if times else 0.0
    count = max(len(results), 1)
    return BatchTiming(
        real_time_s=span,
        spawn_overhead_s_avg=sum(result.spawn_s for result in results) / count,
        scan_time_s_avg=scanning / count,
        parallel_efficiency=min(1.0, scanning / (workers * span)) if workers and span > 0 else 0.0,
        workers=max(workers, 1),
        mode="sequential" if workers == 1 else "parallel",
    )
