"""A folder that is not a repository: its lockfiles are read as they lie there, and nothing is passed over."""

import os
from pathlib import Path

import pytest

from cortex_git.scan.cache import ScanCache
from cortex_git.scan.reading import Limits, OutOfTime, open_repository
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

FOUND = "jinja2==2.10 --hash=sha256:0\n"


def scan(folder: Path, database, **more) -> RepositoryScan:
    return scan_repository(Source("r", str(folder)), database=database, **more)


def gaps(row: RepositoryScan) -> dict[str, str]:
    return {gap.what: gap.reason for gap in row.not_scanned}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plain" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "plain" / "requirements.txt").write_text("-r deep/er/base.in\n")
    (tmp_path / "plain" / "deep" / "er" / "base.in").write_text(FOUND)
    return tmp_path / "plain"


def test_lockfiles_are_read_with_what_they_include(folder: Path, database, tmp_path: Path) -> None:
    for cache in (None, ScanCache(tmp_path / "cache"), ScanCache(tmp_path / "cache")):
        row = scan(folder, database, cache=cache)
        assert (row.status, row.commit, row.error, row.packages) == ("scanned", None, None, 1)
        assert [finding.lockfile for finding in row.findings] == ["deep/er/base.in"]


def test_a_change_is_seen_although_the_folder_is_remembered(folder: Path, database, tmp_path: Path) -> None:
    assert scan(folder, database, cache=ScanCache(tmp_path / "cache")).findings
    (folder / "deep/er/base.in").write_text("jinja2==3.1.4\n")
    assert not scan(folder, database, cache=ScanCache(tmp_path / "cache")).findings


def test_a_folder_with_nothing_to_read_is_no_all_clear(tmp_path: Path, database) -> None:
    (tmp_path / "empty").mkdir()
    row = scan(tmp_path / "empty", database)
    assert (row.status, gaps(row)) == ("incomplete", {"the repository": "no lockfile or manifest found"})


def test_links_pipes_large_files_and_repositories_inside_are_gaps(
    folder: Path, database, tmp_path: Path, make_repository
) -> None:
    (tmp_path / "outside.txt").write_text(FOUND)
    (folder / "a").mkdir()
    (folder / "a" / "requirements.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "b").mkdir()
    os.mkfifo(folder / "b" / "requirements.txt")
    (folder / "c").mkdir()
    (folder / "c" / "requirements.txt").write_text("#" * 2000)
    (folder / "node_modules" / "x").mkdir(parents=True)
    (folder / "node_modules" / "x" / "package-lock.json").write_text("{")
    make_repository({"requirements.txt": FOUND}, "plain/inner", checkout=True)
    row = scan(folder, database, limits=Limits(lockfile_bytes=1000))
    assert (row.status, len(row.findings)) == ("incomplete", 1)
    assert gaps(row) == {
        "a/requirements.txt": "is a symbolic link, which is not followed",
        "b/requirements.txt": "is not a plain file",
        "c/requirements.txt": "is 2,000 bytes, the limit is 1,000",
        "inner": "is a repository of its own; name it, or give --root",
    }


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(paths=1), "more than 1 files"),
        (Limits(path_depth=1), "too long or too deep"),
        (Limits(path_bytes=10), "too long or too deep"),
        (Limits(total_bytes=20), "pass the limit of 20 bytes"),
    ],
    ids=["paths", "depth", "length", "total"],
)
def test_every_cap_is_a_gap(folder: Path, database, limits: Limits, told: str) -> None:
    row = scan(folder, database, limits=limits)
    assert row.status == "incomplete"
    assert any(told in reason for reason in gaps(row).values())


def test_no_more_time_is_a_failed_row(folder: Path, database) -> None:
    row = scan(folder, database, limits=Limits(time_s=0.0))
    assert row.status == "failed"
    assert "took over 0 s" in str(row.error)


def test_a_name_that_is_not_text_is_no_all_clear(folder: Path, database) -> None:
    odd = os.fsencode(folder) + b"/odd-\xff"
    os.mkdir(odd)
    with open(odd + b"/requirements.txt", "w") as file:
        file.write(FOUND)
    row = scan(folder, database)
    assert row.status == "incomplete"
    assert gaps(row) == {"odd-\\xff/requirements.txt": "cannot be read (No such file or directory)"}


def test_a_file_that_changes_while_it_is_read_is_a_gap(folder: Path) -> None:
    with open_repository(Source("r", str(folder))) as snapshot:
        first = snapshot.oid("requirements.txt")
        (folder / "requirements.txt").write_text(FOUND)
        assert list(snapshot.read(["requirements.txt"])) == []
        assert (snapshot.oid("requirements.txt"), first is not None) == (first, True)
        assert [gap.reason for gap in snapshot.not_scanned] == ["changed while it was read"]


def test_ids_are_those_of_git(folder: Path, git) -> None:
    with open_repository(Source("r", str(folder))) as snapshot:
        assert snapshot.oid("deep/er/base.in") == git(folder, "hash-object", "deep/er/base.in")
        assert (snapshot.oid("absent"), snapshot.commit) == (None, "")


def test_time_is_looked_at_between_files(folder: Path) -> None:
    with open_repository(Source("r", str(folder)), limits=Limits(time_s=0.5)) as snapshot:
        snapshot.deadline.extend(-1)
        with pytest.raises(OutOfTime):
            list(snapshot.read(["requirements.txt"]))
