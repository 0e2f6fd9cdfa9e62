"""This host's SQLite file, and the marks by which a process and a boot are told apart."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from cortex_git import state
from cortex_git.errors import EnvironmentProblem


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_made_when_absent_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "a/b/state.db"
    first = state.connect(path)
    first.execute("INSERT INTO own VALUES ('k', 'v')")
    assert state.connect(path).execute("SELECT value FROM own").fetchall() == [("v",)]
    assert first.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_durable_waits_for_the_disk(tmp_path: Path) -> None:
    def synchronous(durable: bool) -> int:
        found = state.connect(tmp_path / "state.db", durable=durable).execute("PRAGMA synchronous").fetchone()
        return int(found[0])

    assert (synchronous(True), synchronous(False)) == (2, 1)


def test_many_may_make_it_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        connections = list(threads.map(lambda _: state.connect(tmp_path / "state.db"), range(16)))
    assert {c.execute("SELECT count(*) FROM outbox").fetchone() for c in connections} == {(0,)}


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {state.VERSION + 1}")
    with pytest.raises(EnvironmentProblem, match="newer"):
        state.connect(path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(EnvironmentProblem, match=r"state\.db cannot be used"):
        state.connect(path)


def test_a_transaction_is_whole_or_not_at_all(tmp_path: Path) -> None:
    connection = state.connect(tmp_path / "state.db")

    def insert(key: str, fail: bool) -> None:
        with state.transaction(connection):
            connection.execute("INSERT INTO own VALUES (?, '')", (key,))
            if fail:
                raise KeyboardInterrupt

    insert("kept", fail=False)
    with pytest.raises(KeyboardInterrupt):
        insert("gone", fail=True)
    assert connection.execute("SELECT key FROM own").fetchall() == [("kept",)]


def test_own_process_is_alive() -> None:
    pid, started, boot = state.own_process()
    assert pid == os.getpid()
    assert started > 0
    assert state.process_alive(pid, started, boot)
    assert not state.process_alive(pid, started + 1, boot), "the pid was given to another process"
    assert not state.process_alive(pid, started, "another boot")
    assert not state.process_alive(0, 0.0, boot)


def test_a_dead_process_is_dead_also_while_nobody_has_waited_for_it(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    started = state.process_started(sleeper.pid)
    assert state.process_alive(sleeper.pid, started, state.boot_id())
    sleeper.send_signal(signal.SIGKILL)
    while Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert not state.process_alive(sleeper.pid, started, state.boot_id())
    sleeper.wait()
    assert state.process_started(sleeper.pid) == 0.0


def test_a_process_is_known_to_be_gone_only_without_any_doubt(sleeper: "subprocess.Popen[bytes]") -> None:
    started, boot = state.process_started(sleeper.pid), state.boot_id()
    assert not state.process_gone(sleeper.pid, started, boot)
    assert state.process_gone(sleeper.pid, started + 1, boot), "the pid was given to another process"
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert state.process_gone(sleeper.pid, started, boot), "nobody has waited for it yet"
    sleeper.wait()
    assert state.process_gone(sleeper.pid, started, boot)
    assert not state.process_gone(sleeper.pid, started, "another boot")
    for impossible in (0, -1, 10**30):
        assert not state.process_gone(impossible, started, boot)


def test_a_process_that_the_system_hides_from_us_may_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine whose /proc shows each person only their own processes."""

    def kill(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    nobody = 2**22 + 1  # above the system's highest process id
    assert not state.process_gone(nobody, 1.0, state.boot_id())


def test_the_monotonic_clock_is_one_for_all_processes() -> None:
    before = state.monotonic()
    code = "from cortex_git.state import monotonic; print(monotonic())"
    between = float(subprocess.check_output([sys.executable, "-c", code]))
    assert before <= between <= state.monotonic()


def test_now_is_utc_to_the_millisecond() -> None:
    stamp = state.now()
    assert stamp.endswith("Z")
    assert len(stamp) == len("2025-01-01T00:00:00.000Z")
    assert datetime.fromisoformat(stamp).utcoffset() is not None


def test_marks_of_the_machine_do_not_change() -> None:
    assert state.boot_id() == state.boot_id() != ""
    assert state.machine_id() == state.machine_id()
