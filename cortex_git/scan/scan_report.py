"""A whole scan as its reports show it: the rows, what was set aside of them, and how long it took.

Owns the sums over rows, so that every format counts alike.
"""

from dataclasses import dataclass, field
from typing import Literal

from cortex_git.scan.records import SEVERITIES, NotScanned, RepositoryScan, Severity
from cortex_git.scan.secrets_looked import SecretsLooked, together
from cortex_git.scan.set_aside import AcceptedGap, Baseline, Suppressed, SuppressedSecret


@dataclass(frozen=True, slots=True)
class BatchTiming:
    """How long a batch took, in seconds, by the definitions of docs/figures.md."""

    real_time_s: float
    spawn_overhead_s_avg: float
    scan_time_s_avg: float
    parallel_efficiency: float
    """Sum of scan seconds over (workers used x wall seconds of the scan phase), 0.0 to 1.0."""
    workers: int
    mode: Literal["parallel", "sequential"]


@dataclass(frozen=True, slots=True)
class ScanReport:
    """A whole batch: what every report format renders."""

    batch: str
    repositories: tuple[RepositoryScan, ...]
    timing: BatchTiming
    database: str
    """One line: which database, how old, what it covers."""
    coverage: tuple[NotScanned, ...] = field(default=())
    """What the whole batch could not cover, such as a missing database."""
    sample: bool = False
    """True when the repositories are the generated sample, which every format then says."""
    suppressed: tuple[Suppressed, ...] = ()
    """Findings that an ignore file or a VEX document takes out of the rows, each with its reason."""
    baseline: Baseline | None = None
    """What the report was compared with: the rows then have the new findings only."""
    notes: tuple[str, ...] = ()
    """On the statements given: what in them expired or applied to nothing."""
    epss_date: str | None = None
    """The day of the EPSS scores used (YYYY-MM-DD), None where none were imported."""
    kev_date: str | None = None
    """The day of the list of exploited vulnerabilities used, None where none was imported."""
    grouped: bool = False
    """Whether the formats for people group the findings by advisory; JSON always has both."""
    suppressed_secrets: tuple[SuppressedSecret, ...] = ()
    """Secrets that an ignore file takes out of the rows, each with its reason."""
    accepted: tuple[AcceptedGap, ...] = ()
    """Gaps that an ignore file takes out of the rows and the coverage, each with its reason."""

    @property
    def severity(self) -> dict[Severity, int]:
        """Findings by severity over all repositories."""
        counts: dict[Severity, int] = dict.fromkeys(SEVERITIES, 0)
        for row in self.repositories:
            for finding in row.findings:
                counts[finding.severity] += 1
        return counts

    @property
    def secrets_found(self) -> int:
        return sum(len(row.secrets) for row in self.repositories)

    @property
    def secrets_looked(self) -> SecretsLooked | None:
        """In how much of all repositories secrets were looked for; None where they were in none."""
        parts = [row.secrets_looked for row in self.repositories if row.secrets_looked is not None]
        return together(parts) if parts else None

    @property
    def cves_found(self) -> int:
        return sum(len(row.findings) for row in self.repositories)

    @property
    def failed(self) -> int:
        return sum(row.status == "failed" for row in self.repositories)

    @property
    def not_scanned(self) -> int:
        """How many things the report cannot vouch for: failed repositories, unread parts, gaps.

        A row that is `incomplete` without saying why counts as one.
        """
        parts = sum(max(len(row.not_scanned), row.status == "incomplete") for row in self.repositories)
        return self.failed + parts + len(self.coverage)
