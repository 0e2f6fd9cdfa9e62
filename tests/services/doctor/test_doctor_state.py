"""A damaged state.db: put aside, with every waiting result that can still be read brought over."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from doctorworld import assert_well, bad, mended, one
from gitworld import add_tasks, assert_sound, claim_all, git, python, result_commits, result_for

from cortex_git.errors import EnvironmentProblem
from cortex_git.services.doctor.findings import Severity
from cortex_git.services.doctor.salvage import salvage
from cortex_git.services.doctor.sqlite_pages import records_of
from cortex_git.store.coordination import Coordination

PAGE = 4096
RESULTS = 12


@pytest.fixture
def state(host: Path) -> Path:
    """A clone in whose outbox results wait, one of them longer than a page; its file, closed."""
    process = python(
        """
        import os, sys
        from pathlib import Path
        from gitworld import add_tasks, claim_all, result_for
        from cortex_git.store.coordination import Coordination
        coordination = Coordination.open(Path(sys.argv[1]))
        add_tasks(coordination, 12)
        claims = claim_all(coordination)
        long = {"text": "a long line of output. " * 1000}
        coordination.record([
            (claim, result_for(coordination, claim, output=long if n == 3 else {"n": n}), {})
            for n, claim in enumerate(claims)
        ])
        coordination.repository.state.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        """,
        str(host),
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    path = host / ".git" / "cortex" / "state.db"
    assert not (path.with_name("state.db-wal").exists() and path.with_name("state.db-wal").stat().st_size)
    return path


def _header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(PAGE))


def _overwritten(path: Path) -> None:
    """Somebody wrote a text over the beginning."""
    with path.open("r+b") as file:
        file.write(b"this is no database\n")


def _pages_of_other_tables(path: Path) -> None:
    """The roots of all trees but that of the outbox's table."""
    with sqlite3.connect(path) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE rootpage > 0 AND name != 'outbox'"
        roots = [root for (root,) in connection.execute(query)]
    with path.open("r+b") as file:
        for root in roots:
            file.seek((root - 1) * PAGE)
            file.write(b"\xee" * PAGE)


def _root_of_the_outbox(path: Path) -> None:
    """The page that leads to the outbox's rows, where there is more than one page of them."""
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'outbox'").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        assert file.read(1) == b"\x05"  # an inner page
        file.seek((root - 1) * PAGE)
        file.write(bytes(PAGE))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "header": _header,
    "overwritten": _overwritten,
    "other tables": _pages_of_other_tables,
    "root of the outbox": _root_of_the_outbox,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_waiting_result_is_saved_and_published_once(
    host: Path, bare: Path, state: Path, damage: str
) -> None:
    DAMAGES[damage](state)
    found = one(host, "state", Severity.PROBLEM)
    assert "damaged" in found.finding.summary
    for check in ("outbox", "waits", "claims"):
        assert [entry.looked for entry in bad(host, check)] == [False]
    (deed,) = mended(host, "state")
    assert f"saved {RESULTS} waiting documents" in deed
    assert len(list((state.parent / "damaged").glob("*/state.db"))) == 1
    assert mended(host, "outbox") == [f"published {RESULTS} documents"]
    assert len(result_commits(bare)) == RESULTS
    assert git(bare, "for-each-ref", "refs/cortex/fenced", "refs/cortex/claims") == ""
    assert_sound(bare)


def test_what_is_in_the_log_alone_is_saved(host: Path, bare: Path) -> None:
    """The process was killed before its log went into the file, and then the file was damaged."""
    process = python(
        """
        import os, sys
        from pathlib import Path
        from gitworld import add_tasks, claim_all, result_for
        from cortex_git.store.coordination import Coordination
        coordination = Coordination.open(Path(sys.argv[1]))
        add_tasks(coordination, 3)
        coordination.record([(c, result_for(coordination, c), {}) for c in claim_all(coordination)])
        os._exit(0)
        """,
        str(host),
    )
    process.communicate(timeout=60)
    path = host / ".git" / "cortex" / "state.db"
    assert path.with_name("state.db-wal").stat().st_size
    path.write_bytes(b"gone\n" * 20)
    with path.with_name("state.db-wal").open("r+b") as log:
        log.write(b"gone\n" * 6)  # so that SQLite, which could make the file of it, does not know it either
    path.with_name("state.db-shm").unlink(missing_ok=True)
    assert "saved 3 waiting documents" in mended(host, "state")[0]
    mended(host, "outbox")
    assert len(result_commits(bare)) == 3


