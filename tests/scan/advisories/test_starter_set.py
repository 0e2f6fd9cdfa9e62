"""The starter advisories: their number, their shape, and that each says something sensible."""

import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cortex_git.errors import EnvironmentProblem
from cortex_git.scan.advisories.database import AdvisoryDatabase, open_starter
from cortex_git.scan.advisories.osv import Advisory, from_record, read
from cortex_git.scan.advisories.starter_set import records
from cortex_git.scan.matching import match
from cortex_git.scan.records import Package
from cortex_git.scan.versions import parse

RECORDS = list(records())
ECOSYSTEMS = {"npm", "PyPI", "Maven", "Go", "crates.io", "RubyGems", "Packagist", "NuGet"}
"""Those with advisories that everybody knows; packages of the others are reported as not scanned."""
SHARED = Path(__file__).parents[3] / "../shared/osv"


def test_there_are_enough_for_every_large_ecosystem() -> None:
    counts = Counter(item.ecosystem for record in RECORDS for item in from_record(record).affected)
    assert len(RECORDS) >= 60
    assert set(counts) == ECOSYSTEMS
    assert min(counts.values()) >= 5


def test_no_vulnerability_is_there_twice() -> None:
    ids = [id_ for record in RECORDS for id_ in (record["id"], *record["aliases"])]
    assert [id_ for id_, count in Counter(ids).items() if count > 1] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["id"])
def test_a_record_is_complete_and_its_ranges_go_forward(record: dict[str, Any]) -> None:
    assert record["id"].split("-")[0] in ("CVE", "GHSA", "GO", "RUSTSEC")
    assert 20 <= len(record["summary"]) <= 120 and not record["summary"].endswith(".")
    assert any(record["id"] in reference["url"] for reference in record["references"])
    assert all(reference["url"].startswith("https://") for reference in record["references"])
    parsed = from_record(record)
    if "severity" in record or "database_specific" in record:
        assert parsed.rating.severity != "unknown"
    for affected in parsed.affected:
        assert affected.coverage.gap == "" and affected.coverage.intervals
        last = None
        for start, end, kind in affected.coverage.intervals:
            assert kind == "fixed" and end is not None
            if start is not None:
                assert parse(affected.ecosystem, start) < parse(affected.ecosystem, end)
                assert last is None or last <= parse(affected.ecosystem, start)
            last = parse(affected.ecosystem, end)


def test_the_starter_database_is_built_once_and_finds_log4shell(tmp_path: Path) -> None:
    with open_starter(tmp_path) as database:
        assert database.name == "starter"
        assert database.description().startswith("starter set: ")
        found = match(
            database, [Package("Maven", "org.apache.logging.log4j:log4j-core", "2.14.1", "pom.xml")]
        ).findings
        identity, path = database.identity, database.path
    assert {f.id: (f.severity, f.fixed) for f in found}["CVE-2021-44228"] == ("critical", "2.15.0")
    written = path.stat().st_mtime_ns
    with open_starter(tmp_path) as again:
        assert again.identity == identity
    assert path.stat().st_mtime_ns == written


def test_ranges_agree_with_the_published_records() -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared OSV dumps are not beside the checkout")
    published: dict[str, Advisory] = {}
    for ecosystem in ("PyPI", "crates.io", "Go"):
        with zipfile.ZipFile(SHARED / ecosystem / "all.zip") as archive:
            for name in archive.namelist():
                record = read(archive.read(name))
                published[record.id] = record
    compared = 0
    for ours in map(from_record, RECORDS):
        twin = next((published[id_] for id_ in (ours.id, *ours.same_as) if id_ in published), None)
        if twin is None or ours.affected[0].ecosystem in ("npm", "Maven", "NuGet", "RubyGems", "Packagist"):
            continue
        theirs = [item for item in twin.affected if item.name == ours.affected[0].name]
        assert set(ours.affected[0].coverage.intervals) == {
            i for item in theirs for i in item.coverage.intervals
        }
        assert not twin.withdrawn and ours.summary != twin.summary
        compared += 1
    assert compared >= 40


def test_a_starter_file_left_half_written_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "advisories").mkdir()
    (tmp_path / "advisories" / "starter-x.sqlite.1.tmp").write_bytes(b"half")
    with open_starter(tmp_path) as database:
        assert isinstance(database, AdvisoryDatabase)
        assert database.ecosystems() == ECOSYSTEMS


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "advisories").write_text("a file where the folder should be")
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        open_starter(tmp_path)
