"""Around a scan: gathering the repositories, showing progress and the report, choosing the exit code."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cortex_git.cli.events import as_json
from cortex_git.cli.output import STDOUT, note, print_line, write_document, write_file
from cortex_git.cli.scan_acting import forms_of
from cortex_git.config import cache_folder
from cortex_git.errors import BadInput, EnvironmentProblem, ExitCode
from cortex_git.pages.text import counted
from cortex_git.results.rows import row_of
from cortex_git.results.taken_over import references_of
from cortex_git.scan.records import SEVERITIES
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.reports.secrets import looked_line
from cortex_git.scan.reports.summary import seven_lines
from cortex_git.scan.scan_report import ScanReport
from cortex_git.services.scan_sources import Gathered, SourceRequest, gather_sources

if TYPE_CHECKING:
    from cortex_git.cli.scan_progress import ScanProgress
    from cortex_git.models import Batch, Result
    from cortex_git.services.batches import Ended
    from cortex_git.services.unchanged import Since
    from cortex_git.workers.attempts import Watcher
    from cortex_git.workers.events import Event


def gather(request: SourceRequest, *, sample: bool) -> Gathered:
    """Every repository named in any way, without duplicates, and what could not be listed or looked into."""
    if not sample:
        return gather_sources(request, note)
    from cortex_git.scan.sample import make_sample
    from cortex_git.scan.sources.filters import Filters

    if request.repositories or request.repos_file or request.root or request.owners or request.bills:
        raise BadInput("--sample goes with no other repositories", "leave them out, or leave --sample out")
    if request.ref or request.branches or request.tags or request.filters != Filters():
        raise BadInput("--sample goes with no filters and no refs", "leave them out, or leave --sample out")
    return Gathered(make_sample(cache_folder() / "sample"))


def since_of(text: str | None) -> "Since | None":
    """What `--changed-since` says: a moment where it has the form of one, and a batch's name in any case."""
    if text is None:
        return None
    from cortex_git.cli.periods import moment_of
    from cortex_git.services.unchanged import Since

    now = time.time()
    try:
        moment = moment_of(text, "--changed-since", now)
    except BadInput:
        return Since(text)
    if moment > now:
        note(f"--changed-since {text} has not come yet by this host's clock: unless a batch, all is scanned")
    return Since(text, moment)


def said(batch: "Batch") -> str:
    """The line that begins a batch."""
    kept = len(references_of(batch))
    if not batch.tasks:
        amount = counted(kept, "repository", "repositories")
        return f"batch {batch.batch}: {amount}, all unchanged (--rescan scans them again)"
    unchanged = f", {kept:,} more {'is' if kept == 1 else 'are'} unchanged" if kept else ""
    amount = counted(batch.tasks, "repository", "repositories")
    return f"batch {batch.batch}: {amount}{unchanged} (if stopped: --resume {batch.batch})"


class _Watcher:
    """Tells the progress view what the batch does, in the view's words."""

    def __init__(self, progress: "ScanProgress") -> None:
        self._progress = progress
        self._repos: dict[str, str] = {}

    def started(self, task: str, worker: str, repo: str | None) -> None:
        self._repos[task] = repo or task
        self._progress.repository_started(repo or task, worker)

    def finished(self, result: "Result") -> None:
        if result.type == "scan-worker":
            self._progress.repository_finished(row_of(result, self._repos.get(result.task, result.task)))

    def event(self, event: "Event") -> None:
        if event.for_people:
            self.note(event.text)

    def note(self, text: str) -> None:
        self._progress.note(text)


class _Nobody:
    """Watches a batch that has nothing to run."""

    def started(self, _task: str, _worker: str, _repo: str | None) -> None:
        return

    def finished(self, _result: "Result") -> None:
        return

    def event(self, _event: "Event") -> None:
        return

    def note(self, text: str) -> None:
        note(text)


