"""Gaps that may hide a finding, and gaps that cannot."""

from dataclasses import replace

import pytest

from cortex_git.scan.comparing import compare
from cortex_git.scan.hiding import may_hide
from cortex_git.scan.lockfiles.manifests import NO_LOCKFILE, manifest_without_lock
from cortex_git.scan.records import Finding, NotScanned, RepositoryScan

AT_ROOT = Finding("CVE-1", (), "high", 7.0, "npm", "lodash", "1", "2", "package-lock.json", 3)
IN_WEB = replace(AT_ROOT, lockfile="web/package-lock.json")


@pytest.mark.parametrize(
    ("what", "reason", "hides"),
    [
        ("web/package-lock.json", "not valid JSON", True),
        ("web/yarn.lock", "not valid", True),
        ("web/bom.json", "not valid", True),
        ("web/package.json", NO_LOCKFILE, True),
        ("web/ui/package.json", NO_LOCKFILE, True),
        ("web/package-lock.json: lodash", "no exact version", True),
        ("npm lodash 1.x (web/package-lock.json)", "its version cannot be ordered", True),
        ("npm lodash 1.x (api/package-lock.json)", "its version cannot be ordered", True),
        ("3 packages of npm", "the database has no advisories for it", True),
        ("the repository", "no lockfile found", True),
        ("2 more lockfiles", "the limit is 500", True),
        ("the lockfiles not read by then", "the repository took too long", True),
        ("the files beyond a limit", "the repository has 200,001", True),
        ("1,200 more manifests", NO_LOCKFILE, True),
        ("something new", "that this code does not know", True),
        ("", "", True),
        ("web/go.mod", "not valid", False),
        ("web/pyproject.toml", NO_LOCKFILE, False),
        ("api/package.json", NO_LOCKFILE, False),
        ("webapp/package.json", NO_LOCKFILE, False),
        ("web/ui/yarn.lock", "not valid", False),
        ("web/package-lock.json: left-pad", "no exact version", False),
        ("npm left-pad 1.x (web/package-lock.json)", "its version cannot be ordered", False),
        ("PyPI lodash 1.x (web/poetry.lock)", "its version cannot be ordered", False),
        ("1 package of Hex", "the database has no advisories for it", False),
        ("secrets in 3 files", "they are larger than 1 MiB", False),
        ("7 more secrets", "the first 1,000 are named", False),
    ],
)
def test_gaps(what: str, reason: str, hides: bool) -> None:
    assert may_hide(NotScanned(what, reason), IN_WEB) is hides


def test_a_lockfile_that_was_deleted_fixes_nothing_that_its_manifest_still_asks_for() -> None:
    then = RepositoryScan("r", "scanned", findings=(AT_ROOT,), database="osv 1")
    gaps = tuple(manifest_without_lock(["package.json", "ui/package.json", "README.md"]))
    now = RepositoryScan("r", "incomplete", not_scanned=gaps, database="osv 1")
    assert [one.reason for one in compare([then], [now]).not_compared] == [
        f"not scanned: package.json: {NO_LOCKFILE}"
    ]
    below = replace(now, not_scanned=tuple(manifest_without_lock(["ui/package.json"])))
    assert len(compare([then], [below]).not_compared) == 1


def test_a_package_that_is_gone_with_all_its_files_is_fixed() -> None:
    then = RepositoryScan("r", "scanned", findings=(IN_WEB,), database="osv 1")
    now = RepositoryScan("r", "scanned", database="osv 1")
    assert len(compare([then], [now]).fixed) == 1
