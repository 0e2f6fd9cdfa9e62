"""`task cancel` and `task retry` as a person meets them: rows, documents, errors and exit codes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from command_line import Command
from gitworld import git, result_for

from cortex_git.store.coordination import Coordination

Conforms = Callable[[Any, str], None]


def add(cortex: Command, *names: str) -> None:
    for name in names:
        assert cortex("task", "add", "--runner", "echo", "--title", name, "--id", name).code == 0


def end(folder: Path, name: str, status: str) -> None:
    host = Coordination.open(folder)
    claim = host.claim_task(name, "worker-test-001")
    host.record([(claim, result_for(host, claim, status=status), {})])
    host.flush()


def statuses(cortex: Command) -> dict[str, str]:
    return {row["task"]: row["status"] for row in cortex("task", "list", "--format", "json").json()["tasks"]}


def test_cancel(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    add(cortex, "a", "b", "c-1", "c-2")
    done = cortex("task", "cancel", "a")
    assert (done.code, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["task", "batch", "status", "error"],
        ["a", "tasks", "cancelled"],
    ]
    again = cortex("task", "cancel", "b", "a", "c-*", "--format", "json")
    assert again.code == 0
    conforms(again.json(), "task-cancel")
    assert [(row["task"], row["batch"], row["status"], row["error"]) for row in again.json()["tasks"]] == [
        (name, "tasks", "cancelled", None) for name in ("b", "a", "c-1", "c-2")
    ]
    assert set(statuses(cortex).values()) == {"cancelled"}


def test_cancel_what_cannot_be(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    add(cortex, "a", "b")
    end(coordinated, "a", "completed")
    assert "'a' is finished already (completed)" in cortex("task", "cancel", "a").error(2)
    assert "'nope'" in cortex("task", "cancel", "nope", "--format", "json").error(2)
    assert "'x*'" in cortex("task", "cancel", "x*", "b").error(2)
    assert "argument" in cortex("task", "cancel").error(2)
    assert statuses(cortex) == {"a": "completed", "b": "open"}
    some = cortex("task", "cancel", "a", "b", "--format", "json")
    conforms(some.json(), "task-cancel")
    assert some.code == 2
    first, second = some.json()["tasks"]
    assert (first["status"], second["status"], second["error"]) == (None, "cancelled", None)
    assert "finished already" in first["error"]


def test_retry(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    add(cortex, "a", "b")
    end(coordinated, "a", "failed")
    done = cortex("task", "retry", "a")
    assert (done.code, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["task", "retry", "batch", "error"],
        ["a", "a-r1", "tasks"],
    ]
    some = cortex("task", "retry", "b", "a", "--format", "json")
    conforms(some.json(), "task-retry")
    assert some.code == 2
    first, second = some.json()["tasks"]
    assert (first["task"], first["retry"], first["batch"]) == ("b", None, None)
    assert "not finished" in first["error"]
    assert (second["task"], second["retry"], second["error"]) == ("a", "a-r1", None)
    assert cortex("task", "show", "a-r1", "--format", "json").json()["task"]["retry_of"] == "a"
    assert statuses(cortex) == {"a": "failed", "b": "open", "a-r1": "open"}


def test_retry_what_cannot_be(cortex: Command, coordinated: Path) -> None:
    add(cortex, "a", "b")
    end(coordinated, "a", "completed")
    assert "'a' is completed" in cortex("task", "retry", "a").error(2)
    assert "task cancel" in cortex("task", "retry", "b").error(2)
    assert "'*'" in cortex("task", "retry", "*").error(2)


def test_cancelled_and_done_again(cortex: Command, coordinated: Path) -> None:
    add(cortex, "a")
    assert cortex("task", "cancel", "a").code == 0
    assert cortex("spawn-worker", "--task-id", "a").error(2)
    assert cortex("task", "retry", "*").code == 0
    assert cortex("spawn-worker", "--task-id", "a-r1").code == 0
    assert statuses(cortex) == {"a": "cancelled", "a-r1": "completed"}


def test_dry_runs_change_nothing(cortex: Command, coordinated: Path, bare: Path) -> None:
    add(cortex, "a", "b")
    end(coordinated, "a", "failed")
    before = git(bare, "for-each-ref")
    done = cortex("task", "cancel", "*", "--dry-run", "--format", "json")
    assert done.json() == {"schema": 1, "dry_run": True, "would": "cancel b"}
    assert cortex("task", "retry", "*", "--dry-run").err == "would add a new task for each of a\n"
    assert git(bare, "for-each-ref") == before


def test_with_the_remote_away(cortex: Command, coordinated: Path, bare: Path) -> None:
    add(cortex, "a")
    bare.rename(bare.with_name("away.git"))
    for command in ("cancel", "retry"):
        assert "remote origin" in cortex("task", command, "a").error(3)
