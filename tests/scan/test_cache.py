"""The cache: answers for the same content only, shared by processes, never an error."""

import multiprocessing
import sqlite3
from pathlib import Path

from cortex_git.scan.cache import ScanCache, match_key
from cortex_git.scan.matching import MatchResult
from cortex_git.scan.records import Finding, LockfileContent, NotScanned, Package, RepositoryScan

PACKAGE = Package("npm", "a", "1.0.0", "x/package-lock.json", 3)
CONTENT = LockfileContent(
    (PACKAGE,), (NotScanned("y", "is odd", "entry", "z"),), (("pom.xml", "direct-only"),)
)
FINDING = Finding(
    *("CVE-1", ("GHSA-1",), "high", 7.5, "npm", "a", "1.0.0", None, "x/package-lock.json", 3, "s", ("z",))
)


def test_what_was_remembered_comes_back_whole(tmp_path):
    cache = ScanCache(tmp_path)
    cache.remember_lockfile("p", "1" * 40, {"q": "2" * 40, "absent": None}, CONTENT)
    result = MatchResult((FINDING,), (NotScanned("w", "why"),))
    cache.remember_match("key", result)
    assert cache.lockfile("p", "1" * 40, {"q": "2" * 40}.get) is None
    cache.save()
    cache.close()
    again = ScanCache(tmp_path)
    assert again.lockfile("p", "1" * 40, {"q": "2" * 40}.get) == CONTENT
    assert again.matched("key") == result


def test_other_content_is_not_answered_for(tmp_path):
    cache = ScanCache(tmp_path)
    cache.remember_lockfile("p", "1" * 40, {"q": "2" * 40, "absent": None}, CONTENT)
    cache.save()
    assert cache.lockfile("other", "1" * 40, {"q": "2" * 40}.get) is None
    assert cache.lockfile("p", "3" * 40, {"q": "2" * 40}.get) is None
    assert cache.lockfile("p", "1" * 40, {"q": "3" * 40}.get) is None
    assert cache.lockfile("p", "1" * 40, {"q": "2" * 40, "absent": "4" * 40}.get) is None


def test_the_key_of_a_match_tells_databases_and_places_apart():
    moved = Package("npm", "a", "1.0.0", "y/package-lock.json", 3)
    keys = {match_key("db1", [PACKAGE]), match_key("db2", [PACKAGE]), match_key("db1", [moved])}
    assert len(keys | {match_key("db1", [])}) == 4
    assert match_key("db1", [PACKAGE]) == match_key("db1", [PACKAGE])


def test_damage_while_open_begins_anew(tmp_path):
    cache = ScanCache(tmp_path)
    cache.remember_lockfile("p", "1" * 40, {}, CONTENT)
    cache.save()
    cache.close()
    cache = ScanCache(tmp_path)
    for suffix in ("-wal", "-shm"):
        Path(f"{tmp_path}/scan.sqlite{suffix}").unlink(missing_ok=True)
    with (tmp_path / "scan.sqlite").open("r+b") as file:
        file.truncate(0)
        file.write(b"garbage" * 3000)
    for _ in range(3):
        assert cache.lockfile("p", "1" * 40, {}.get) in (None, CONTENT)
        cache.remember_lockfile("p", "1" * 40, {}, CONTENT)
        cache.save()
    assert ScanCache(tmp_path).lockfile("p", "1" * 40, {}.get) == CONTENT


def test_values_of_another_shape_are_misses(tmp_path):
    cache = ScanCache(tmp_path)
    cache.remember_lockfile("p", "1" * 40, {}, CONTENT)
    cache.remember_match("key", MatchResult((FINDING,), ()))
    cache.save()
    for value in ("{}", "[]", "nonsense", '{"includes": {}, "packages": [[1]], "not_scanned": []}', "3"):
        with sqlite3.connect(tmp_path / "scan.sqlite") as connection:
            connection.execute("UPDATE lockfile SET value = ?", (value,))
            connection.execute("UPDATE matched SET value = ?", (value,))
        assert cache.lockfile("p", "1" * 40, {}.get) is None
        assert cache.matched("key") is None


def test_without_a_folder_nothing_is_remembered():
    cache = ScanCache(None)
    cache.remember_match("key", MatchResult((), ()))
    cache.save()
    assert cache.matched("key") is None


def _use(folder: Path, worker: int) -> int:
    cache = ScanCache(folder)
    for number in range(20):
        cache.remember_lockfile(f"{worker}/{number}", "1" * 40, {}, CONTENT)
        cache.save()
    return sum(cache.lockfile(f"{worker}/{n}", "1" * 40, {}.get) == CONTENT for n in range(20))


def test_many_processes_share_it(tmp_path):
    with multiprocessing.get_context("fork").Pool(12) as pool:
        found = pool.starmap(_use, [(tmp_path, worker) for worker in range(12)])
    assert found == [20] * 12


def test_rows_come_back_whole_and_odd_ones_are_misses(tmp_path):
    row = RepositoryScan(
        "r", "scanned", "c" * 40, 3, duration_s=0.5, findings=(FINDING,), database="d", mark="m",
        unchanged_since="b",
    )  # fmt: skip
    cache = ScanCache(tmp_path)
    for key in ("one", "two"):
        cache.remember_row(key, row)
    cache.save()
    with sqlite3.connect(tmp_path / "scan.sqlite") as raw:
        raw.execute("UPDATE rows SET value = '[1]' WHERE key LIKE '%two'")
    assert ScanCache(tmp_path).rows(["one", "two", "three"]) == {"one": row}
