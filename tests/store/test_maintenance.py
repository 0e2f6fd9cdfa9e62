"""A clone stays quick: what git does for that loses nothing, and nothing waits for it."""

import os
import subprocess
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, claim_all, finish, git

from cortex_git.flocks import file_lock
from cortex_git.state import monotonic
from cortex_git.store import maintenance
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import seen_for
from cortex_git.store.maintenance import forget_settled, is_due, maintain


def stored(folder: Path, text: str) -> str:
    """A blob that no ref leads to, loose."""
    command = ["git", "-C", str(folder), "hash-object", "-w", "--stdin"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.strip()


def packed(folder: Path, count: int) -> list[str]:
    """Blobs that no ref leads to, each in a pack of its own and nowhere else."""
    oids = [stored(folder, f"dangling {number}") for number in range(count)]
    for oid in oids:
        command = ["git", "-C", str(folder), "pack-objects", "-q", str(folder / ".git/objects/pack/pack")]
        subprocess.run(command, input=oid, capture_output=True, text=True, check=True)
    git(folder, "prune-packed", "-q")
    return oids


def packs(folder: Path) -> int:
    return len(list((folder / ".git/objects/pack").glob("*.pack")))


def test_many_packs_and_loose_objects_are_put_together_and_none_is_lost(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = coordination.repository.folder
    add_tasks(coordination, 4)
    finish(coordination, claim_all(coordination, 2))
    waiting = claim_all(coordination, 1)
    view = coordination.pull()
    assert maintain(coordination.repository, view) is None
    monkeypatch.setattr(maintenance, "_MOST_PACKS", 10)
    dangling = packed(folder, 12)
    loose = stored(folder, "nobody's yet")
    thread = maintain(coordination.repository, view)
    assert thread is not None
    finish(coordination, waiting)  # while it is at it
    thread.join(60)
    assert not thread.is_alive()
    for oid in [*dangling, loose]:
        assert git(folder, "cat-file", "-t", oid) == "blob"
    assert (folder / ".git/objects/info/commit-graphs").is_dir()
    assert not (folder / ".git/objects" / loose[:2] / loose[2:]).exists()  # in a pack
    assert packs(folder) < 10
    finish(coordination, claim_all(coordination))
    assert coordination.fold() is not None
    assert_sound(folder)


def test_due_by_packs_or_by_loose_objects(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "17").mkdir()
    assert not is_due(tmp_path) and not is_due(tmp_path / "absent")
    for number in range(27):
        (tmp_path / "17" / str(number)).touch()
    assert is_due(tmp_path)
    (tmp_path / "17" / "0").unlink()
    assert not is_due(tmp_path)
    for number in range(51):
        (tmp_path / "pack" / f"{number}.idx").touch()
    assert not is_due(tmp_path)
    for number in range(51):
        (tmp_path / "pack" / f"{number}.pack").touch()
    assert is_due(tmp_path)


@pytest.mark.parametrize(
    ("hours", "runs"), [(0.1, False), (7, True)], ids=["at work", "left by a killed one"]
)
def test_one_at_a_time(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch, hours: float, runs: bool
) -> None:
    monkeypatch.setattr(maintenance, "_MOST_PACKS", -1)
    lock = coordination.repository.git_dir / "objects" / "maintenance.lock"
    lock.touch()
    at = lock.stat().st_mtime - hours * 3600
    os.utime(lock, (at, at))
    thread = maintain(coordination.repository, coordination.pull())
    assert (thread is not None) == runs
    if thread is not None:
        thread.join(60)
    assert lock.exists() != runs


def test_nothing_is_put_together_twice_at_once(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_MOST_PACKS", -1)
    repository = coordination.repository
    view = coordination.pull()
    calls: list[str] = []
    monkeypatch.setattr(repository.git, "run", lambda *words, **_: calls.append(words[0]))
    with file_lock(repository.private / "maintenance.lock"):
        thread = maintain(repository, view)
        assert thread is not None
        thread.join(60)
    assert calls == []


def test_rows_of_what_is_long_settled_go_and_others_stay(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_KEPT_DONE", 5)
    monkeypatch.setattr(maintenance, "_KEPT_SIGHTINGS", 3)
    repository = coordination.repository
    add_tasks(coordination, 9)
    claims = claim_all(coordination, 9)
    coordination.record([(claims[0], claims[0].ended("completed"), {})])  # waits, the oldest of all
    repository.state.execute("UPDATE outbox SET state = 'fencing' WHERE task = ?", (claims[0].task.task,))
    finish(coordination, claims[1:8])
    before = {claim.task.task: seen_for(repository, "claim", claim.task.task, claim.oid) for claim in claims}
    assert len(before) == 9
    seen_for(repository, "host", "other", "0")
    view = coordination.pull()
    forget_settled(repository, view)
    states = [state for (state,) in repository.state.execute("SELECT state FROM outbox ORDER BY id")]
    assert states.count("fencing") + states.count("fenced") == 1
    assert states.count("done") == 5
    kept = {what for (what,) in repository.state.execute("SELECT what FROM sightings")}
    assert kept == {f"claim {task}" for task in view.claims} | {"host other"}
    assert seen_for(repository, "claim", claims[8].task.task, claims[8].oid) >= 0 < monotonic()
