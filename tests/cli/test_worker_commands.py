"""`spawn-worker`, `spawn-workers` and `activation`, on every kind of task and with every way to fail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, Done
from gitworld import git, result_commits

Conforms = Callable[[Any, str], None]
Commands = Callable[..., None]


def add(cortex: Command, name: str, runner: str = "echo", **fields: object) -> str:
    line = json.dumps({"title": name, "id": name, "runner": runner, "type": "scan-worker"} | fields)
    assert cortex("task", "add", "--file", "-", stdin=line).code == 0
    return name


def spawn(cortex: Command, *arguments: str) -> Done:
    return cortex("spawn-worker", "--format", "json", *arguments)


def status_of(cortex: Command, task: str) -> str:
    rows = cortex("task", "list", "--tasks", task, "--format", "json").json()["tasks"]
    return str(rows[0]["status"])


def test_an_existing_task(cortex: Command, coordinated: Path, bare: Path, conforms: Conforms) -> None:
    add(cortex, "one", context={"a": 1})
    done = spawn(cortex, "--task-id", "one")
    assert done.code == 0
    found = done.json()
    conforms(found, "spawn-worker")
    assert (found["task"], found["status"], found["attempt"]) == ("one", "completed", 1)
    assert found["output"] == {"title": "one", "context": {"a": 1}}
    assert result_commits(bare) == ["feat(security-master): worker-scan-001 completed one"]
    assert "finished already" in spawn(cortex, "--task-id", "one").error(2)


def test_as_text(cortex: Command, coordinated: Path) -> None:
    done = cortex("spawn-worker", "-i", "one", "--runner", "echo")
    assert done.out.splitlines()[0] == "worker-scan-001 completed one (attempt 1)"
    assert done.out.splitlines()[1].startswith("Spawn: cold, ")
    assert done.err == ""


def test_a_new_task_by_flags(cortex: Command, coordinated: Path, bare: Path) -> None:
    done = spawn(
        cortex, "-t", "fix-worker", "-i", "new", "-m", "own-master", "-r", "shop", "-b", "7", "-d", "2",
        "-p", "high", "-s", "src", "-c", "a=1", "--runner", "echo",
    )  # fmt: skip
    assert done.json()["worker"] == "worker-fix-001"
    task = cortex("task", "show", "new", "--format", "json").json()["task"]
    expected = {
        "type": "fix-worker", "master": "own-master", "repo": "shop", "budget": 7, "deadline": 2.0,
        "priority": "high", "scope": "src", "context": {"a": 1}, "runner": "echo",
    }  # fmt: skip
    assert {key: task[key] for key in expected} == expected
    assert result_commits(bare) == ["feat(own-master): worker-fix-001 completed new"]


def test_the_next_open_task_by_priority(cortex: Command, coordinated: Path) -> None:
    add(cortex, "later")
    add(cortex, "first", priority="critical")
    add(cortex, "other", type="fix-worker", priority="critical")
    assert [spawn(cortex, "--runner", "echo").json()["task"] for _ in range(2)] == ["first", "later"]
    assert "no open task for a scan-worker" in spawn(cortex, "--runner", "echo").error(3)
    assert spawn(cortex, "-t", "fix-worker", "--runner", "echo").json()["task"] == "other"


def test_cold(cortex: Command, coordinated: Path) -> None:
    found = spawn(cortex, "-i", "one", "--runner", "echo", "--cold").json()
    assert (found["status"], found["spawn"]) == ("completed", "cold")
    assert found["spawn_ms"] > found["duration_s"] * 1000


def test_out_of_time(cortex: Command, coordinated: Path) -> None:
    done = spawn(cortex, "-i", "s", "--runner", "sleep", "-c", "seconds=60", "--deadline", "0.01")
    assert done.code == 1
    assert done.json()["status"] == "timed_out"
    assert "0.01 minutes" in done.json()["error"]
    assert status_of(cortex, "s") == "timed_out"


def test_the_deadline_of_the_command_is_for_this_attempt_only(cortex: Command, coordinated: Path) -> None:
    add(cortex, "s", "sleep", context={"seconds": 60}, deadline=5)
    assert spawn(cortex, "-i", "s", "--deadline", "0.01").json()["status"] == "timed_out"
    assert cortex("task", "show", "s", "--format", "json").json()["task"]["deadline"] == 5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-i", "Bad Id"], "task id"),
        (["-i", "x*", "--runner", "echo"], "task id"),
        (["-i", "x"], "--repo"),
        (["-i", "x", "-t", "nope"], "scan-worker"),
        (["-t", "nope"], "scan-worker"),
        (["-i", "x", "--runner", "nope"], "echo"),
        (["-i", "x", "--runner", "echo", "-d", "-1"], "deadline"),
        (["-i", "x", "--runner", "echo", "-b", "-1"], "--budget"),
        (["-i", "x", "--runner", "echo", "-p", "nope"], "priority"),
        (["-i", "x", "--runner", "echo", "-c", "nope"], "key=value"),
    ],
)
def test_what_is_refused_before_anything_changes(
    cortex: Command, coordinated: Path, bare: Path, arguments: list[str], told: str
) -> None:
    assert told in cortex("spawn-worker", *arguments).error(2)
    assert git(bare, "for-each-ref", "refs/cortex") == ""


@pytest.mark.parametrize("arguments", [["-i", "x", "-t", "fix-worker"], ["-t", "fix-worker"]])
def test_a_runner_that_cannot_work_here_is_refused_too(
    cortex: Command, coordinated: Path, bare: Path, arguments: list[str]
) -> None:
    assert "--runner" in cortex("spawn-worker", *arguments).error(3)
    assert git(bare, "for-each-ref", "refs/cortex") == ""


def test_a_task_of_another_process(cortex: Command, coordinated: Path) -> None:
    from cortex_git.store.coordination import Coordination

    add(cortex, "one")
    Coordination.open(coordinated).claim_task("one", "somebody")
    assert "one" in spawn(cortex, "-i", "one").error(3)


def test_dry_run(cortex: Command, coordinated: Path, bare: Path) -> None:
    done = spawn(cortex, "-i", "new", "--runner", "echo", "--dry-run")
    assert (done.code, done.json()["dry_run"]) == (0, True)
    assert "add that task" in done.err
    assert git(bare, "for-each-ref", "refs/cortex") == ""


def run_command(cortex: Command, name: str, *more: str) -> Done:
    return spawn(cortex, "-i", f"c-{name}", "--runner", "command", "-c", f"command={name}", *more)


def test_a_command_of_this_hosts_list(cortex: Command, coordinated: Path, commands: Commands) -> None:
    commands(ok='test "$CORTEX_TASK" = c-ok && cat')
    output = run_command(cortex, "ok").json()["output"]
    assert (output["task"], output["master"], output["context"]) == (
        "c-ok",
        "security-master",
        {"command": "ok"},
    )


def test_a_command_that_is_not_on_the_list(cortex: Command, coordinated: Path, commands: Commands) -> None:
    commands(ok="true")
    done = run_command(cortex, "rm")
    assert (done.code, done.json()["status"]) == (1, "failed")
    assert "it has: ok" in done.json()["error"]


def test_a_command_that_fails_is_released_and_ends_at_the_last_attempt(
    cortex: Command, coordinated: Path, commands: Commands
) -> None:
    commands(bad="echo because >&2; exit 3")
    add(cortex, "c", "command", context={"command": "bad"}, max_attempts=2)
    first = spawn(cortex, "-i", "c")
    assert (first.code, first.json()["status"]) == (1, "released")
    assert "because" in first.err
    assert status_of(cortex, "c") == "released"
    done = cortex("spawn-workers", "--format", "json")
    assert (done.code, done.json()["failed"]) == (1, 1)
    shown = cortex("results", "show", "c", "--format", "json").json()["result"]
    assert (shown["status"], shown["attempt"], shown["error"]) == (
        "failed",
        2,
        "bad ended with status 3: because",
    )


def test_a_command_that_kills_its_worker(cortex: Command, coordinated: Path, commands: Commands) -> None:
    commands(crash="kill -9 $PPID")
    done = run_command(cortex, "crash")
    assert (done.code, done.json()["status"]) == (1, "failed")
    assert "died in each of 3 attempts" in done.json()["error"]
    assert status_of(cortex, "c-crash") == "failed"


def test_a_command_that_ignores_its_end(
    cortex: Command, coordinated: Path, commands: Commands, tmp_path: Path
) -> None:
    config = coordinated / "coordination/config.toml"
    config.write_text(config.read_text() + "[pool]\ngrace_s = 1.0\n")
    commands(hang=f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.1; done")
    done = run_command(cortex, "hang", "--deadline", "0.01")
    assert (done.code, done.json()["status"]) == (1, "timed_out"), done
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_what_a_command_prints_cannot_break_the_output(
    cortex: Command, coordinated: Path, commands: Commands
) -> None:
    commands(raw=r"printf '\377\000\033[31mred\n::error::x'", nan="""echo '{"x": NaN}'""")
    done = run_command(cortex, "raw")
    assert done.json()["output"]["text"] == "�\0\x1b[31mred\n::error::x"
    shown = cortex("results", "show", "c-raw")
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert "::error" not in shown.out
    expected = {"text": '{"x": NaN}\n', "usage": "not reported"}
    assert run_command(cortex, "nan").json()["output"] == expected


def test_spawn_workers_runs_what_is_in_scope(
    cortex: Command, coordinated: Path, bare: Path, conforms: Conforms
) -> None:
    for number in range(3):
        add(cortex, f"a-{number}", batch="a")
    add(cortex, "b-0", batch="b")
    add(cortex, "f-0", "sleep", type="fix-worker", context={"seconds": 0})
    done = cortex("spawn-workers", "--tasks", "a-[01]", "--count", "2", "--format", "json")
    assert done.code == 0
    conforms(done.json(), "spawn-workers")
    assert (done.json()["tasks"], done.json()["completed"]) == (2, 2)
    assert cortex("spawn-workers", "--batch", "b", "--format", "json").json()["completed"] == 1
    assert (
        cortex("spawn-workers", "--type", "fix-worker", "--cold", "--format", "json").json()["completed"] == 1
    )
    last = cortex("parallel_spawn_workers", "--policy", "tree")
    assert last.out.startswith("Tasks: 1, completed: 1, failed: 0, workers: 1\n")
    assert len(set(result_commits(bare))) == 5
    assert sorted(git(bare, "for-each-ref", "--format=%(refname)", "refs/cortex/claims").split()) == []


def test_spawn_workers_mixes_runners_and_reports_failures(cortex: Command, coordinated: Path) -> None:
    add(cortex, "e")
    add(cortex, "s", "sleep", context={"seconds": 0.01})
    add(cortex, "bad", "sleep", context={"seconds": "long"})
    done = cortex("spawn-workers", "--format", "json")
    assert (done.code, done.json()["completed"], done.json()["failed"]) == (1, 2, 1)
    assert done.err.startswith("3 open tasks, 9 workers: utilization 0.05 activates 14% of 64: 9 workers\n")


def test_spawn_workers_with_nothing_to_do(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    done = cortex("spawn-workers", "--format", "json")
    assert (done.code, done.err) == (0, "no open task\n")
    conforms(done.json(), "spawn-workers")
    assert done.json()["tasks"] == done.json()["completed"] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--batch", "nope"], "task list"),
        (["--tasks", "zzz*"], "task list"),
        (["--type", "nope"], "scan-worker"),
        (["--count", "0"], "--count"),
        (["--count", "65"], "--count"),
        (["--policy", "nope"], "activation"),
        (["--policy", "fixed"], "--count"),
        (["--runner", "nope"], "echo"),
    ],
)
def test_spawn_workers_refuses(cortex: Command, coordinated: Path, arguments: list[str], told: str) -> None:
    add(cortex, "one")
    assert told in cortex("spawn-workers", *arguments).error(2)
    assert status_of(cortex, "one") == "open"


def test_a_task_whose_runner_is_not_here_stays_open(cortex: Command, coordinated: Path) -> None:
    add(cortex, "one", "somewhere-else")
    assert "somewhere-else" in cortex("spawn-workers").error(2)
    assert status_of(cortex, "one") == "open"


def test_spawn_workers_dry_run(cortex: Command, coordinated: Path) -> None:
    add(cortex, "one")
    done = cortex("spawn-workers", "--dry-run", "--format", "json")
    assert done.json()["would"].startswith("run 1 open tasks on 9 workers")
    assert status_of(cortex, "one") == "open"


@pytest.mark.parametrize(
    ("queue", "workers", "rate"), [(0, 9, 0.14), (12, 9, 0.14), (13, 22, 0.35), (32, 45, 0.7), (52, 64, 1.0)]
)
def test_activation(cortex: Command, conforms: Conforms, queue: int, workers: int, rate: float) -> None:
    found = cortex("activation", "--queue", str(queue), "--format", "json").json()
    conforms(found, "activation")
    assert (found["workers"], found["target"], found["rate"]) == (workers, workers, rate)


def test_activation_as_text(cortex: Command) -> None:
    assert cortex("activation", "--queue", "100").out == "64 workers (utilization 156%, rate 100%)\n"
    done = cortex("activation", "--queue", "40", "--policy", "tree", "--explain")
    assert done.out.splitlines()[1] == "a queue of 40 asks for 20 workers by the auto-scaling tree"
    assert done.err.startswith("alert: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--queue", "-1"],
        ["--queue", "x"],
        [],
        ["--queue", "1", "--capacity", "0"],
        ["--queue", "1", "--policy", "fixed"],
    ],
)
def test_activation_refuses(cortex: Command, arguments: list[str]) -> None:
    assert cortex("activation", *arguments).error(2)