def test_an_empty_file_of_zeros_is_told_too(host: Path, state: Path) -> None:
    state.write_bytes(bytes(3 * PAGE))
    assert "saved 0 waiting documents" in mended(host, "state")[0]


def test_a_file_that_a_command_has_open_stays(host: Path, state: Path) -> None:
    holder = python(
        """
        import sqlite3, sys
        connection = sqlite3.connect(sys.argv[1])
        connection.execute("SELECT count(*) FROM outbox").fetchone()
        print("ok", flush=True)
        sys.stdin.read()
        """,
        str(state),
        stdin=-1,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ok\n"
    _overwritten(state)
    found = one(host, "state", Severity.PROBLEM)
    assert found.finding.mend is not None
    with pytest.raises(EnvironmentProblem, match=f"processes: {holder.pid}"):
        found.finding.mend.run()
    assert state.read_bytes().startswith(b"this is no database")
    holder.communicate(timeout=60)
    mended(host, "state")


def test_a_bringing_over_that_was_cut_off_is_made_up_for(host: Path, state: Path) -> None:
    aside = state.parent / "damaged" / "20260101-000000"
    aside.mkdir(parents=True)
    _overwritten(state)
    state.rename(aside / "state.db")
    found = one(host, "state", Severity.PROBLEM)
    assert "not brought over" in found.finding.summary
    assert mended(host, "state") == [f"saved {RESULTS} waiting documents from it"]
    assert len(Coordination.open(host).outbox.waiting()) == RESULTS


def test_a_newer_version(host: Path, state: Path) -> None:
    with sqlite3.connect(state) as connection:
        connection.execute("PRAGMA user_version = 99")
    found = one(host, "state", Severity.PROBLEM)
    assert found.finding.mend is None
    assert "newer" in found.finding.summary


def test_what_was_published_already_is_not_published_again(host: Path, bare: Path) -> None:
    """What is read too much, rows as they were before, does no harm."""
    coordination = Coordination.open(host)
    add_tasks(coordination, 4)
    claims = claim_all(coordination)
    coordination.record([(claim, result_for(coordination, claim), {}) for claim in claims])
    copy = host / "copy.db"
    coordination.repository.durable_state.execute("VACUUM INTO ?", (str(copy),))
    coordination.flush()
    coordination.repository.state.close()
    coordination.repository.durable_state.close()
    del coordination
    path = host / ".git" / "cortex" / "state.db"
    for part in path.parent.glob("state.db*"):
        part.unlink()
    shutil.move(copy, path)
    _overwritten(path)
    assert "saved 4 waiting documents" in mended(host, "state")[0]
    mended(host, "outbox")
    assert len(result_commits(bare)) == 4
    assert git(bare, "for-each-ref", "refs/cortex/fenced") == ""
    assert_well(host, "outbox")


def test_pages_are_read_as_sqlite_reads_them(tmp_path: Path) -> None:
    """All kinds of values, many rows, small pages, long texts that lie on further pages."""
    path = tmp_path / "t.db"
    rows = [
        (n, f"é{n}", None, 1.5 * n, b"x" * (n % 700), -n * 2**33, "long " * (n * 20 % 3000))
        for n in range(300)
    ]
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c, d, e, f)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    found = dict(records_of(path, 7))
    assert {n: (n, *values[1:]) for n, values in found.items()} == {row[0]: row for row in rows}


def test_noise_holds_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"".join(bytes([0x0D]) + os.urandom(PAGE - 1) for _ in range(50)))
    assert salvage(path).rows["outbox"] == []
