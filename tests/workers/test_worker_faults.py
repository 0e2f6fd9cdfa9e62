"""Faults of batches and pools that are known and not mended yet: each test states what should hold.

All are strict: whoever mends one is told so by this file, and moves the test beside its kin.
"""

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from gitworld import add_tasks, cortex, finish, git, new_coordination, python, result_for, start_cortex
from test_batch import Seen, alive

from cortex_git.gitio import Git, GitFailed
from cortex_git.services.batches import open_pool
from cortex_git.store import index, releasing
from cortex_git.store.claim_records import Claim
from cortex_git.store.commits import Draft
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.refs import Outcome, Update
from cortex_git.workers import pool as pool_module
from cortex_git.workers.attempts import BatchReport
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.pool import Pool


@pytest.fixture
def one_host(tmp_path: Path, bare: Path) -> Coordination:
    new_coordination(tmp_path / "host-0", bare)
    return Coordination.open(tmp_path / "host-0")


def run_for(batch: BatchRun, seconds: float) -> BatchReport:
    """Run a batch, ended by two interrupts when it has not ended by itself: then it hangs."""

    def end() -> None:
        batch.interrupt()
        batch.interrupt()

    guard = threading.Timer(seconds, end)
    guard.start()
    try:
        return batch.run()
    finally:
        guard.cancel()


def when_busy(pool: Pool, act: Callable[[], None], workers: int = 1) -> None:
    """Call `act` in a thread once so many workers are at work."""

    def wait() -> None:
        while len(pool.busy()) < workers:
            time.sleep(0.01)
        time.sleep(0.1)
        act()

    threading.Thread(target=wait).start()


