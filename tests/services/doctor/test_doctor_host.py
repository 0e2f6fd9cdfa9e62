"""Checks of what a clone keeps for itself: each fault made, seen, mended where that is safe."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from doctorworld import COMMIT, age, assert_well, bad, look, mended, one
from gitworld import add_tasks, claim_all, finish, git, python, result_commits, result_for
from poolworld import is_ready, pool, until

from cortex_git.errors import EnvironmentProblem
from cortex_git.processes import descendants
from cortex_git.services.doctor import host_files
from cortex_git.services.doctor.findings import Severity
from cortex_git.services.doctor.processes import command_of, holder_of, parent_of
from cortex_git.state import process_started
from cortex_git.store.coordination import Coordination
from cortex_git.store.outbox import Intent

CHECKS = (
    "state", "identity", "git-locks", "tracking", "outbox", "superseded", "pushes", "task-locks", "pool",
    "workers", "work-trees", "agent-branches", "budget", "reservations", "objects", "snapshots",
)  # fmt: skip


@pytest.fixture
def coordination(host: Path) -> Coordination:
    """A clone that has worked, and has nothing left to do."""
    coordination = Coordination.open(host)
    add_tasks(coordination, 2)
    finish(coordination, claim_all(coordination, 1))
    return coordination


@pytest.mark.usefixtures("coordination")
def test_a_clone_that_has_worked(host: Path) -> None:
    for check in CHECKS:
        assert_well(host, check)


def test_a_clone_in_which_nothing_has_run(host: Path) -> None:
    shutil.rmtree(host / ".git" / "cortex", ignore_errors=True)
    for check in CHECKS:
        assert_well(host, check)


def test_an_id_that_cannot_be_read(host: Path, coordination: Coordination) -> None:
    path = host / ".git" / "cortex" / "host.json"
    for broken in ("{", "[]", '{"host": 1}'):
        path.write_text(broken)
        one(host, "identity", Severity.WARNING)
        assert path.read_text() == broken  # looking changes nothing
    assert "this clone is" in mended(host, "identity")[0]
    assert Coordination.open(host).repository.host != coordination.repository.host


@pytest.mark.usefixtures("coordination")
def test_a_copied_clone(host: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(host, copy, symlinks=True)
    assert_well(host, "identity")
    before = Coordination.open(host).repository.host
    found = one(copy, "identity", Severity.NOTE)
    assert before in found.finding.summary
    mended(copy, "identity")
    assert Coordination.open(copy).repository.host != before


def test_former_ids_are_named(host: Path, coordination: Coordination) -> None:
    former = coordination.repository.host
    coordination.repository.take_new_identity()
    assert f"formerly {former}" in look(host, "identity")[0].finding.summary


@contextmanager
def away(remote: Path) -> Iterator[None]:
    """The remote does not answer within the block."""
    moved = remote.rename(remote.with_name("away"))
    yield
    moved.rename(remote)


def test_results_that_wait(host: Path, bare: Path, coordination: Coordination) -> None:
    (claim,) = claim_all(coordination)
    result = result_for(coordination, claim, completed_at="2026-01-01T00:00:00Z")
    coordination.record([(claim, result, {})])
    with away(bare):
        with pytest.raises(EnvironmentProblem):
            coordination.flush()
        found = one(host, "outbox", Severity.WARNING)
        assert "1 document waits to be published" in found.finding.summary
        assert "does not appear to be a git repository" in found.finding.summary
        assert found.finding.mend is None  # nothing can be published now
    assert mended(host, "outbox") == ["published 1 document"]


def test_a_result_that_was_just_entered_is_no_warning(host: Path, coordination: Coordination) -> None:
    (claim,) = claim_all(coordination)
    coordination.record([(claim, result_for(coordination, claim), {})])
    one(host, "outbox", Severity.NOTE)


def test_a_superseded_result_that_waits(host: Path, bare: Path, coordination: Coordination) -> None:
    (claim,) = claim_all(coordination)
    coordination.record([(claim, result_for(coordination, claim), {})])
    coordination.outbox.settle([claim.record.nonce], "fencing")
    one(host, "superseded", Severity.WARNING)
    assert mended(host, "superseded") == ["published 1 document, 1 of them superseded"]
    assert claim.record.nonce in git(bare, "for-each-ref", "refs/cortex/fenced")


def test_a_push_that_was_left_undecided(host: Path, coordination: Coordination) -> None:
    coordination.outbox.intend(Intent("1" * 40, coordination.repository.host, ()))
    one(host, "pushes", Severity.NOTE)
    mended(host, "pushes")


def test_locks_of_dead_owners(host: Path, coordination: Coordination) -> None:
    process = python(
        """
        import os, sys
        from pathlib import Path
        from cortex_git.store.coordination import Coordination
        Coordination.open(Path(sys.argv[1])).locks.acquire("dead")
        os._exit(0)
        """,
        str(host),
    )
    process.communicate(timeout=60)
    torn = host / "coordination" / "locks" / "torn.lock"
    torn.mkdir()
    (torn / "owner.json").write_text("{")
    age(torn)
    assert coordination.locks.acquire("living")
    found = one(host, "task-locks", Severity.NOTE)
    assert found.finding.summary == "2 locks are a dead owner's, or nobody's: dead, torn"
    assert mended(host, "task-locks") == ["removed 2 locks of dead owners"]
    assert {"living.lock"} == {path.name for path in torn.parent.iterdir() if path.name[0] != "b"}


def test_lock_files_that_a_killed_git_left(host: Path) -> None:
    ours = host / ".git" / "refs" / "cortex-remote" / "claims" / "t.lock"
    ours.parent.mkdir(parents=True)
    for path in (ours, host / ".git" / "packed-refs.lock", host / ".git" / "index.lock"):
        path.touch()
        assert_well(host, "git-locks")  # a git may just be at it
    for path in (ours, host / ".git" / "packed-refs.lock", host / ".git" / "index.lock"):
        age(path)
    mine, theirs = bad(host, "git-locks")
    assert (mine.severity, theirs.severity) == (Severity.WARNING, Severity.WARNING)
    assert mine.finding.mend is not None
    assert theirs.finding.mend is None
    assert theirs.finding.advice == f"rm {host / '.git' / 'index.lock'}"
    assert mine.finding.mend.run() == "removed 2 lock files that a killed git had left"
    assert not ours.exists()
    (host / ".git" / "index.lock").unlink()
    assert_well(host, "git-locks")


def test_a_lock_file_that_somebody_has_open_stays(host: Path) -> None:
    path = host / ".git" / "packed-refs.lock"
    holder = python("import sys; f = open(sys.argv[1], 'w'); print('ok', flush=True); sys.stdin.read()",
                    str(path), stdin=-1)  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ok\n"
    age(path)
    assert_well(host, "git-locks")
    holder.communicate(timeout=60)
    one(host, "git-locks", Severity.WARNING)


def test_a_git_at_work_keeps_lock_files(host: Path) -> None:
    path = host / ".git" / "packed-refs.lock"
    path.touch()
    age(path)
    (found,) = bad(host, "git-locks")
    work = python(
        "import os, sys; os.execvp('git', ['git', '-C', sys.argv[1], 'cat-file', '--batch'])",
        str(host),
        stdin=-1,
    )
    until(lambda: look(host, "git-locks")[0].severity is Severity.OK)
    assert found.finding.mend is not None
    with pytest.raises(EnvironmentProblem, match="git is at work"):
        found.finding.mend.run()
    work.communicate(timeout=60)
    assert path.exists()
    mended(host, "git-locks")


def test_refs_that_lead_nowhere(host: Path, coordination: Coordination) -> None:
    claims = claim_all(coordination)
    coordination.pull()
    tracked = host / ".git" / "refs" / "cortex-remote"
    (tracked / "claims" / "torn").write_text("garbage\n")
    (tracked / "claims" / claims[0].task.task).write_text("1" * 40 + "\n")
    found = one(host, "tracking", Severity.WARNING)
    assert "refs/cortex-remote/claims/torn" in found.finding.where
    mended(host, "tracking", offline=True)
    assert set(coordination.pull().claims) == {claims[0].task.task}


def test_what_cannot_be_pulled_is_a_problem(host: Path, bare: Path, coordination: Coordination) -> None:
    """The remote answers, and what it has is damaged."""
    assert_well(host, "pulling")
    tip = git(bare, "rev-parse", coordination.repository.own_results)
    (claim,) = claim_all(coordination)
    oid = git(bare, "rev-parse", coordination.repository.claim_ref(claim.task.task))
    assert tip
    for objects in (bare / "objects", host / ".git" / "objects"):
        for loose in objects.glob(f"{oid[:2]}/{oid[2:]}"):
            loose.unlink()
        for pack in (objects / "pack").glob("*"):
            shutil.rmtree(pack) if pack.is_dir() else pack.unlink()
    found = one(host, "pulling", Severity.PROBLEM)
    assert "pulling fails" in found.finding.summary
    assert [entry.looked for entry in bad(host, "waits")] == [False]


def test_a_state_file_that_cannot_be_written_is_a_problem(host: Path) -> None:
    shutil.rmtree(host / ".git" / "cortex", ignore_errors=True)
    (host / ".git" / "cortex").write_text("a file")
    assert "pulling fails" in one(host, "pulling", Severity.PROBLEM).finding.summary


def test_a_pool_that_was_killed_and_one_without_a_socket(host: Path) -> None:
    socket = host / ".git" / "cortex" / "pool.sock"
    with pool(host, "--workers", "1") as process:
        assert_well(host, "pool")
        assert holder_of(host / ".git" / "cortex" / "pool.lock") == process.pid
        socket.rename(socket.with_name("aside"))
        found = one(host, "pool", Severity.WARNING)
        assert found.finding.advice == f"kill -TERM {process.pid}"
        socket.with_name("aside").rename(socket)
        assert_well(host, "pool")
    assert socket.exists()
    one(host, "pool", Severity.WARNING)
    assert mended(host, "pool") == ["removed the socket of a pool that was killed"]
    assert not socket.exists()


def test_workers_of_a_dead_pool_save_what_they_hold_and_are_ended(
    host: Path, bare: Path, tmp_path: Path, commands: Callable[..., None]
) -> None:
    """Stopped before their pool was killed, they could not notice that. One holds a finished result."""
    commands(mark=f"sleep 4; touch {tmp_path}/ran")
    coordination = Coordination.open(host)
    command = [sys.executable, "-m", "cortex_git", "pool", "start", "--workers", "1"]
    process = subprocess.Popen(command, cwd=host, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: is_ready(host))
        add_tasks(coordination, 1, runner="command", context={"command": "mark"})
        until(lambda: _busy(coordination))
        (pid,) = _busy(coordination)
        process.send_signal(signal.SIGSTOP)  # so that nobody takes the worker's result
        until((tmp_path / "ran").exists)
        until(lambda: "ran" not in _children(pid))
        server = parent_of(pid)
        for one_of_them in (server, pid):
            os.kill(one_of_them, signal.SIGSTOP)
    finally:
        process.kill()
        process.wait()
    found = one(host, "workers", Severity.WARNING)
    assert str(pid) in found.finding.where
    mended(host, "workers")
    assert (process_started(pid), process_started(server)) == (0.0, 0.0)
    assert mended(host, "outbox") == ["published 1 document"]
    assert len(result_commits(bare)) == 1


def _children(pid: int) -> str:
    return " ".join(word for child in descendants(pid) for word in command_of(child))


def _busy(coordination: Coordination) -> list[int]:
    """Workers that are on a task."""
    query = "SELECT pid FROM workers WHERE ended_at IS NULL AND task IS NOT NULL"
    return [pid for (pid,) in coordination.repository.state.execute(query)]


def test_an_agents_folder_with_work_that_was_not_pushed(host: Path) -> None:
    folder = host / ".git" / "cortex" / "worktrees"
    (folder / "t-e1-0").mkdir(parents=True)
    record = {"task": "t", "epoch": 1, "branch": "cortex/t-e1", "repo": "/r", "clone": "/c", "base": "1",
              "commit": "2" * 40, "pushed": False, "reason": "the remote refused it"}  # fmt: skip
    path = folder / "t-e1-0.json"
    path.write_text(json.dumps(record))
    found = one(host, "work-trees", Severity.WARNING)
    assert found.finding.advice == f"git -C /c push /r {'2' * 40}:refs/heads/cortex/t-e1"
    path.write_text(json.dumps(record | {"pushed": True}))
    assert bad(host, "work-trees")[0].severity is Severity.NOTE


def test_a_branch_of_an_agent_that_was_not_pushed(host: Path) -> None:
    git(host, "switch", "-q", "-c", "cortex/t-e1")
    git(host, *COMMIT, "work", "--allow-empty")
    assert one(host, "agent-branches", Severity.WARNING).finding.advice.endswith("push origin cortex/t-e1")
    git(host, "push", "-q", "origin", "cortex/t-e1")
    assert_well(host, "agent-branches")


def _allocate(host: Path, code: str) -> None:
    process = python(
        f"""
        import os, sys
        from pathlib import Path
        from cortex_git.limits.ledger import Ledger
        ledger = Ledger.open(Path(sys.argv[1]), "me")
        ledger.grant({{"total": 1000}})
        assert ledger.allocate("nonce-1", task="t", batch="b", master="m", worker="w", tokens=400,
                               accounts=["total"])
        {code}
        """,
        str(host),
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


@pytest.mark.usefixtures("coordination")
def test_a_ledger_that_does_not_add_up(host: Path) -> None:
    _allocate(host, "pass")
    assert_well(host, "budget")
    with sqlite3.connect(host / ".git" / "cortex" / "state.db") as connection:
        connection.execute("UPDATE grants SET allocated = 300 WHERE account = 'total'")
    found = one(host, "budget", Severity.PROBLEM)
    assert "300 allocated and 0 reserved, and its attempts hold 400 and 0" in found.finding.summary


@pytest.mark.usefixtures("coordination")
def test_tokens_of_dead_processes(host: Path) -> None:
    _allocate(host, "ledger.sent(ledger.reserve('nonce-1', 100, model='m', provider='claude'))")
    found = one(host, "reservations", Severity.WARNING)
    assert found.finding.summary == "400 tokens are held by 1 attempt of dead processes"
    assert mended(host, "reservations") == ["gave back what 1 dead attempt held"]
    assert_well(host, "budget")


def test_many_loose_objects(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_files, "_MOST_LOOSE", 2)
    assert "loose objects" in one(host, "objects", Severity.NOTE).finding.summary


@pytest.mark.parametrize("text", ['{"active_workers": [{}]}', "{"], ids=["ghost", "torn"])
def test_a_snapshot_that_is_not_true(host: Path, coordination: Coordination, text: str) -> None:
    path = host / "coordination" / "worker-pool.json"
    path.write_text(text)
    one(host, "snapshots", Severity.NOTE)
    mended(host, "snapshots")
    assert json.loads(path.read_text())["active_workers"] == []
    assert coordination.repository.host


def test_a_lock_is_seen_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    assert holder_of(path) is None
    code = """
        import fcntl, sys
        with open(sys.argv[1], "a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            print("ok", flush=True)
            sys.stdin.read()
        """
    holder = python(code, str(path), stdin=-1)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ok\n"
    assert holder_of(path) == holder.pid
    holder.communicate(timeout=60)
    assert holder_of(path) is None
