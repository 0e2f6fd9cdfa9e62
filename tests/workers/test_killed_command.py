"""kill -9 of the command itself: nothing of it is left running, and the same command goes on where it was."""

import os
import signal
import time
from pathlib import Path

import pytest
from gitworld import (
    add_tasks,
    assert_sound,
    cortex,
    git,
    new_coordination,
    result_commits,
    results_on,
    start_cortex,
)
from poolworld import until

from cortex_git.store.coordination import Coordination

pytestmark = pytest.mark.race


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, by parent."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def left_over(pids: list[int], seconds: float = 5.0) -> list[int]:
    """Those of the processes that still run after at most `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        running = [pid for pid in pids if _running(pid)]
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(0.05)


def _running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.mark.parametrize("after", [0.3, 0.9, 1.8])
def test_spawn_workers_killed_and_run_again(tmp_path: Path, bare: Path, after: float) -> None:
    new_coordination(tmp_path / "host", bare)
    names = [
        task.task
        for task in add_tasks(
            Coordination.open(tmp_path / "host"), 24, runner="sleep", context={"seconds": 0.2}, max_attempts=9
        )
    ]
    command = ("spawn-workers", "--batch", "b1", "--count", "6", "--runner", "sleep")
    first = start_cortex(*command, cwd=tmp_path / "host")
    time.sleep(after)
    started = descendants(first.pid)
    first.kill()
    first.communicate()
    assert left_over(started) == []
    again = cortex(*command, cwd=tmp_path / "host")
    assert again.returncode == 0, again.stderr
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == 24
    assert sorted(results_on(bare, "main")) == names
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(bare)


@pytest.mark.parametrize("after", [0.5, 1.1])
def test_multi_repo_scan_killed_and_resumed(tmp_path: Path, after: float) -> None:
    """Also when it was killed before there was a batch: resuming with the repositories starts it."""
    folder = tmp_path / "host"
    new_coordination(folder)
    command = ("multi-repo-scan", "--sample", "--workers", "4")
    first = start_cortex(*command, "--batch", "nightly", cwd=folder)
    time.sleep(after)
    started = descendants(first.pid)
    first.kill()
    first.communicate()
    assert left_over(started) == []
    again = cortex(*command, "--resume", "nightly", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert "Repositories scanned: 20" in again.stdout
    subjects = [line for line in result_commits(folder) if ".merge" not in line]
    assert len(subjects) == len(set(subjects)) == 20
    assert_sound(folder)


def test_the_first_signal_drains_and_the_exit_code_says_interrupted(tmp_path: Path, bare: Path) -> None:
    new_coordination(tmp_path / "host", bare)
    host = Coordination.open(tmp_path / "host")
    add_tasks(host, 30, runner="sleep", context={"seconds": 0.5})
    child = start_cortex(
        "spawn-workers", "--batch", "b1", "--count", "3", "--runner", "sleep", cwd=tmp_path / "host"
    )
    until(lambda: result_commits(bare))
    os.kill(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "finishing what runs" in errors
    done = len(result_commits(bare))
    assert 0 < done < 30
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert host.outbox.count() == 0
    assert list((tmp_path / "host/coordination/locks").glob("*.lock")) == []