def lose_once(
    coordination: Coordination, which: Callable[[Update], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lose the next push whose first update is such a one, on its way there."""
    refs = coordination.repository.refs
    real = refs.transaction
    lost: list[Update] = []

    def unsure(updates: list[Update], *, atomic: bool) -> list[Outcome]:
        if updates and not lost and which(updates[0]):
            lost.append(updates[0])
            return [Outcome.UNKNOWN] * len(updates)
        return real(updates, atomic=atomic)

    monkeypatch.setattr(refs, "transaction", unsure)


def test_a_lost_takeover_of_a_dead_worker_s_task_is_made_again(
    one_host: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(one_host, 1, runner="sleep", context={"seconds": 0.5}, max_attempts=9)

    def takeover(update: Update) -> bool:
        return "/claims/" in update.ref and update.new is not None and isinstance(update.expected, str)

    lose_once(one_host, takeover, monkeypatch)
    with open_pool(one_host, ["sleep"], 2, "scan-worker") as pool:
        batch = BatchRun(one_host, pool, Scope(batch="b1"), watcher=Seen())
        when_busy(pool, lambda: os.kill(pool.busy()[0].pid, signal.SIGKILL))
        report = run_for(batch, 5)
    assert (report.interrupted, report.published) == (False, 1)


def test_a_fenced_result_that_could_not_be_kept_is_tried_again(
    one_host: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(one_host, 2, runner="sleep", context={"seconds": 0.8})
    lose_once(one_host, lambda update: "/fenced/" in update.ref, monkeypatch)

    def steal() -> None:
        other = Coordination.open(one_host.repository.folder)
        task, oid = next(iter(other.pull().claims.items()))
        record = other.claims.record(oid)
        assert record is not None
        taken = other.claims.take_over(Claim(index.task_of(other.repository, task), oid, record))
        assert taken is not None
        finish(other, [taken])

    with open_pool(one_host, ["sleep"], 2, "scan-worker") as pool:
        batch = BatchRun(one_host, pool, Scope(batch="b1"), watcher=Seen())
        when_busy(pool, steal, 2)
        report = run_for(batch, 5)
    assert (report.interrupted, report.published, report.fenced) == (False, 1, 1)


def test_a_result_saved_by_a_dead_command_s_worker_meanwhile_is_published(one_host: Coordination) -> None:
    add_tasks(one_host, 1)
    child = python(
        """
        import sys
        from pathlib import Path
        from gitworld import claim_all
        from cortex_git.store.coordination import Coordination
        print(claim_all(Coordination.open(Path(sys.argv[1])))[0].oid, flush=True)
        """,
        str(one_host.repository.folder),
    )
    oid = child.communicate(timeout=30)[0].strip()
    one_host.pull()
    record = one_host.claims.record(oid)
    assert record is not None
    claim = Claim(index.task_of(one_host.repository, "b1-t000"), oid, record)
    one_host.flush()  # as the new command does before it claims
    one_host.record([(claim, result_for(one_host, claim), {})])
    with open_pool(one_host, ["echo"], 1, "scan-worker") as pool:
        report = run_for(BatchRun(one_host, pool, Scope(batch="b1"), watcher=Seen()), 4)
    assert not report.interrupted


def test_a_task_whose_batch_is_unknown_costs_only_itself(one_host: Coordination) -> None:
    add_tasks(one_host, 1)
    folder = one_host.repository.folder
    one_host.fold()
    one_host.pull()
    one_host.follow()
    path = folder / "coordination" / "tasks" / "hand" / "by-hand.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": 1, "task": "by-hand", "batch": "hand", "title": "x", "runner": "echo"}')
    git(folder, "add", ".")
    git(folder, "-c", "user.name=p", "-c", "user.email=p@example.invalid", "commit", "-qm", "by hand")
    git(folder, "push", "-q", "origin", "main")
    with open_pool(one_host, ["echo"], 2, "scan-worker") as pool:
        report = run_for(BatchRun(one_host, pool, Scope(), watcher=Seen()), 8)
    assert "b1-t000" in report.results


def test_a_worker_told_to_end_by_somebody_else_has_not_used_up_its_time(one_host: Coordination) -> None:
    add_tasks(one_host, 1, runner="sleep", context={"seconds": 1})
    with open_pool(one_host, ["sleep"], 1, "scan-worker") as pool:
        batch = BatchRun(one_host, pool, Scope(batch="b1"), watcher=Seen())
        when_busy(pool, lambda: os.kill(pool.busy()[0].pid, signal.SIGTERM))
        report = run_for(batch, 10)
    assert [result.status for result in report.results.values()] == ["completed"]


def test_a_program_that_leaves_as_soon_as_its_time_is_up_has_run_out_of_time(
    one_host: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the pool takes from its first signal to its next: the worker hears of the time first."""
    config = Path(os.environ["CORTEX_CONFIG_HOME"])
    config.mkdir(parents=True)
    # What the shell says of a `sleep` that was ended with it is none of its output here.
    script = "exec 2>/dev/null; trap 'exit 4' TERM; echo half; while :; do sleep 0.05; done"
    (config / "config.toml").write_text(f'[commands.slow]\nargv = ["sh", "-c", "{script}"]\n')
    add_tasks(one_host, 1, runner="command", context={"command": "slow"}, deadline=0.05)
    real = pool_module.signal_session

    def slowly(leader: int, number: signal.Signals, **given: int) -> None:
        real(leader, number, **given)
        time.sleep(0.5)

    monkeypatch.setattr(pool_module, "signal_session", slowly)
    with open_pool(one_host, ["command"], 1, "scan-worker") as pool:
        report = run_for(BatchRun(one_host, pool, Scope(batch="b1"), watcher=Seen()), 30)
    (result,) = report.results.values()
    assert (result.status, result.output, result.attempt) == ("timed_out", {"text": "half\n"}, 1)


def test_a_busy_database_does_not_end_the_claiming(
    one_host: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(one_host, 4, runner="sleep", context={"seconds": 0.2})
    real, calls = one_host.claims.unavailable, []

    def unavailable(view: index.View) -> list[str]:
        calls.append(view)
        if len(calls) == 2:
            raise sqlite3.OperationalError("database is locked")
        return real(view)

    monkeypatch.setattr(one_host.claims, "unavailable", unavailable)
    with open_pool(one_host, ["sleep"], 1, "scan-worker") as pool:
        report = run_for(BatchRun(one_host, pool, Scope(batch="b1"), watcher=Seen()), 10)
    assert report.published == 4


def test_a_task_that_never_ran_is_not_failed_for_its_attempts(tmp_path: Path, bare: Path) -> None:
    new_coordination(tmp_path / "host", bare)
    host = Coordination.open(tmp_path / "host")
    add_tasks(host, 4, runner="sleep", context={"seconds": 3})
    command = ("spawn-workers", "--batch", "b1", "--count", "1", "--runner")
    for _ in range(3):
        child = start_cortex(*command, "sleep", cwd=tmp_path / "host")
        while child.poll() is None:
            records = [host.claims.record(oid) for oid in host.pull().claims.values()]
            if len([record for record in records if record and record.pid == child.pid]) > 1:
                break
            time.sleep(0.05)
        child.kill()
        child.communicate()
    cortex(*command, "echo", cwd=tmp_path / "host")
    host.pull()
    failed = [result for result in host.results(Scope(batch="b1")) if result.status == "failed"]
    assert len(failed) <= 1  # the one that a worker was on


def hang(host: Coordination, folder: Path) -> Path:
    """From now on the remote takes connections and says nothing; the file gets the ids of what then hangs."""
    pids = folder / "hanging"
    script = folder / "hang"
    script.write_text(f"#!/bin/sh\necho $$ >> {pids}\nexec sleep 25\n")
    script.chmod(0o755)
    for which in ("receivepack", "uploadpack"):
        git(host.repository.folder, "config", f"remote.origin.{which}", str(script))
    return pids


def test_a_second_signal_ends_a_command_whose_remote_hangs(tmp_path: Path, bare: Path) -> None:
    new_coordination(tmp_path / "host", bare)
    host = Coordination.open(tmp_path / "host")
    add_tasks(host, 4, runner="sleep", context={"seconds": 60})
    child = start_cortex(
        "spawn-workers", "--batch", "b1", "--count", "2", "--runner", "sleep", cwd=tmp_path / "host"
    )
    while not host.pull().claims:
        time.sleep(0.1)
    time.sleep(1.5)
    hang(host, tmp_path)
    try:
        for _ in range(2):
            os.kill(child.pid, signal.SIGINT)
            time.sleep(0.3)
        child.wait(timeout=6)
    except subprocess.TimeoutExpired:
        pytest.fail("still there 6 s after the second signal")
    finally:
        child.kill()
        child.communicate()


def test_kill_9_leaves_no_git_behind_that_hangs(tmp_path: Path, bare: Path) -> None:
    new_coordination(tmp_path / "host", bare)
    host = Coordination.open(tmp_path / "host")
    add_tasks(host, 1)
    pids = hang(host, tmp_path)
    child = start_cortex("sync", cwd=tmp_path / "host")
    while not pids.exists():
        time.sleep(0.05)
    child.kill()
    child.wait()
    assert not alive(int(pids.read_text().split()[0]))


def test_what_a_killed_worker_started_is_ended_without_its_fork_server_too(
    one_host: Coordination, tmp_path: Path
) -> None:
    config = Path(os.environ["CORTEX_CONFIG_HOME"])
    config.mkdir(parents=True)
    script = f"echo $$ >> {tmp_path}/pids; sleep 15"
    (config / "config.toml").write_text(f'[commands.slow]\nargv = ["sh", "-c", "{script}"]\n')
    add_tasks(one_host, 1, runner="command", context={"command": "slow"}, max_attempts=1)
    with open_pool(one_host, ["command"], 1, "scan-worker") as pool:
        batch = BatchRun(one_host, pool, Scope(batch="b1"), watcher=Seen())

        def kill_both() -> None:
            while not (tmp_path / "pids").exists():
                time.sleep(0.01)
            worker = pool.busy()[0].pid
            pool._spawner._process.kill()  # type: ignore[attr-defined]
            time.sleep(0.1)
            os.kill(worker, signal.SIGKILL)

        when_busy(pool, kill_both)
        run_for(batch, 20)
    assert not alive(int((tmp_path / "pids").read_text().split()[0]))


def test_a_claim_held_ahead_is_not_started_when_its_result_is_known(one_host: Coordination) -> None:
    add_tasks(one_host, 2, runner="sleep", context={"seconds": 2.0}, max_attempts=9)
    seen = Seen()
    taken: list[str] = []

    def finish_the_other() -> None:
        other = Coordination.open(one_host.repository.folder)
        while len(claims := other.pull().claims) < 2:
            time.sleep(0.05)
        (task,) = set(claims) - {task for task, _ in seen.starts}
        record = other.claims.record(claims[task])
        assert record is not None
        new = other.claims.take_over(Claim(index.task_of(other.repository, task), claims[task], record))
        assert new is not None
        finish(other, [new])
        other.pull()
        taken.append(task)

    with open_pool(one_host, ["sleep"], 1, "scan-worker") as pool:
        batch = BatchRun(one_host, pool, Scope(batch="b1"), watcher=seen)
        when_busy(pool, finish_the_other)
        run_for(batch, 15)
    assert len(taken) == 1
    assert taken[0] not in [task for task, _ in seen.starts]


def test_a_disk_that_is_full_as_an_attempt_fails_ends_neither_the_batch_nor_the_task(
    one_host: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is a living process's: one that it has forgotten stands in its task's way for ever."""
    config = Path(os.environ["CORTEX_CONFIG_HOME"])
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[commands.bad]\nargv = ["sh", "-c", "exit 4"]\n')
    add_tasks(one_host, 1, runner="command", context={"command": "bad"}, max_attempts=2)
    real, full = releasing.singles, []

    def singles(git: Git, author: str, drafts: Sequence[Draft]) -> list[str]:
        if not full and "released" in drafts[0].message:
            full.append(drafts)
            raise GitFailed("fast-import: No space left on device")
        return real(git, author, drafts)

    monkeypatch.setattr(releasing, "singles", singles)
    with open_pool(one_host, ["command"], 1, "scan-worker") as pool:
        report = run_for(BatchRun(one_host, pool, Scope(batch="b1"), watcher=Seen()), 10)
    assert full and [(r.status, r.attempt) for r in report.results.values()] == [("failed", 2)]
