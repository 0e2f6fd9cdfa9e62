"""The Dask engine when something fails: its scheduler, its workers, its command; and a scan's last task."""

import json
import os
import signal
import socket
import threading
from pathlib import Path

import pytest
from daskworld import Cluster, cluster, share
from gitworld import (
    CHECKOUT,
    add_tasks,
    assert_sound,
    claims_held,
    cortex,
    git,
    result_commits,
    results_on,
    start_cortex,
)
from poolworld import until

from cortex_git.models import Task
from cortex_git.processes import descendants
from cortex_git.services.dask_engine import divided
from cortex_git.services.dask_join import join_here
from cortex_git.services.joining import Placement, Work
from cortex_git.state import now
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import new_batch

pytest.importorskip("distributed", reason="the extra is not installed")

LONG = {"runner": "sleep", "context": {"seconds": 0.3}}


def nothing_runs(dask: Cluster) -> bool:
    return not any(descendants(worker.pid) for worker in dask.workers if worker.poll() is None)


def test_without_its_scheduler_the_command_ends_and_so_does_the_work(
    dask: Cluster, host: Path, bare: Path
) -> None:
    share(host, "[leases]\nlease_s = 3600\ngive_up_s = 1")
    names = [task.task for task in add_tasks(Coordination.open(host), 60, **LONG)]  # type: ignore[arg-type]
    command = start_cortex("spawn-workers", "--engine", dask.engine, "--count", "4", cwd=host)
    until(lambda: result_commits(bare) or command.poll() is not None)
    assert dask.scheduler is not None
    pools = [pid for worker in dask.workers for pid in descendants(worker.pid)]
    dask.scheduler.kill()
    dask.scheduler.wait()
    _, errors = command.communicate(timeout=90)
    assert command.returncode == 3, errors
    assert "nobody is left to work" in errors
    assert "Traceback" not in errors
    for worker in dask.workers:
        worker.wait(timeout=60)  # a Dask worker ends itself without its scheduler
    until(lambda: not any(alive(pid) for pid in pools))
    done = cortex("spawn-workers", "--count", "4", "--runner", "echo", cwd=host)
    assert done.returncode == 0, done.stderr
    assert sorted(results_on(bare, "main")) == names
    assert len(result_commits(bare)) == len(names)
    assert_sound(bare)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_remote_that_goes_away_for_longer_than_anybody_waits(dask: Cluster, host: Path, bare: Path) -> None:
    """What was done meanwhile waits in the clones of the Dask workers; the next joins publish it."""
    share(host, "[leases]\nlease_s = 3600\ngive_up_s = 1")
    names = [task.task for task in add_tasks(Coordination.open(host), 40, **LONG)]  # type: ignore[arg-type]
    command = start_cortex("spawn-workers", "--engine", dask.engine, "--count", "4", cwd=host)
    until(lambda: result_commits(bare) or command.poll() is not None)
    away = bare.rename(bare.with_name("away.git"))
    _, errors = command.communicate(timeout=90)
    assert command.returncode == 3, errors
    assert "nobody is left to work" in errors
    assert "Traceback" not in errors
    until(lambda: nothing_runs(dask))
    away.rename(bare)
    assert 0 < len(result_commits(bare)) < len(names)
    again = cortex("spawn-workers", "--engine", dask.engine, "--count", "4", "--runner", "echo", cwd=host)
    assert again.returncode == 0, again.stderr
    assert sorted(results_on(bare, "main")) == names
    assert len(result_commits(bare)) == len(names)
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""


def test_the_second_signal_ends_what_runs_and_gives_it_back(dask: Cluster, host: Path, bare: Path) -> None:
    add_tasks(Coordination.open(host), 8, runner="sleep", context={"seconds": 600})
    command = start_cortex("spawn-workers", "--engine", dask.engine, "--count", "4", cwd=host)
    until(lambda: git(bare, "for-each-ref", "refs/cortex/claims").count("\n") >= 3)
    until(lambda: sum(len(descendants(worker.pid)) for worker in dask.workers) >= 6)
    os.kill(command.pid, signal.SIGINT)
    assert command.stderr is not None
    while "once more ends it at once" not in command.stderr.readline():
        pass
    os.kill(command.pid, signal.SIGINT)
    _, errors = command.communicate(timeout=60)
    assert command.returncode == 130, errors
    assert "did not end" not in errors
    until(lambda: nothing_runs(dask))
    assert claims_held(bare) == []
    assert result_commits(bare) == []