@contextmanager
def watch(total: int) -> "Iterator[Watcher]":
    """The live view on stderr for `total` repositories, or the events where those were chosen."""
    if as_json():
        from cortex_git.cli.json_watcher import JsonWatcher

        with JsonWatcher() as watcher:
            yield watcher
        return
    if not total:
        yield _Nobody()
        return
    from cortex_git.cli.scan_progress import ScanProgress

    with ScanProgress() as progress:
        progress.start(total)
        yield _Watcher(progress)


def show_report(report: ScanReport, form: str | None, outputs: Sequence[Path], *, show_all: bool) -> bool:
    """Print the report, or write it to the files and print the seven lines; whether all could be written.

    Workflow commands are for the log alone: files then get the form that their endings say.
    """
    for text in report.notes:
        note(text)
    annotated = form == "github"
    if annotated:  # which are on the standard output without being asked for it
        outputs = [path for path in outputs if path != STDOUT]
    forms = forms_of(outputs, None if annotated else form)
    if form is not None and outputs and not annotated and form not in (chosen for _, chosen in forms):
        note(f"--format {form} is in none of the files: of several, the ending says the form")
    written = _write(report, forms)
    if outputs and not annotated:
        if looked := looked_line(report):
            note(looked)
        for line in seven_lines(report):
            note(line) if STDOUT in outputs else print_line(line)
    elif form in (None, "table"):
        from rich.console import Console

        from cortex_git.cli.scan_view import render_table

        render_table(report, Console(highlight=False), show_all=show_all)
    else:
        write_document(_text(report, str(form)))
    return written


def _write(report: ScanReport, forms: Sequence[tuple[Path, str]]) -> bool:
    """Whether each could be written: the scan was long, and one full disk must not cost the other reports."""
    written = True
    for path, chosen in forms:
        try:
            write_file(path, _text(report, chosen))
        except EnvironmentProblem as problem:
            note(f"{problem.message}; the results are kept: --resume {report.batch} --output FILE")
            written = False
        else:
            if path != STDOUT:
                note(f"report written to {path}")
    return written


def _text(report: ScanReport, form: str) -> str:
    if form != "table":
        return RENDERERS[form](report)
    from rich.console import Console

    from cortex_git.cli.scan_view import render_table

    with Path("/dev/null").open("w") as nowhere:
        console = Console(file=nowhere, width=160, record=True, highlight=False)
        render_table(report, console, show_all=True)
        return console.export_text(styles=False)


def exit_code(
    report: ScanReport,
    ended: "Ended | None",
    fail_on: str | None,
    *,
    fail_on_kev: bool,
    allow_incomplete: bool,
    written: bool = True,
) -> int:
    """0, 1 for findings at or above `fail_on`, 3 for anything not scanned, published or written, 130.

    A secret counts as critical. With `fail_on_kev` also 1 for any that is known to be exploited. What is
    suppressed or known from a baseline is in none of the rows, and counts for nothing.
    """
    code = _code_of(ended, report.batch) if ended is not None else ExitCode.OK
    if code:
        return code
    if not written:
        return ExitCode.ENVIRONMENT
    if report.not_scanned and not allow_incomplete:
        return ExitCode.ENVIRONMENT
    if fail_on_kev and any(finding.kev for row in report.repositories for finding in row.findings):
        return ExitCode.FINDINGS
    if fail_on is not None and report.secrets_found:
        return ExitCode.FINDINGS
    if fail_on is not None:
        bad = SEVERITIES[: SEVERITIES.index(next(s for s in SEVERITIES if s == fail_on)) + 1]
        if any(report.severity[severity] for severity in bad):
            return ExitCode.FINDINGS
    return ExitCode.OK


def _code_of(ended: "Ended", batch: str) -> int:
    """What the run itself makes of the exit status."""
    for text in ended.notes:
        note(text)
    run = ended.report
    waits = run.problem is not None or bool(run.waiting)
    if waits:
        note(f"{counted(run.waiting, 'result')} not published yet: {run.problem or 'run `cortex-git sync`'}")
    if run.interrupted:
        note(f"interrupted; go on with --resume {batch}")
        return ExitCode.INTERRUPTED
    return ExitCode.ENVIRONMENT if waits else ExitCode.OK
