"""Reports to render: a plain one, an incomplete one, and the parts to make others of."""

from collections.abc import Callable

import pytest
from report_examples import TIMING

from cortex_git.scan.records import Finding, NotScanned, RepositoryScan
from cortex_git.scan.scan_report import ScanReport


@pytest.fixture
def make_finding() -> Callable[..., Finding]:
    def make(**changes: object) -> Finding:
        values: dict[str, object] = {
            "id": "CVE-2021-23337",
            "aliases": ("GHSA-35jh-r3h4-6jhm",),
            "severity": "high",
            "score": 7.2,
            "ecosystem": "npm",
            "package": "lodash",
            "version": "4.17.20",
            "fixed": "4.17.21",
            "lockfile": "web/package-lock.json",
            "line": 12,
            "summary": "Command injection in lodash",
        }
        return Finding(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_report() -> Callable[..., ScanReport]:
    def make(*rows: RepositoryScan, **changes: object) -> ScanReport:
        values: dict[str, object] = {
            "batch": "scan-1",
            "repositories": rows,
            "timing": TIMING,
            "database": "osv 2026-08-01, 8,158 records",
        }
        return ScanReport(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def full_report(make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]) -> ScanReport:
    """Two repositories with findings, one incomplete, one failed, one ecosystem not covered."""
    low = make_finding(id="GHSA-low0-low0-low0", severity="low", score=None, line=None, fixed=None)
    twin = make_finding(severity="high", score=7.2, other_lockfiles=("b/yarn.lock",))
    worst = make_finding(id="CVE-2021-44228", severity="critical", score=10.0, package="log4j", line=3)
    return make_report(
        RepositoryScan("/srv/first repo", "scanned", "a" * 40, 40, None, 0.5, (low, twin), (), "osv"),
        RepositoryScan("https://h.test/t/second.git", "scanned", "b" * 40, 60, None, 0.25, (worst, twin)),
        RepositoryScan(
            "git@h.test:t/third.git",
            "incomplete",
            "c" * 40,
            not_scanned=(NotScanned("go.mod", "not valid UTF-8"),),
        ),
        RepositoryScan("https://h.test/gone.git", "failed", error="repository not found"),
        coverage=(NotScanned("Hex", "no advisories for this ecosystem"),),
    )
