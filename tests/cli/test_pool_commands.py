"""`pool start|status|stop`, and `spawn-worker` with a pool to ask."""

import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitworld import add_tasks, assert_sound, cortex, git, result_commits, start_cortex
from poolworld import is_ready, pool, said, until

from cortex_git.services.pool_client import ask_pool, pool_status, wake_pool
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.results import read_results


def spawn(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return cortex("spawn-worker", "--type", "analysis-worker", *arguments, cwd=folder)


def test_a_pool_from_its_start_to_its_end(
    host: Path, bare: Path, conforms: Callable[[Any, str], None]
) -> None:
    with pool(host, "--min", "2", "--max", "3") as process:
        shown = cortex("pool", "status", "--format", "json", cwd=host)
        conforms(said(shown), "pool-status")
        found = said(shown)
        assert (found["pid"], found["owner"], found["min"], found["max"]) == (process.pid, "pool", 2, 3)
        explained = cortex("pool", "status", "--explain", cwd=host).stdout
        assert "Why: utilization 0.00 activates 14% of 64: 9 workers" in explained
        assert "worker-pool-001  idle" in explained

        second = cortex("pool", "start", cwd=host)
        assert second.returncode == 3
        assert f"a pool runs already for {host} (process {process.pid})" in second.stderr

        would = cortex("pool", "stop", "--dry-run", cwd=host)
        assert (would.returncode, would.stderr) == (0, f"would tell pool {process.pid} to drain it\n")
        stopped = cortex("pool", "stop", "--format", "json", cwd=host)
        assert stopped.returncode == 0
        conforms(said(stopped), "pool-stop")
        assert process.wait(timeout=60) == 0
    assert pool_status(host) is None
    for command in ("status", "stop"):
        none = cortex("pool", command, "--format", "json", cwd=host)
        assert (none.returncode, said(none)["running"]) == (3, False)
        conforms(said(none), f"pool-{command}")


def test_in_the_background_with_a_log(host: Path, conforms: Callable[[Any, str], None]) -> None:
    started = cortex("pool", "start", "--min", "1", "--max", "1", "--detach", "--format", "json", cwd=host)
    try:
        assert started.returncode == 0, started.stderr
        conforms(said(started), "pool-start")
        until(lambda: is_ready(host))
        assert "is ready: 1 to 1 workers" in Path(str(said(started)["log"])).read_text()
        again = cortex("pool", "start", "--detach", cwd=host)
        assert (again.returncode, again.stderr.count("\n")) == (3, 1)
        assert "the pool did not start: a pool runs already" in again.stderr
    finally:
        cortex("pool", "stop", cwd=host)
    assert pool_status(host) is None


def test_a_worker_of_the_pool_is_warm(host: Path, bare: Path, conforms: Callable[[Any, str], None]) -> None:
    add_tasks(Coordination.open(host), 1, "given", type="analysis-worker")
    with pool(host, "--workers", "2"):
        new = spawn(host, "--task-id", "new", "--runner", "echo", "--format", "json")
        assert new.returncode == 0, new.stderr
        conforms(said(new), "spawn-worker")
        answer = said(new)
        assert (answer["spawn"], answer["status"], answer["batch"]) == ("warm", "completed", "tasks")
        acknowledged = [
            ref for ref in git(bare, "for-each-ref", "--format=%(refname)").split() if "results" in ref
        ]
        assert acknowledged  # before the command ended
        given = said(spawn(host, "--task-id", "given-t000", "--format", "json"))
        assert (given["spawn"], given["status"]) == ("warm", "completed")
        text = spawn(host, "--task-id", "new", "--runner", "echo").stdout
        assert "completed new (attempt 1)\nSpawn: warm, " in text
        cold = said(spawn(host, "--task-id", "other", "--runner", "echo", "--cold", "--format", "json"))
        assert (cold["spawn"], cold["claim_ms"]) == ("cold", None)
        assert float(str(cold["spawn_ms"])) > float(str(answer["spawn_ms"]))
    assert_sound(bare)


def test_without_an_id_the_pool_takes_the_next_open_task(host: Path, bare: Path) -> None:
    with pool(host, "--workers", "1", "--batch", "nothing-else"):
        none = spawn(host, "--runner", "echo")
        assert (none.returncode, none.stderr.count("\n")) == (3, 1)
        assert "no open task for a analysis-worker" in none.stderr
        add_tasks(Coordination.open(host), 2, "b", type="analysis-worker")
        done = [said(spawn(host, "--runner", "echo", "--format", "json"))["task"] for _ in range(2)]
    assert sorted(map(str, done)) == ["b-t000", "b-t001"]


UNUSABLE = [
    (["--task-id", "x", "--runner", "nonsense"], 2, "no runner is called 'nonsense'"),
    (["--task-id", "x"], 3, "no key for claude"),
    (["--task-id", "Not/An/Id", "--runner", "echo"], 2, "is not a usable name"),
    (["--task-id", "x", "--runner", "echo", "--priority", "no"], 2, "no priority 'no'"),
    (["--task-id", "x", "--runner", "echo", "--context", "{"], 2, "context"),
    (["--task-id", "x", "--type", "no-worker", "--runner", "echo"], 2, "no worker type 'no-worker'"),
]


def test_what_the_pool_cannot_use_is_said_as_without_one(host: Path) -> None:
    """One pool for all of it: none of it ends the pool."""
    with pool(host, "--workers", "1"):
        answers = [spawn(host, *arguments) for arguments, _, _ in UNUSABLE]
    for warm, (arguments, code, words) in zip(answers, UNUSABLE, strict=True):
        cold = spawn(host, *arguments)
        assert (warm.returncode, warm.stdout) == (code, ""), arguments
        assert words in warm.stderr
        assert warm.stderr == cold.stderr
    assert Coordination.open(host).pull().claims == {}


def test_an_attempt_that_fails_is_released_and_the_command_says_so(
    host: Path, bare: Path, commands: Callable[..., None]
) -> None:
    commands(broken="exit 3")
    with pool(host, "--workers", "1"):
        done = spawn(host, "--task-id", "x", "--runner", "command", "--context", "command=broken")
        assert done.returncode == 1
        assert "the task was released to be tried again" in done.stdout
        until(lambda: result_commits(bare))  # the pool goes on with it, up to the last attempt
    (result,) = read_results(_pulled(host).repository, ["x"])
    assert (result.status, result.attempt) == ("failed", 3)


def _pulled(folder: Path) -> Coordination:
    coordination = Coordination.open(folder)
    coordination.pull()
    return coordination


def test_only_this_user_may_come_in_and_a_dead_pool_s_socket_is_no_pool(host: Path, bare: Path) -> None:
    with pool(host, "--workers", "1") as process:
        path = host / ".git/cortex/pool.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert path.exists()
        assert pool_status(host) is None
        assert said(spawn(host, "--task-id", "a", "--runner", "echo", "--format", "json"))["spawn"] == "cold"
        with pool(host, "--workers", "1"):
            warm = spawn(host, "--task-id", "b", "--runner", "echo", "--format", "json")
            assert said(warm)["spawn"] == "warm"
    assert len(result_commits(bare)) == 2


def test_in_a_folder_too_deep_for_a_socket_s_address(tmp_path: Path, bare: Path) -> None:
    deep = tmp_path / ("with spaces " * 5).strip() / ("d" * 100) / "host"
    deep.parent.mkdir(parents=True)
    create(deep, str(bare))
    with pool(deep, "--workers", "1"):
        assert said(spawn(deep, "--task-id", "a", "--runner", "echo", "--format", "json"))["spawn"] == "warm"


def test_a_second_work_tree_asks_the_same_pool(host: Path, tmp_path: Path) -> None:
    git(host, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    with pool(host, "--workers", "1") as process:
        found = pool_status(tmp_path / "tree")
        assert found is not None
        assert found["pid"] == process.pid


def test_tasks_that_come_from_elsewhere_are_run(clones: Callable[[int], list[Path]], bare: Path) -> None:
    here, there = clones(2)
    with pool(here, "--workers", "3"):
        names = [task.task for task in add_tasks(Coordination.open(there), 12)]
        wake_pool(here)
        until(lambda: len(result_commits(bare)) == len(names))
    assert_sound(bare)


def test_a_pool_of_one_type_carries_out_what_it_is_asked_for_all_the_same(host: Path) -> None:
    with pool(host, "--workers", "1", "--type", "fix-worker"):
        assert said(spawn(host, "-i", "other", "--runner", "echo", "--format", "json"))["spawn"] == "warm"


def test_the_first_stop_drains(host: Path, bare: Path) -> None:
    add_tasks(Coordination.open(host), 8, runner="sleep", context={"seconds": 1})
    with pool(host, "--workers", "2") as process:
        until(lambda: _busy(host) == 2)
        assert cortex("pool", "stop", cwd=host).returncode == 0
        assert process.wait(timeout=60) == 0
    done = len(result_commits(bare))
    assert 2 <= done < 8
    assert _pulled(host).pull().claims == {}
    assert_sound(bare)


def test_the_second_stop_kills(host: Path, bare: Path) -> None:
    add_tasks(Coordination.open(host), 2, runner="sleep", context={"seconds": 600})
    with pool(host, "--workers", "2") as process:
        until(lambda: _busy(host) == 2)
        first = start_cortex("pool", "stop", cwd=host)
        until(lambda: (pool_status(host) or {"draining": True})["draining"])
        second = cortex("pool", "stop", "--format", "json", cwd=host)
        assert (second.returncode, said(second)["state"]) == (0, "killing")
        assert first.wait(timeout=60) == 0
        assert process.wait(timeout=60) == 0
        first.communicate()
    assert result_commits(bare) == []
    assert Coordination.open(host).pull().claims == {} or all(
        record.state == "released" for record in _claims(host)
    )


def _claims(folder: Path) -> list[Any]:
    coordination = Coordination.open(folder)
    view = coordination.pull()
    return [coordination.claims.record(oid) for oid in view.claims.values()]


def _busy(folder: Path) -> int:
    found = pool_status(folder)
    return sum(worker["status"] == "busy" for worker in found["workers"]) if found else 0


def test_sigterm_is_a_regular_end_and_sigint_is_not(host: Path) -> None:
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        with pool(host, "--workers", "1") as process:
            process.send_signal(number)
            assert process.wait(timeout=60) == code


def test_the_pool_outlives_who_asked(host: Path, bare: Path) -> None:
    with pool(host, "--workers", "1"):
        asking = start_cortex(
            "spawn-worker",
            "-t",
            "analysis-worker",
            "-i",
            "long",
            "--runner",
            "sleep",
            "-c",
            "seconds=5",
            cwd=host,
        )
        until(lambda: _busy(host) == 1)
        asking.send_signal(signal.SIGKILL)
        asking.communicate()
        until(lambda: result_commits(bare))


def test_what_comes_through_the_door_cannot_end_the_pool(host: Path) -> None:
    with pool(host, "--workers", "1") as process:
        path = str(host / ".git/cortex/pool.sock")
        for said_there in (
            b"nonsense\n",
            b"[1]\n",
            b"\xff\xfe\n",
            b"[" * 100_000 + b"\n",
            b"",
            b"x" * 2_000_000,
        ):
            with socket.socket(socket.AF_UNIX) as guest:
                guest.connect(path)
                try:
                    guest.sendall(said_there)
                    guest.shutdown(socket.SHUT_WR)
                    answer = guest.makefile("rb").readline()
                except (BrokenPipeError, ConnectionResetError):
                    continue  # it had heard enough
                assert json.loads(answer)["error"]["exit_code"] == 2
        for request in ({"kind": "spawn", "task_id": 5}, {"kind": "spawn", "requested": "x"}, {"kind": "no"}):
            with pytest.raises(Exception, match=r"no request|id is text|no open task"):
                ask_pool(host, request)
        assert pool_status(host) is not None
        assert process.poll() is None


@pytest.mark.race
def test_twenty_at_once_for_the_same_task_and_for_many(host: Path, bare: Path) -> None:
    with pool(host, "--min", "5", "--max", "20"):
        command = ["spawn-worker", "-t", "analysis-worker", "--runner", "echo", "--format", "json", "-i"]
        same = [start_cortex(*command, "same", cwd=host) for _ in range(10)]
        many = [start_cortex(*command, f"many-{number}", cwd=host) for number in range(10)]
        for process in (*same, *many):
            out, err = process.communicate(timeout=110)
            assert process.returncode == 0, err
            assert json.loads(out)["status"] == "completed"
    assert len(result_commits(bare)) == 11
    assert_sound(bare)


def test_dry_run_says_which_lanes(host: Path) -> None:
    (host / "coordination/config.toml").open("a").write("\n[pool.types.fix-worker]\nmin = 1\nmax = 2\n")
    would = cortex("pool", "start", "--dry-run", cwd=host)
    assert would.stderr == (
        "would keep 1 to 2 workers for fix-worker tasks, 5 to 20 workers for all other tasks:"
        " policy activation, strategy least-loaded\n"
    )
    assert not os.path.exists(host / ".git/cortex/pool.sock")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "no"], "no policy 'no'"),
        (["--policy", "fixed"], "policy fixed needs a number of workers: give --workers"),
        (["--strategy", "no"], "no strategy 'no'"),
        (["--min", "9", "--max", "3"], "a minimum of 9 workers is above the maximum of 3"),
        (["--workers", "3", "--max", "4"], "--workers is a fixed number"),
        (["--type", "no-worker"], "no worker type 'no-worker'"),
    ],
)
def test_bad_use_is_one_line(host: Path, arguments: list[str], words: str) -> None:
    done = cortex("pool", "start", *arguments, cwd=host)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr
