"""Findings and reports to say something about."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.scan_report import BatchTiming, ScanReport

LODASH = Finding(
    "CVE-2021-23337", ("GHSA-35jh-r3h4-6jhm",), "high", 7.2, "npm", "lodash", "4.17.20", "4.17.21",
    "web/package-lock.json", 12,
)  # fmt: skip


@pytest.fixture
def lodash() -> Callable[..., Finding]:
    def make(**changes: object) -> Finding:
        return replace(LODASH, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def report_of() -> Callable[..., ScanReport]:
    def make(*findings: Finding, repo: str = "https://github.com/acme/shop.git") -> ScanReport:
        row = RepositoryScan(repo, "scanned", packages=3, findings=findings)
        return ScanReport("b", (row,), BatchTiming(1, 0, 0, 1, 1, "parallel"), "osv")

    return make
