"""`spawn-workers --engine dask://…` on a real cluster: every task once, whoever dies."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from daskworld import Cluster, cluster, free_port, share
from gitworld import add_tasks, assert_sound, cortex, git, result_commits, results_on, start_cortex
from poolworld import until

from cortex_git.errors import BadInput
from cortex_git.processes import descendants
from cortex_git.services.engines import checked_engine
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.index import Scope

pytest.importorskip("distributed", reason="the extra is not installed")


def published(bare: Path) -> int:
    return len(result_commits(bare))


def assert_once(bare: Path, tasks: list[str]) -> None:
    """Every task has one result, folded, and nothing is held or broken."""
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == len(tasks)
    assert sorted(results_on(bare, "main")) == sorted(tasks)
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(bare)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.race
@pytest.mark.timeout(300)
def test_hundreds_of_tasks_and_a_dask_worker_killed_midway(host: Path, bare: Path, tmp_path: Path) -> None:
    share(host, "[leases]\nlease_s = 3600")  # what the killed one held is not waited for
    names = [task.task for task in add_tasks(Coordination.open(host), 400)]
    with cluster(tmp_path / "cluster", 4) as dask:
        command = start_cortex(
            "spawn-workers", "--engine", dask.engine, "--count", "8", "--format", "json", cwd=host
        )
        until(lambda: published(bare) >= 25 or command.poll() is not None)
        victim = next(worker for worker in dask.workers if descendants(worker.pid))
        pool = descendants(victim.pid)
        victim.kill()
        victim.wait()
        before = published(bare)
        out, errors = command.communicate(timeout=240)
        assert command.returncode == 0, errors
        assert before < 400, "all was done before the kill: it proved nothing"
        assert pool
        until(lambda: not any(running(pid) for pid in pool), 10)
        said = json.loads(out)
        assert (said["tasks"], said["completed"], said["failed"]) == (400, 400, 0)
        assert_once(bare, names)
        until(lambda: not any(descendants(worker.pid) for worker in dask.workers if worker is not victim))
        published_by = git(bare, "for-each-ref", "--format=%(refname)", "refs/cortex/results").split()
        assert len(published_by) >= 4, "three Dask workers at least, and whoever added the tasks"


def test_tasks_are_run_in_clones_of_the_dask_workers(dask: Cluster, host: Path, bare: Path) -> None:
    names = [task.task for task in add_tasks(Coordination.open(host), 20)]
    done = cortex("spawn-workers", "--engine", dask.engine, "--count", "2", cwd=host)
    assert done.returncode == 0, done.stderr
    assert "Tasks: 20, completed: 20, failed: 0" in done.stdout
    assert_once(bare, names)
    own = Coordination.open(host)
    own.pull()
    hosts = {result.host for result in own.results(scope_of("b1"))}
    assert hosts and own.repository.host not in hosts

    more = [task.task for task in add_tasks(own, 6, "b2")]
    again = cortex("spawn-workers", "--engine", dask.engine, "--count", "2", cwd=host)
    assert again.returncode == 0, again.stderr
    assert_once(bare, names + more)
    own.pull()
    clones = [path for worker in dask.folder.glob("worker-*") for path in worker.rglob("host.json")]
    assert len(clones) == len(dask.workers), "a later batch works in the clones of the earlier one"


def scope_of(batch: str) -> Scope:
    return Scope(batch=batch)


def test_the_first_signal_drains_all_joins(dask: Cluster, host: Path, bare: Path) -> None:
    add_tasks(Coordination.open(host), 60, runner="sleep", context={"seconds": 0.5})
    command = start_cortex(
        "spawn-workers", "--engine", dask.engine, "--count", "2", "--runner", "sleep", cwd=host
    )
    until(lambda: published(bare) > 0 or command.poll() is not None)
    os.kill(command.pid, signal.SIGINT)
    _, errors = command.communicate(timeout=60)
    assert command.returncode == 130, errors
    done = published(bare)
    assert 0 < done < 60
    until(lambda: not any(descendants(worker.pid) for worker in dask.workers))
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert published(bare) == done


def test_when_all_dask_workers_are_gone_the_command_says_so(dask: Cluster, host: Path, bare: Path) -> None:
    config = host / "coordination/config.toml"
    config.write_text(config.read_text() + "\n[leases]\ngive_up_s = 2\n")
    names = [
        task.task for task in add_tasks(Coordination.open(host), 12, runner="sleep", context={"seconds": 0.3})
    ]
    command = start_cortex(
        "spawn-workers", "--engine", dask.engine, "--count", "2", "--runner", "sleep", cwd=host
    )
    until(lambda: published(bare) > 0 or command.poll() is not None)
    for worker in dask.workers:
        worker.kill()
        worker.wait()
    _, errors = command.communicate(timeout=90)
    assert command.returncode == 3, errors
    assert "no worker left" in errors
    assert published(bare) < 12
    again = cortex("spawn-workers", "--count", "2", "--runner", "sleep", cwd=host)
    assert again.returncode == 0, again.stderr
    assert_once(bare, names)


@pytest.mark.parametrize(
    "engine", ["dask", "dask://", "dask://host", "dask://u:p@h:1", "http://h:1", "tcp://h:1", "dask://h:x"]
)
def test_an_engine_that_is_not_understood(engine: str) -> None:
    with pytest.raises(BadInput, match=re.escape(f"no engine {engine!r}")):
        checked_engine(engine)


def test_a_command_with_such_an_engine_is_wrong_use(host: Path) -> None:
    add_tasks(Coordination.open(host), 1)
    done = cortex("spawn-workers", "--engine", "dask://host", cwd=host)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no engine 'dask://host'" in done.stderr


def test_no_scheduler_there(host: Path) -> None:
    add_tasks(Coordination.open(host), 1)
    began = time.monotonic()
    done = cortex("spawn-workers", "--engine", f"dask://127.0.0.1:{free_port()}", cwd=host)
    assert done.returncode == 3
    assert "no Dask scheduler answers" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 60


def test_a_repository_without_a_remote(tmp_path: Path) -> None:
    """That is said before any scheduler is asked: there is none."""
    create(tmp_path / "alone", None)
    add_tasks(Coordination.open(tmp_path / "alone"), 1)
    engine = f"dask://127.0.0.1:{free_port()}"
    done = cortex("spawn-workers", "--engine", engine, cwd=tmp_path / "alone")
    assert done.returncode == 2
    assert "no remote" in done.stderr


def test_dask_workers_without_this_package(tmp_path: Path, host: Path) -> None:
    add_tasks(Coordination.open(host), 1)
    other = tmp_path / "other" / "cortex_git"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('__version__ = "0.0.0"\n')
    with cluster(tmp_path / "cluster", 0) as dask:
        none = cortex("spawn-workers", "--engine", dask.engine, cwd=host)
        assert none.returncode == 3
        assert "has no workers" in none.stderr
        dask.add_worker(path=str(other.parent))
        until(lambda: "0.0.0" in cortex("spawn-workers", "--engine", dask.engine, cwd=host).stderr)
        (other / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'cortex_git'\")\n")
        dask.add_worker(path=str(other.parent))
        dask.wait_for(2)
        done = cortex("spawn-workers", "--engine", dask.engine, cwd=host)
        assert done.returncode == 3
        assert "2 of 2 Dask workers cannot run cortex-git" in done.stderr
        assert "Traceback" not in done.stderr
    assert git(host, "status", "--porcelain") == ""


def test_the_extra_is_not_installed(tmp_path: Path, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_tasks(Coordination.open(host), 1)
    hidden = tmp_path / "hidden" / "distributed"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hidden.parent), os.environ["PYTHONPATH"]]))
    done = cortex("spawn-workers", "--engine", "dask://127.0.0.1:1", cwd=host)
    assert done.returncode == 3
    assert "pip install 'cortex-git[dask]'" in done.stderr


def test_a_dry_run_says_where_and_asks_nobody(host: Path) -> None:
    add_tasks(Coordination.open(host), 3)
    engine = f"dask://127.0.0.1:{free_port()}"
    done = cortex("spawn-workers", "--engine", engine, "--count", "2", "--dry-run", cwd=host)
    assert done.returncode == 0, done.stderr
    where = engine.removeprefix("dask://")
    assert f"would run 3 open tasks on 2 workers through the Dask scheduler at {where}" in done.stderr
