"""Advisories for Swift and Haskell packages, shaped as OSV's are, find what lockfiles and bills pin."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_git.scan.advisories.build import DatabaseBuilder, Tally
from cortex_git.scan.advisories.database import AdvisoryDatabase
from cortex_git.scan.advisories.osv import from_record
from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.matching import MatchResult, match

SWIFT = {
    "schema_version": "1.4.0",
    "id": "GHSA-0000-swif-tnio",
    "aliases": ["CVE-2022-0001"],
    "modified": "2023-06-19T17:20:10Z",
    "summary": "Improper handling in an HTTP decoder",
    "affected": [
        {
            "package": {"ecosystem": "SwiftURL", "name": "github.com/apple/swift-nio", "purl": ""},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.29.1"}]}],
        },
        {
            "package": {"ecosystem": "SwiftURL", "name": "github.com/apple/swift-nio"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "2.39.0"}, {"fixed": "2.39.1"}]}],
        },
    ],
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
}
HASKELL = {
    "schema_version": "1.5.0",
    "id": "HSEC-0000-0001",
    "modified": "2023-07-13T12:00:00Z",
    "summary": "Name constraints are not checked",
    "affected": [
        {
            "package": {"ecosystem": "Hackage", "name": "x509-validation"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.4.0"}, {"fixed": "1.4.8"}]}],
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:H/PR:H/UI:R/S:U/C:H/I:H/A:N"}],
        }
    ],
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[AdvisoryDatabase]:
    path = tmp_path / "osv.sqlite"
    with DatabaseBuilder(path, "osv") as builder:
        for record in (SWIFT, HASKELL):
            builder.add(from_record(record), None, Tally())
        builder.finish()
    with AdvisoryDatabase.open(path) as opened:
        yield opened


def found(database: AdvisoryDatabase, path: str, text: str) -> MatchResult:
    content = read_lockfile(path, text.encode(), lambda _: None)
    assert content.not_scanned == ()
    return match(database, content.packages)


def resolved(location: str, version: str) -> str:
    pin = {
        "identity": "x",
        "kind": "remoteSourceControl",
        "location": location,
        "state": {"version": version},
    }
    return json.dumps({"pins": [pin], "version": 3})


@pytest.mark.parametrize(
    "location",
    [
        "https://github.com/apple/swift-nio.git",
        "https://github.com/Apple/Swift-NIO",
        "git@github.com:apple/swift-nio.git",
        "ssh://git@github.com/apple/swift-nio/",
    ],
)
@pytest.mark.parametrize(("version", "fixed"), [("2.29.0", "2.29.1"), ("2.39.0", "2.39.1")])
def test_swift_lockfiles(database: AdvisoryDatabase, location: str, version: str, fixed: str) -> None:
    [finding] = found(database, "Package.resolved", resolved(location, version)).findings
    assert (finding.id, finding.fixed, finding.severity) == ("CVE-2022-0001", fixed, "high")


@pytest.mark.parametrize("version", ["2.29.1", "2.38.0", "2.39.1"])
def test_swift_versions_that_are_not_affected(database: AdvisoryDatabase, version: str) -> None:
    text = resolved("https://github.com/apple/swift-nio.git", version)
    assert found(database, "Package.resolved", text) == MatchResult((), ())


@pytest.mark.parametrize("purl", ["apple/swift-nio", "Apple/swift-nio.git/swift-nio"])
def test_swift_purls(database: AdvisoryDatabase, purl: str) -> None:
    component = {"name": "swift-nio", "purl": f"pkg:swift/github.com/{purl}@2.29.0"}
    text = json.dumps({"bomFormat": "CycloneDX", "components": [component]})
    assert [finding.id for finding in found(database, "bom.json", text).findings] == ["CVE-2022-0001"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("cabal.project.freeze", "constraints: any.x509-validation ==1.4.7.1,\n    any.base ==4.18.0.0\n"),
        (
            "stack.yaml.lock",
            "packages:\n- completed:\n    hackage: x509-validation-1.4.0@sha256:aa,1\nsnapshots: []\n",
        ),
    ],
)
def test_haskell_lockfiles(database: AdvisoryDatabase, path: str, text: str) -> None:
    [finding] = found(database, path, text).findings
    assert (finding.id, finding.fixed, finding.package) == ("HSEC-0000-0001", "1.4.8", "x509-validation")


@pytest.mark.parametrize("version", ["1.3", "1.4", "1.4.8", "1.4.10"])
def test_haskell_versions_that_are_not_affected(database: AdvisoryDatabase, version: str) -> None:
    text = f"constraints: any.x509-validation =={version}\n"
    assert found(database, "cabal.project.freeze", text) == MatchResult((), ())
