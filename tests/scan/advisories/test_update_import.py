"""Imports from folders and ZIPs: what is kept, what is refused, and who sees what meanwhile."""

import json
import multiprocessing
import sqlite3
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from advisory_dumps import dump, record, zipped

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.scan.advisories.archive import Limits
from cortex_git.scan.advisories.database import FILE, AdvisoryDatabase, open_default
from cortex_git.scan.advisories.status import status
from cortex_git.scan.advisories.update import UpdateSummary, update
from cortex_git.scan.matching import match
from cortex_git.scan.records import Package

MakeDump = Callable[..., Path]


def run(data_dir: Path, source: Path, *ecosystems: str, limits: Limits | None = None) -> UpdateSummary:
    return update(data_dir, source, ecosystems, lambda *_: None, limits)


def counts(data_dir: Path) -> dict[str, int]:
    return {row.ecosystem: row.records for row in status(data_dir).ecosystems}


def test_nothing_imported_yet(tmp_path: Path) -> None:
    assert open_default(tmp_path) is None
    assert status(tmp_path).identity is None


def test_updating_one_ecosystem_keeps_the_others_and_their_aliases(
    tmp_path: Path, make_dump: MakeDump
) -> None:
    high = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]
    first = {
        "PyPI": dump(record("A-1", "p", aliases=["CVE-1-1"])),
        "npm": dump(record("B-1", "q", "npm", aliases=["CVE-1-1"], severity=high), record("B-2", "r", "npm")),
    }
    run(tmp_path, make_dump(first))
    second = make_dump({"PyPI": dump(record("A-2", "p2", aliases=["CVE-1-1"]))}, "second")
    summary = run(tmp_path, second, "pypi")
    assert (summary.imported, summary.records) == ({"PyPI": 1}, 3)
    with open_default(tmp_path) as database:  # type: ignore[union-attr]
        packages = [Package("PyPI", name, "1.0", "l") for name in ("p", "p2")]
        packages += [Package("npm", name, "1.0.0", "l") for name in ("q", "r")]
        found = {f.package: (f.severity, f.aliases) for f in match(database, packages).findings}
    assert found == {
        "p2": ("high", ("A-2", "B-1")),
        "q": ("high", ("A-2", "B-1")),
        "r": ("unknown", ()),
    }


@pytest.mark.parametrize("nested", [False, True])
def test_a_single_zip_takes_the_ecosystems_from_its_records(tmp_path: Path, nested: bool) -> None:
    pypi, npm = record("A-1", "p"), record("B-1", "q", "npm")
    debian = record("D-1", "r", "Debian:11")
    flat = {f"some/folder/{item['id']}.json": json.dumps(item).encode() for item in (pypi, npm, debian)}
    inner = {"PyPI/all.zip": dump(pypi), "npm/all.zip": dump(npm), "Debian:11/all.zip": dump(debian)}
    path = tmp_path / "osv.zip"
    path.write_bytes(zipped(inner if nested else flat))
    assert run(tmp_path, path).imported == {"PyPI": 1, "npm": 1}
    assert run(tmp_path, path, "npm").imported == {"npm": 1}
    assert counts(tmp_path) == {"PyPI": 1, "npm": 1}


def test_the_same_record_twice_is_stored_once_and_the_later_one_stays(tmp_path: Path) -> None:
    old, new = record("A-1", "p", fixed="2.0"), record("A-1", "p", fixed="3.0")
    new["modified"] = "2025-01-01T00:00:00Z"
    for name, order in (("one", (old, new)), ("two", (new, old))):
        path = tmp_path / f"{name}.zip"
        path.write_bytes(zipped({f"{n}.json": json.dumps(item).encode() for n, item in enumerate(order)}))
        assert run(tmp_path / name, path).records == 1
        with open_default(tmp_path / name) as database:  # type: ignore[union-attr]
            (finding,) = match(database, [Package("PyPI", "p", "1", "l")]).findings
        assert finding.fixed == "3.0"


