"""What a person says about findings, put together: ignore files, VEX documents, a baseline.

Everything is read before the scan starts, so that a mistake in it costs no scan. Nothing is looked for: a
file that lies in a scanned repository says nothing unless it is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cortex_git.config import data_folder
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.scan.baselines import against, read_baseline
from cortex_git.scan.exploitation.rating import rate
from cortex_git.scan.gap_kinds import EXPLOITED_LISTS
from cortex_git.scan.others.outvoted import without_outvoted
from cortex_git.scan.records import NotScanned, RepositoryScan
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.sources import Source
from cortex_git.scan.suppressing.applying import Judgement, suppress
from cortex_git.scan.suppressing.applying_gaps import accept_gaps
from cortex_git.scan.suppressing.applying_secrets import suppress_secrets
from cortex_git.scan.suppressing.gap_entries import GapEntry
from cortex_git.scan.suppressing.ignore_file import read_whole
from cortex_git.scan.suppressing.secret_entries import SecretEntry
from cortex_git.scan.suppressing.statements import Statement
from cortex_git.scan.suppressing.vex import read_vex
from cortex_git.services.clocks import today
from cortex_git.services.last_scans import last_scans
from cortex_git.services.scan_history import no_batch, scan_batch, scan_rows
from cortex_git.store.coordination import Coordination

LAST = "last"
"""`--baseline last`: of each repository the newest scan batch that is finished."""
_NAMED = 3
"""Batches, and repositories without one, that are named."""
KEV_GAP = NotScanned(
    "known exploited vulnerabilities",
    "no list of them was imported; run `cortex-git advisories import-kev`",
    EXPLOITED_LISTS,
)


@dataclass(frozen=True, slots=True)
class ActingRequest:
    """The files and the batch that a command names."""

    ignore_files: Sequence[Path] = ()
    vex: Sequence[Path] = ()
    baseline: str | None = None
    """A JSON report, or a batch where there is no such file."""
    needs_kev: bool = False
    """The exit status depends on the KEV list, so without one the scan is not complete."""


@dataclass(frozen=True, slots=True)
class Said:
    """What those files say, read and checked."""

    ignored: tuple[Statement, ...] = ()
    vex: tuple[Statement, ...] = ()
    notes: tuple[str, ...] = ()
    baseline: str | None = None
    batches: tuple[str, ...] = ()
    """The batches that the baseline is, where it is no file."""
    earlier: tuple[RepositoryScan, ...] = ()
    needs_kev: bool = False
    secrets: tuple[SecretEntry, ...] = ()
    """What the ignore files say of secrets."""
    gaps: tuple[GapEntry, ...] = ()
    """What the ignore files say of what is not scanned."""


def read_said(request: ActingRequest) -> Said:
    """Read every file named. Raises BadInput for one that cannot be used, and for a baseline that is none.

    A batch as baseline is read later, by `with_batch`: it needs the coordination repository.
    """
    files = [read_whole(path) for path in request.ignore_files]
    documents = [read_vex(path) for path in request.vex]
    earlier: tuple[RepositoryScan, ...] = ()
    if request.baseline is not None and is_file(request.baseline):
        earlier = read_baseline(Path(request.baseline))
    return Said(
        ignored=tuple(one for file in files for one in file.findings),
        vex=tuple(one for document in documents for one in document.statements),
        notes=tuple(note for document in documents for note in document.notes),
        baseline=request.baseline,
        earlier=earlier,
        needs_kev=request.needs_kev,
        secrets=tuple(one for file in files for one in file.secrets),
        gaps=tuple(one for file in files for one in file.gaps),
    )


def is_file(baseline: str) -> bool:
    """Whether a baseline names a file: one that is there, or what can be no batch."""
    return baseline != LAST and ("/" in baseline or "." in baseline or Path(baseline).exists())


def with_batch(
    said: Said,
    coordination: Coordination | None,
    running: str | None = None,
    *,
    sources: Sequence[Source],
    sample: bool = False,
    secrets: bool = False,
) -> Said:
    """The same with the baseline's batch read, where it is one.

    `last` is for each of the repositories `sources` the newest one that is finished and has it. `running` is
    the batch that goes on: nothing newer is its last one, or all of it would be known.
    Raises BadInput where there is none.
    """
    if said.baseline is None or is_file(said.baseline):
        return said
    if said.baseline == LAST:
        none = (*said.notes, "no scan batch of these repositories is finished yet: everything is new")
        if coordination is None:
            return replace(said, notes=none)
        found = last_scans(coordination, running, sources, sample=sample, secrets=secrets)
        if not found.batches:
            return replace(said, notes=none)
        without = _shortened(found.unknown, "repositories")
        notes = [f"no scan batch of {without} is finished yet: everything there is new"] if without else []
        return replace(
            said,
            baseline=_shortened(found.batches, "batches"),
            batches=found.batches,
            earlier=found.rows,
            notes=(*said.notes, *notes),
        )
    if coordination is None:
        raise no_batch(said.baseline)
    batch = scan_batch(coordination, said.baseline)
    rows = tuple(scan_rows(coordination, batch))
    return replace(said, baseline=batch.batch, batches=(batch.batch,), earlier=rows)


def _shortened(names: Sequence[str], what: str) -> str:
    """The first names, and how many more there are of what."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more {what}" if more > 0 else "")


def refuse_own(said: Said, batch: str) -> None:
    """Raises BadInput where the batch that is to run is its own baseline: nothing would ever be new."""
    if said.baseline == batch and not is_file(batch):
        raise BadInput(f"batch {batch!r} cannot be its own baseline", "name an earlier one")


def act(report: ScanReport, said: Said, *, by_vote: bool = False) -> ScanReport:
    """The report with EPSS and KEV, and with what is suppressed, outvoted, known or accepted set aside."""
    try:
        report = rate(report, data_folder())
    except EnvironmentProblem as problem:  # the scan is done: its report must not be lost for a list
        report = replace(
            report, coverage=(*report.coverage, NotScanned("EPSS and KEV", str(problem), EXPLOITED_LISTS))
        )
    if by_vote:
        report = without_outvoted(report)
    if said.needs_kev and report.kev_date is None:
        report = replace(report, coverage=(*report.coverage, KEV_GAP))
    if said.ignored or said.vex or said.secrets or said.gaps:
        day, notes = today(report)
        report = suppress(report, said.ignored, said.vex, day)
        report = suppress_secrets(report, said.secrets, day)
        report = replace(report, notes=(*report.notes, *notes))
    if said.notes:
        report = replace(report, notes=(*said.notes, *report.notes))
    if said.baseline is not None:
        report = against(report, said.baseline, said.earlier, said.batches)
    return accept_gaps(report, said.gaps, day) if said.gaps else report


class Judging:
    """Takes what is suppressed today out of the rows of any batch, and counts it."""

    def __init__(self, said: Said) -> None:
        day, notes = today()
        self._judgement = Judgement(said.ignored, said.vex, day)
        self._notes = (*said.notes, *notes)
        self.suppressed = 0

    def __call__(self, rows: Sequence[RepositoryScan]) -> Sequence[RepositoryScan]:
        kept, aside = self._judgement.split(rows)
        self.suppressed += len(aside)
        return kept

    def notes(self) -> list[str]:
        """What is to be said when all rows were seen."""
        return [*self._notes, *self._judgement.notes()]
