"""One repository's packages against a database: what is found, once, and what can't be vouched for."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reference_matcher import ReferenceMatcher, normalise

from cortex_git.scan import matching
from cortex_git.scan.advisories.database import AdvisoryDatabase
from cortex_git.scan.advisories.update import update
from cortex_git.scan.matching import match
from cortex_git.scan.records import Package

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared/osv"
HIGH = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]

MakeDatabase = Callable[..., AdvisoryDatabase]


def advisory(
    id_: str, name: str, *events: dict[str, str], ecosystem: str = "PyPI", **more: Any
) -> dict[str, Any]:
    package = {"ecosystem": ecosystem, "name": name}
    ranges = [{"type": more.pop("kind", "ECOSYSTEM"), "events": list(events)}] if events else []
    affected = {"package": package, "ranges": ranges, "versions": more.pop("versions", [])}
    return {"id": id_, "modified": "2024-01-01T00:00:00Z", "affected": [affected], **more}


def below(version: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"introduced": "0"}, {"fixed": version}


def pinned(
    name: str, version: str, lockfile: str = "a.lock", ecosystem: str = "PyPI", line: int = 1
) -> Package:
    return Package(ecosystem, name, version, lockfile, line)


def test_a_finding_says_all_that_the_report_needs(make_database: MakeDatabase) -> None:
    record = advisory(
        "PYSEC-1",
        "Some_Package",
        *below("1.5"),
        aliases=["GHSA-x", "CVE-2020-1"],
        summary="It breaks",
        severity=HIGH,
    )
    result = match(make_database(record), [pinned("some.package", "1.0", line=7)])
    (finding,) = result.findings
    assert (finding.id, finding.aliases) == ("CVE-2020-1", ("GHSA-x", "PYSEC-1"))
    assert (finding.severity, finding.score, finding.fixed) == ("high", 7.5, "1.5")
    assert (finding.package, finding.version) == ("some.package", "1.0")
    assert (finding.lockfile, finding.line, finding.summary) == ("a.lock", 7, "It breaks")
    assert result.not_scanned == ()


def test_one_vulnerability_under_several_ids_counts_once_with_the_severity_of_its_twin(
    make_database: MakeDatabase,
) -> None:
    database = make_database(
        advisory("PYSEC-1", "p", *below("1.5"), aliases=["CVE-1-1"]),
        advisory("GHSA-x", "p", *below("1.6"), aliases=["CVE-1-1", "CVE-1-2"], severity=HIGH),
        advisory("GHSA-y", "other", *below("9"), aliases=["CVE-1-2"]),
    )
    (finding,) = match(database, [pinned("p", "1.0")]).findings
    assert finding.severity == "high"
    assert finding.fixed == "1.6", "1.5 is still vulnerable by the other record"
    assert finding.aliases == ("CVE-1-2", "GHSA-x", "GHSA-y", "PYSEC-1")


def test_a_record_outside_every_ecosystem_lends_its_severity(make_database: MakeDatabase) -> None:
    cve = {"id": "CVE-2020-1", "modified": "2024-01-01T00:00:00Z", "severity": HIGH, "affected": []}
    database = make_database(
        advisory("GO-1", "m", *below("1.5"), ecosystem="Go", aliases=["CVE-2020-1"]), cve
    )
    (finding,) = match(database, [pinned("m", "1.0.0", ecosystem="Go")]).findings
    assert (finding.id, finding.severity) == ("CVE-2020-1", "high")
    assert database.content["Go"][0] == 1 and database.ecosystems() == {"Go"}


def test_a_single_upstream_joins_but_a_bundle_of_several_does_not(make_database: MakeDatabase) -> None:
    database = make_database(
        advisory("CVE-2020-1", "p", *below("2")),
        advisory("CVE-2020-2", "p", *below("2")),
        advisory("X-1", "p", *below("2"), upstream=["CVE-2020-1"]),
        advisory("X-2", "p", *below("2"), upstream=["CVE-2020-1", "CVE-2020-2"]),
    )
    found = {finding.id: finding.aliases for finding in match(database, [pinned("p", "1")]).findings}
    assert found == {"CVE-2020-1": ("X-1",), "CVE-2020-2": (), "X-2": ()}


def test_a_package_in_two_lockfiles_counts_once(make_database: MakeDatabase) -> None:
    database = make_database(advisory("A-1", "p", *below("2")))
    packages = [pinned("p", "1.1", "b.lock"), pinned("p", "1.0", "a.lock"), pinned("P", "3", "c.lock")]
    packages += [pinned("p", "1.2", "b.lock", line=9)]
    (finding,) = match(database, packages).findings
    assert (finding.lockfile, finding.version, finding.other_lockfiles) == ("a.lock", "1.0", ("b.lock",))
    assert match(database, list(reversed(packages))).findings == (finding,)


def test_withdrawn_records_are_ignored(make_database: MakeDatabase) -> None:
    withdrawn = advisory("A-1", "p", *below("2"), withdrawn="2024-01-01T00:00:00Z", severity=HIGH)
    database = make_database(withdrawn, advisory("A-2", "p", *below("2"), aliases=["A-1"]))
    (finding,) = match(database, [pinned("p", "1")]).findings
    assert (finding.id, finding.severity) == ("A-1", "unknown")
    assert make_database(withdrawn).ecosystems() == frozenset()


def test_the_fix_is_the_smallest_above_the_version_in_its_own_range(make_database: MakeDatabase) -> None:
    record = advisory("A-1", "p", *below("1.5"), {"introduced": "2.0"}, {"fixed": "2.3"}, versions=["1.7"])
    database = make_database(record, advisory("A-2", "q", {"introduced": "1"}, {"last_affected": "4"}))
    packages = [pinned("p", "1.0"), pinned("q", "4")]
    assert {f.package: f.fixed for f in match(database, packages).findings} == {"p": "1.5", "q": None}
    assert match(database, [pinned("p", "2.1")]).findings[0].fixed == "2.3"
    assert match(database, [pinned("p", "1.7")]).findings[0].fixed == "2.3", "listed, in no range"
    assert match(database, [pinned("p", "1.8")]).findings == ()


def test_a_listed_version_matches_in_another_spelling(make_database: MakeDatabase) -> None:
    database = make_database(advisory("A-1", "p", versions=["1.0", "2004d"]))
    assert match(database, [pinned("p", "1.0.0")]).findings
    assert match(database, [pinned("p", "2004d")]).findings
    assert match(database, [pinned("p", "1.0+cu118")]).findings


def test_an_ecosystem_without_advisories_is_not_scanned(make_database: MakeDatabase) -> None:
    database = make_database(advisory("A-1", "p", *below("2")))
    packages = [
        pinned("x", "1", ecosystem="npm"),
        pinned("y", "1", ecosystem="npm"),
        pinned("z", "1", ecosystem="Go"),
    ]
    said = [(item.what, item.reason) for item in match(database, packages).not_scanned]
    reason = "the database has no advisories for it"
    assert said == [("1 package of Go", reason), ("2 packages of npm", reason)]


def test_a_version_without_order_is_not_called_safe(make_database: MakeDatabase) -> None:
    database = make_database(
        advisory("A-1", "p", *below("2")),
        advisory("A-2", "p", *below("3")),
        advisory("A-3", "p", {"introduced": "0"}),
    )
    result = match(database, [pinned("p", "main"), pinned("free", "main")])
    assert [finding.id for finding in result.findings] == ["A-3"], "it covers every version"
    (gap,) = result.not_scanned
    assert gap.what == "PyPI p main (a.lock)"
    assert gap.reason == "its version cannot be ordered, so 2 advisories were not checked"


def test_an_advisory_of_git_commits_is_not_scanned_unless_a_twin_tells(make_database: MakeDatabase) -> None:
    git_only = advisory("A-1", "p", {"introduced": "0"}, kind="GIT", aliases=["CVE-1-1"])
    result = match(make_database(git_only), [pinned("p", "1")])
    assert [item.reason for item in result.not_scanned] == ["advisory A-1 gives only git commits"]
    assert result.findings == ()
    twin = advisory("A-2", "p", *below("2"), aliases=["CVE-1-1"])
    database = make_database(git_only, twin)
    assert len(match(database, [pinned("p", "1")]).findings) == 1
    assert match(database, [pinned("p", "1")]).not_scanned == ()
    assert match(database, [pinned("p", "2")]).not_scanned == ()


def test_go_modules_and_the_standard_library(make_database: MakeDatabase) -> None:
    fixed = {"fixed": "0.0.0-20200220183623-bac4c82f6975"}
    database = make_database(
        advisory("GO-1", "golang.org/x/crypto", {"introduced": "0"}, fixed, ecosystem="Go", kind="SEMVER"),
        advisory(
            "GO-2", "stdlib", {"introduced": "1.21.0-0"}, {"fixed": "1.21.3"}, ecosystem="Go", kind="SEMVER"
        ),
    )

    def found(name: str, version: str) -> bool:
        return bool(match(database, [pinned(name, version, ecosystem="Go")]).findings)

    assert found("golang.org/x/crypto", "v0.0.0-20190308221718-c2843e01d9a2")
    assert not found("golang.org/x/crypto", "0.0.0-20200220183623-bac4c82f6975")
    assert not found("golang.org/x/crypto", "0.17.0")
    assert found("stdlib", "1.21") and found("stdlib", "go1.21rc2") and not found("stdlib", "1.21.3")


def test_findings_come_most_severe_first(make_database: MakeDatabase) -> None:
    worse = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"}]
    database = make_database(
        advisory("A-1", "p", *below("2")),
        advisory("A-2", "p", *below("2"), severity=HIGH),
        advisory("A-3", "p", *below("2"), severity=worse),
    )
    assert [f.id for f in match(database, [pinned("p", "1")]).findings] == ["A-3", "A-2", "A-1"]


def test_importing_the_matcher_loads_nothing_heavy() -> None:
    code = "import sys, cortex_git.scan.matching; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"packaging", "cvss", "httpx", "univers", "pydantic"} & set(done.stdout.split())


def test_twenty_repositories_match_exactly_as_the_reference_does(tmp_path: Path) -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared OSV dumps are not beside the checkout")
    update(tmp_path, SHARED, None, lambda *_: None)
    reference = ReferenceMatcher(SHARED, ("PyPI", "crates.io", "Go"))
    repositories = _random_repositories(reference, random.Random(20240607))
    by_name: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in reference.records:
        for key in {
            (a["package"]["ecosystem"], normalise(a["package"]["ecosystem"], a["package"]["name"]))
            for a in record["affected"]
        }:
            by_name.setdefault(key, []).append(record)
    with AdvisoryDatabase.open(tmp_path / "advisories" / "osv.sqlite") as database:
        begun = time.process_time()
        results = [match(database, packages) for packages in repositories]
        spent_s = time.process_time() - begun
        total, reference_s = 0, 0.0
        for packages, result in zip(repositories, results, strict=True):
            expected = set()
            for package in packages:
                name = normalise(package.ecosystem, package.name)
                # The records that name the package are all that its loop could find anything in.
                reference.records = by_name.get((package.ecosystem, name), [])
                begun = time.process_time()
                expected |= reference.find(package.ecosystem, package.name, package.version)
                reference_s += time.process_time() - begun
            found = [
                (f.ecosystem, normalise(f.ecosystem, f.package), frozenset({f.id, *f.aliases}))
                for f in result.findings
            ]
            assert len(found) == len(set(found))
            assert set(found) == expected
            total += len(found)
    assert total > 1000
    print(f"10,000 packages: {spent_s:.2f} s, by the reference {reference_s:.2f} s")
    assert spent_s < 3 * reference_s


def _random_repositories(reference: ReferenceMatcher, source: random.Random) -> list[list[Package]]:
    """20 × 500 packages: names that advisories use, at versions they mention or near them, and misses."""
    versions: dict[tuple[str, str], set[str]] = {}
    for record in reference.records:
        for affected in record["affected"]:
            known = versions.setdefault(
                (affected["package"]["ecosystem"], affected["package"]["name"]), {"1.0.0"}
            )
            known.update(affected.get("versions", [])[:40])
            for item in affected.get("ranges", []):
                if item["type"] != "GIT":
                    known.update(v for event in item["events"] for v in event.values() if v != "0")
    names = sorted(versions)
    repositories = []
    for _ in range(20):
        packages = []
        for number in range(500):
            ecosystem, name = source.choice(names)
            version = source.choice(sorted(versions[ecosystem, name]))
            if source.random() < 0.25:
                version = f"{source.randrange(4)}.{source.randrange(30)}.{source.randrange(20)}"
            if source.random() < 0.25:
                name = f"{name}-not-there"
            packages.append(Package(ecosystem, name, version, f"{number % 4}.lock", number))
        repositories.append(packages)
    return repositories


def test_what_several_repositories_pin_is_matched_once_a_database(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = matching._check

    def check(ecosystem: str, version: str, *rest: Any) -> Any:
        asked.append(version)
        return real(ecosystem, version, *rest)

    monkeypatch.setattr(matching, "_check", check)
    one, other = (make_database(advisory("A-1", "x", *below(fixed))) for fixed in ("2", "1"))
    lockfile = [pinned("x", "1.5"), pinned("x", "2.5")]
    found = [
        match(database, packages).findings
        for database in (one, other)
        for packages in (lockfile, lockfile[:1])
    ]
    # The fix of what was found is looked at too, whether it is one.
    assert asked == ["1.5", "2.5", "2", "1.5", "2.5"]
    assert [[finding.version for finding in findings] for findings in found] == [["1.5"], ["1.5"], [], []]