def test_bad_records_are_counted_and_said(tmp_path: Path, make_dump: MakeDump) -> None:
    good = json.dumps(record("A-1", "p")).encode()
    files = {
        "a.json": good,
        "b.json": b"{",
        "c.json": b"[]",
        "d.json": b'{"id": 7}',
        "e.json": b"[" * 200_000,
    }
    files |= {"huge.json": b" " * 3000 + good, "odd.json": b'{"id": "A-2", "affected": [7, {"package": 7}]}'}
    files |= {"readme.txt": b"not a record"}
    summary = run(tmp_path, make_dump({"PyPI": zipped(files)}), limits=Limits(record_bytes=250_000))
    assert (summary.unreadable, summary.records) == (4, 1)
    strict = run(tmp_path, make_dump({"PyPI": zipped(files)}), limits=Limits(record_bytes=2000))
    assert strict.unreadable == 5
    with open_default(tmp_path) as database:  # type: ignore[union-attr]
        assert "5 records could not be read" in database.description()


@pytest.mark.parametrize(
    "data",
    [
        b"not a zip",
        zipped({}),
        zipped({"a.json": b"{}"}),
        dump(record("A-1", "p"))[:-30],
        dump(record("B-1", "q", "npm")),
        dump(record("A-1", "p", withdrawn="2024-01-01T00:00:00Z")),
    ],
    ids=["text", "empty", "no record", "cut off", "of another ecosystem", "all withdrawn"],
)
def test_an_archive_without_advisories_leaves_the_old_database(
    tmp_path: Path, make_dump: MakeDump, data: bytes
) -> None:
    run(tmp_path, make_dump({"PyPI": dump(record("A-1", "p"))}))
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(BadInput):
        run(tmp_path, make_dump({"PyPI": data}, "bad"), "PyPI")
    assert (tmp_path / FILE).read_bytes() == before
    assert [path.name for path in (tmp_path / "advisories").glob("*.tmp")] == []


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(records=10), "more than 10 records"),
        (Limits(total_bytes=20_000), "more than 20000 bytes"),
        (Limits(archive_bytes=1000), "larger than 1000 bytes"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_bomb_is_refused(tmp_path: Path, limits: Limits, said: str, nested: bool) -> None:
    inner = dump(*(record(f"A-{n}", "p", details=" " * 2000) for n in range(50)))
    path = tmp_path / "bomb.zip"
    path.write_bytes(zipped({"PyPI/all.zip": inner}) if nested else inner)
    with pytest.raises(BadInput, match=said):
        run(tmp_path, path, limits=limits)


def test_zips_inside_of_inner_zips_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "deep.zip"
    path.write_bytes(zipped({"a.zip": zipped({"b.zip": dump(record("A-1", "p"))})}))
    with pytest.raises(BadInput, match="holds no advisories"):
        run(tmp_path, path)


@pytest.mark.parametrize("source", ["ftp://example.org/x", "no/such/place"])
def test_a_source_that_is_none(tmp_path: Path, source: str) -> None:
    with pytest.raises(BadInput):
        update(tmp_path, source, None, lambda *_: None)


def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path: Path, make_dump: MakeDump) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(EnvironmentProblem, match="cannot write the advisory database"):
        run(tmp_path / "data", make_dump({"PyPI": dump(record("A-1", "p"))}))


def test_a_folder_without_dumps(tmp_path: Path, make_dump: MakeDump) -> None:
    with pytest.raises(BadInput, match="there is no"):
        run(tmp_path, tmp_path)
    with pytest.raises(BadInput, match=r"there is no .*npm"):
        run(tmp_path, make_dump({"PyPI": dump(record("A-1", "p"))}), "npm")


def test_the_identity_follows_the_content_only(tmp_path: Path, make_dump: MakeDump) -> None:
    one, other = record("A-1", "p"), record("A-2", "q")
    for name, records in (("a", (one, other)), ("b", (other, one)), ("c", (one,))):
        run(tmp_path / name, make_dump({"PyPI": dump(*records)}, f"dump-{name}"))
    a, b, c = (status(tmp_path / name).identity for name in "abc")
    assert a == b != c


