"""The findings grouped by what has to be done: one need for each vulnerability, package and fixed version.

Owns the grouping and its sentence. Names are as a repository or an advisory chose them, not escaped.
"""

from collections import defaultdict
from dataclasses import dataclass

from cortex_git.pages.text import counted
from cortex_git.scan.records import SEVERITIES, Finding, Severity
from cortex_git.scan.scan_report import ScanReport


@dataclass(frozen=True, slots=True)
class Need:
    """Repositories that need the same version of a package, for the same reason."""

    id: str
    aliases: tuple[str, ...]
    severity: Severity
    """The highest that any of the findings has."""
    score: float | None
    ecosystem: str
    package: str
    fixed: str | None
    """None where no fixed version is published."""
    repositories: tuple[str, ...]
    """Sorted, each once."""
    versions: tuple[str, ...]
    """Those found, sorted as text."""
    direct: int
    """In how many of the repositories the package is asked for directly."""
    dev: int
    """In how many it is only for development."""
    kev: str | None = None
    epss: float | None = None
    summary: str = ""

    @property
    def sentence(self) -> str:
        """`12 repositories need lodash >= 4.17.21 (CVE-2021-23337)`."""
        what = self.package if self.fixed is None else f"{self.package} >= {self.fixed}"
        return f"{self.who} {what}{'' if self.fixed else ' with no fixed version'} ({self.id})"

    @property
    def who(self) -> str:
        """`12 repositories need`, or `have` where there is nothing to be had."""
        one = len(self.repositories) == 1
        verb = ("has" if one else "have") if self.fixed is None else ("needs" if one else "need")
        return f"{counted(len(self.repositories), 'repository', 'repositories')} {verb}"


def by_advisory(report: ScanReport) -> list[Need]:
    """The needs of a report: what is exploited, then the most severe, then what most repositories need."""
    groups: dict[tuple[str, str, str, str | None], list[tuple[str, Finding]]] = defaultdict(list)
    for row in report.repositories:
        for one in row.findings:
            groups[one.id, one.ecosystem, one.package, one.fixed].append((row.repo, one))
    needs = [_need(found) for found in groups.values()]
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    needs.sort(
        key=lambda need: (
            need.kev is None,
            rank[need.severity],
            -len(need.repositories),
            need.package,
            need.id,
            need.fixed or "",
        )
    )
    return needs


def _need(found: list[tuple[str, Finding]]) -> Need:
    findings = [one for _, one in found]
    first = min(findings, key=lambda one: (SEVERITIES.index(one.severity), -(one.score or 0.0)))
    versions = {text for one in findings for text in (one.version, *one.other_versions)}
    return Need(
        id=first.id,
        aliases=first.aliases,
        severity=first.severity,
        score=first.score,
        ecosystem=first.ecosystem,
        package=first.package,
        fixed=first.fixed,
        repositories=tuple(sorted({repo for repo, _ in found})),
        versions=tuple(sorted(versions)),
        direct=len({repo for repo, one in found if one.direct}),
        dev=len({repo for repo, one in found if one.dev}),
        kev=first.kev,
        epss=first.epss,
        summary=first.summary,
    )
