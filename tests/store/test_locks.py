"""Lock folders: one holder on this host, and a dead one's lock is cleared without robbing a living one."""

import json
import os
import time
from pathlib import Path

import pytest

from cortex_git.state import own_process
from cortex_git.store.locks import Locks


@pytest.fixture
def locks(tmp_path: Path) -> Locks:
    return Locks(tmp_path / "locks", tmp_path / "private")


def sign(path: Path, pid: int, started: float, boot: str) -> None:
    path.mkdir(parents=True)
    owner = {"pid": pid, "started": started, "boot_id": boot, "worker": "", "nonce": ""}
    (path / "owner.json").write_text(json.dumps(owner))


def test_taken_once_and_free_after_release(locks: Locks) -> None:
    assert locks.acquire("t1", worker="w", nonce="n")
    assert not locks.acquire("t1")
    assert (locks.path("t1") / "pid").read_text() == f"{os.getpid()}\n"
    assert json.loads((locks.path("t1") / "owner.json").read_text())["worker"] == "w"
    locks.release("t1")
    assert not locks.path("t1").exists()
    assert locks.acquire("t1")


@pytest.mark.parametrize("which", ["dead pid", "other start", "other boot"])
def test_a_dead_owner_s_lock_is_cleared(locks: Locks, which: str) -> None:
    pid, started, boot = own_process()
    dead = {"dead pid": (2**22 - 3, started, boot), "other start": (pid, started + 1, boot)}
    sign(locks.path("t1"), *dead.get(which, (pid, started, "another boot")))
    assert locks.acquire("t1")


def test_an_unsigned_lock_is_young_or_dead(locks: Locks) -> None:
    locks.path("t1").mkdir(parents=True)
    assert not locks.acquire("t1")
    old = time.time() - 60
    os.utime(locks.path("t1"), (old, old))
    assert locks.acquire("t1")


def test_a_broken_owner_file_counts_as_none(locks: Locks) -> None:
    locks.path("t1").mkdir(parents=True)
    (locks.path("t1") / "owner.json").write_text("{not json")
    old = time.time() - 60
    os.utime(locks.path("t1"), (old, old))
    assert locks.acquire("t1")


def test_releasing_leaves_somebody_else_s_lock(locks: Locks) -> None:
    sign(locks.path("t1"), 1, 1.0, "another boot")
    locks.release("t1")
    assert locks.path("t1").exists()


def test_waiting_tries_thirty_times(locks: Locks) -> None:
    pauses: list[float] = []
    assert locks.acquire("t1")
    assert not locks.wait("t1", sleep=pauses.append)
    assert pauses == [0.1] * 29


def test_twenty_processes_clearing_a_dead_lock_have_one_winner(locks: Locks, tmp_path: Path) -> None:
    for round_ in range(5):
        sign(locks.path(f"t{round_}"), 2**22 - 3, 1.0, own_process()[2])
    code = """
        import sys
        from pathlib import Path
        from cortex_git.store.locks import Locks
        locks = Locks(Path(sys.argv[1]) / "locks", Path(sys.argv[1]) / "private")
        sys.stdin.readline()
        print(sum(locks.acquire(f"t{n}") for n in range(5)), flush=True)
        sys.stdin.readline()
        """
    import subprocess
    import sys
    import textwrap

    from gitworld import CHECKOUT

    children = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
        )
        for _ in range(20)
    ]  # fmt: skip
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    won = []
    for child in children:
        assert child.stdout is not None
        won.append(int(child.stdout.readline()))
    for child in children:
        child.communicate("\n", timeout=30)
    assert sum(won) == 5