def test_a_damaged_or_foreign_database_is_an_error_that_says_what_to_do(
    tmp_path: Path, make_dump: MakeDump
) -> None:
    source = make_dump({"PyPI": dump(record("A-1", "p"))})
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(EnvironmentProblem, match="advisories update"):
        open_default(tmp_path)
    run(tmp_path, source)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '0' WHERE key = 'layout'")
    connection.commit()
    connection.close()
    with pytest.raises(EnvironmentProblem, match="another version"):
        open_default(tmp_path)
    assert run(tmp_path, source).records == 1, "an update replaces what it cannot use"


def test_a_reader_keeps_the_database_it_opened(tmp_path: Path, make_dump: MakeDump) -> None:
    package = Package("PyPI", "p", "1.0", "l")
    run(tmp_path, make_dump({"PyPI": dump(record("A-1", "p"))}))
    with open_default(tmp_path) as old:  # type: ignore[union-attr]
        run(tmp_path, make_dump({"PyPI": dump(record("A-2", "p"))}, "new"))
        assert [f.id for f in match(old, [package]).findings] == ["A-1"]
        with open_default(tmp_path) as new:  # type: ignore[union-attr]
            assert [f.id for f in match(new, [package]).findings] == ["A-2"]


def _read_until(data_dir: Path, stop: Event, seen: "Queue[tuple[set[tuple[str, ...]], int]]") -> None:
    found: set[tuple[str, ...]] = set()
    rounds = 0
    while not stop.is_set() or rounds < 3:
        with AdvisoryDatabase.open(data_dir / FILE) as database:
            packages = [Package("PyPI", f"p{n}", "1.0", "l") for n in range(40)]
            found.add(tuple(sorted({f.id.split("-")[0] for f in match(database, packages).findings})))
        rounds += 1
    seen.put((found, rounds))


def test_readers_never_see_half_an_update(tmp_path: Path, make_dump: MakeDump) -> None:
    dumps = [
        make_dump({"PyPI": dump(*(record(f"{mark}-{n}", f"p{n}") for n in range(40)))}, mark) for mark in "AB"
    ]
    run(tmp_path, dumps[0])
    context = multiprocessing.get_context("spawn")
    stop, seen = context.Event(), context.Queue()
    readers = [context.Process(target=_read_until, args=(tmp_path, stop, seen)) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(20):
        run(tmp_path, dumps[(number + 1) % 2])
    stop.set()
    results = [seen.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join(60)
    assert {reader.exitcode for reader in readers} == {0}
    assert set().union(*(found for found, _ in results)) <= {("A",), ("B",)}


def _update(data_dir: Path, source: Path, ecosystem: str) -> None:
    for _ in range(5):
        run(data_dir, source, ecosystem)


def test_two_updates_at_once_are_done_one_after_the_other(tmp_path: Path, make_dump: MakeDump) -> None:
    pypi = dump(*(record(f"A-{n}", f"p{n}") for n in range(200)))
    npm = dump(*(record(f"B-{n}", f"q{n}", "npm") for n in range(200)))
    source = make_dump({"PyPI": pypi, "npm": npm})
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_update, args=(tmp_path, source, name)) for name in ("PyPI", "npm")]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert counts(tmp_path) == {"PyPI": 200, "npm": 200}
    assert [path.name for path in (tmp_path / "advisories").glob("*.tmp")] == []


def test_an_empty_ecosystem_costs_the_others_nothing(tmp_path: Path, make_dump: MakeDump) -> None:
    whole = {"PyPI": dump(record("A-1", "p")), "ConanCenter": zipped({}), "CRAN": zipped({})}
    summary = run(tmp_path, make_dump(whole))
    assert (summary.imported, summary.records) == ({"PyPI": 1}, 1)
    assert {"ConanCenter", "CRAN", "npm"} <= set(summary.missing)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(BadInput, match="holds no advisories"):
        run(tmp_path, make_dump({"ConanCenter": zipped({}), "CRAN": zipped({})}, "nothing"))
    assert (tmp_path / FILE).read_bytes() == before