def test_a_dask_worker_that_is_stopped_gives_its_work_to_the_others(
    dask: Cluster, host: Path, bare: Path
) -> None:
    share(host, "[leases]\nlease_s = 3600")
    names = [task.task for task in add_tasks(Coordination.open(host), 30, **LONG)]  # type: ignore[arg-type]
    command = start_cortex("spawn-workers", "--engine", dask.engine, "--count", "4", cwd=host)
    until(lambda: all(descendants(worker.pid) for worker in dask.workers) and len(result_commits(bare)) > 2)
    dask.workers[0].send_signal(signal.SIGTERM)
    _, errors = command.communicate(timeout=90)
    assert command.returncode == 0, errors
    assert len(result_commits(bare)) == len(names)
    dask.workers[0].wait(timeout=60)
    assert sorted(results_on(bare, "main")) == names


def test_the_summary_of_a_scan_is_made_by_a_join(
    dask: Cluster, host: Path, bare: Path, tmp_path: Path
) -> None:
    lock = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/lodash": {"version": "4.17.15"}}}
    repository = tmp_path / "scanned"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    (repository / "package-lock.json").write_text(json.dumps(lock))
    git(repository, "add", ".")
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "-qm", "lock")
    coordination, url = Coordination.open(host), str(repository)
    tasks = [
        Task(task=f"s-{n}", batch="s", title="scan", repo=url, context={"url": url}, created_at=now())
        for n in range(4)
    ]
    coordination.add_batch(new_batch("s", 4, coordination.repository.host, merge=True), tasks)
    done = cortex("spawn-workers", "--engine", dask.engine, "--count", "2", "--format", "json", cwd=host)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"] == 4
    found = set(git(bare, "ls-tree", "--name-only", "main", "coordination/results/s/").split())
    assert {f"coordination/results/s/{name}" for name in ("summary.json", "s.merge.json")} <= found
    summary = json.loads(git(bare, "show", "main:coordination/results/s/summary.json"))
    assert summary["repositories_scanned"] == 4


def test_something_else_listens_at_that_address(host: Path) -> None:
    add_tasks(Coordination.open(host), 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet, args=(server,), daemon=True)
        thread.start()
        port = server.getsockname()[1]
        done = cortex("spawn-workers", "--engine", f"dask://127.0.0.1:{port}", cwd=host)
    assert done.returncode == 3
    assert done.stderr.splitlines()[1:] == [
        f"error: what listens at 127.0.0.1:{port} does not answer as a Dask scheduler does: check the address"
    ]


def greet(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"220 mail.example.invalid ESMTP\r\n")


def test_where_no_dask_worker_can_join_the_command_says_why(
    tmp_path: Path, host: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(Coordination.open(host), 1)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tmp_path / "no-git-here"))
        made = cluster(tmp_path / "cluster", 2)
        dask = made.__enter__()
    try:
        done = cortex("spawn-workers", "--engine", dask.engine, "--count", "2", cwd=host)
    finally:
        made.__exit__(None, None, None)
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith("1 task has no result, and nobody is left to work: tcp://127.0.0.1:")
    assert "git was not found" in last
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""


def test_a_join_whose_command_falls_silent_drains(host: Path, bare: Path, tmp_path: Path) -> None:
    """The command was killed: the join hears no beat of it any more."""
    from distributed import Client, Variable

    add_tasks(Coordination.open(host), 60, **LONG)  # type: ignore[arg-type]
    placement = Placement(str(bare), "main", Work(Scope(batch="b1"), 2))
    patience = "import cortex_git.services.dask_join as join; join._SILENT_S = 1.0"
    (tmp_path / "sitecustomize.py").write_text(patience)
    with cluster(tmp_path / "cluster", 0) as dask:
        dask.add_worker(path=f"{tmp_path}{os.pathsep}{CHECKOUT}")
        with Client(f"tcp://127.0.0.1:{dask.port}", set_as_default=False) as client:  # type: ignore[no-untyped-call]
            Variable("command", client=client).set({"beat": 1, "order": "work"})
            report = client.submit(join_here, placement, 0, "command").result(timeout=60)
            late = client.submit(join_here, placement, 0, "no such command").result(timeout=60)
    assert (report.problem, report.waiting) == ("", 0)
    assert 0 < len(result_commits(bare)) < 60
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert late.host == "", "it came after its command had ended, and did not begin"


def test_shares_are_even_and_none_is_empty() -> None:
    assert divided(10, 4) == [3, 3, 2, 2]
    assert divided(2, 4) == [1, 1]
    assert divided(64, 1) == [64]
