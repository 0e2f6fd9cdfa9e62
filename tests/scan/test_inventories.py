"""A bill of materials beside lockfiles: nothing counts twice, and what only it names is found as well."""

import json
from pathlib import Path

from cortex_git.scan.advisories.database import AdvisoryDatabase
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source


def bill(*purls: str) -> str:
    components = [{"type": "library", "name": "x", "purl": purl} for purl in purls]
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components})


def scan(path: Path, database: AdvisoryDatabase) -> RepositoryScan:
    return scan_repository(Source(path.name, str(path)), database=database)


def test_a_vulnerability_in_a_bill_and_a_lockfile_counts_once_at_the_lockfile(make_repository, database):
    files = {
        "bom.json": bill("pkg:pypi/jinja2@2.10"),
        "a/requirements.txt": "Jinja2==2.10 --hash=sha256:0\n",
        "app.spdx": "SPDXVersion: SPDX-2.3\nPackageName: x\n"
        "ExternalRef: PACKAGE-MANAGER purl pkg:pypi/Jinja2@2.10\n",
    }
    row = scan(make_repository(files), database)
    assert (row.status, row.packages) == ("scanned", 1)
    [finding] = row.findings
    assert (finding.lockfile, finding.line) == ("a/requirements.txt", 1)
    assert finding.other_lockfiles == ("app.spdx", "bom.json")


def test_what_only_a_bill_names_is_found(make_repository, database):
    repo = make_repository({"bom.json": bill("pkg:pypi/jinja2@2.10"), "requirements.txt": "jinja2==3.1.4\n"})
    row = scan(repo, database)
    [finding] = row.findings
    assert (finding.lockfile, finding.version, row.packages) == ("bom.json", "2.10", 2)


def test_packages_without_advisories_make_the_row_incomplete_and_count_once(make_repository, database):
    pods = "PODS:\n  - A (1.0)\nPODFILE CHECKSUM: a\nCOCOAPODS: 1.11.2\n"
    files = {"Podfile.lock": pods, "bom.json": bill("pkg:cocoapods/A@1.0", "pkg:deb/debian/curl@8")}
    row = scan(make_repository(files), database)
    assert (row.status, row.packages) == ("incomplete", 2)
    assert [(gap.what, gap.reason) for gap in row.not_scanned] == [
        ("1 package of CocoaPods", "the database has no advisories for it"),
        ("1 package of Debian", "the database has no advisories for it"),
    ]


def test_a_damaged_bill_is_not_scanned(make_repository, database):
    row = scan(
        make_repository({"bom.json": bill()[:-9], "requirements.txt": "a==1 --hash=sha256:0\n"}), database
    )
    assert (row.status, [gap.what for gap in row.not_scanned]) == ("incomplete", ["bom.json"])
