"""How a runner is found, and the two that are for trials."""

import sys
import types
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from cortex_git.config import HostSettings
from cortex_git.errors import BadInput, CortexError
from cortex_git.models import WORKER_TYPES
from cortex_git.runners import RUNNERS, RunContext, RunOutcome, load_runner, metered, ready, runner_name

CONTEXT = RunContext("worker-test-001", 1, 60.0, 100)


def run(name: str, **task: Any) -> RunOutcome:
    return load_runner(name).run({"task": "t", "title": "x"} | task, CONTEXT)


@pytest.mark.parametrize("name", RUNNERS)
def test_every_runner_of_ours_is_there(name: str) -> None:
    runner = load_runner(name)
    assert callable(runner.run)
    runner.preload()


def test_a_runner_that_is_not_here() -> None:
    with pytest.raises(BadInput, match="command, echo"):
        load_runner("nope")


@pytest.mark.parametrize("as_class", [True, False])
def test_a_runner_of_another_package(monkeypatch: pytest.MonkeyPatch, as_class: bool) -> None:
    class Theirs:
        def run(self, task: Any, context: RunContext) -> RunOutcome:
            return RunOutcome("completed", {"by": context.worker})

        def preload(self) -> None:
            """Nothing to import."""

    module = types.ModuleType("their_runner")
    module.offered = Theirs if as_class else Theirs()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_runner", module)
    points = EntryPoints([EntryPoint("theirs", "their_runner:offered", "cortex_git.runners")])
    monkeypatch.setattr("importlib.metadata.entry_points", points.select)
    assert run("theirs").output == {"by": "worker-test-001"}


def test_ours_cannot_be_replaced_by_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints([EntryPoint("echo", "os:getcwd", "cortex_git.runners")])
    monkeypatch.setattr("importlib.metadata.entry_points", points.select)
    assert run("echo").status == "completed"


def test_the_runner_of_a_task() -> None:
    assert runner_name("own", "fix-worker") == "own"
    assert runner_name("", "scan-worker") == "scan"
    assert {runner_name("", kind) for kind in set(WORKER_TYPES) - {"scan-worker"}} == {"claude"}
    with pytest.raises(BadInput, match="--runner"):
        runner_name("", "other-worker")


def test_a_hosts_own_choice_of_runners() -> None:
    host = HostSettings(runners={"fix-worker": "command", "priority:low": "openai"})
    chosen = [
        runner_name("own", "fix-worker", "low", host),
        runner_name("", "fix-worker", "low", host),
        runner_name("", "test-worker", "low", host),
        runner_name("", "test-worker", "high", host),
    ]
    assert chosen == ["own", "command", "openai", "claude"]


def test_which_runners_spend_tokens() -> None:
    assert [name for name in sorted(RUNNERS) if metered(name)] == ["claude", "command", "openai", "replay"]
    assert metered("replay=some/file")
    assert not metered("nobody's")


def test_a_runner_that_cannot_work_says_so() -> None:
    ready("echo")
    with pytest.raises(BadInput, match="nobody's"):
        ready("nobody's")
    with pytest.raises(BadInput, match="no recording"):
        ready("replay=/nonexistent")
    with pytest.raises(CortexError, match="key"):
        ready("claude")


def test_echo() -> None:
    assert run("echo", context={"a": 1}) == RunOutcome("completed", {"title": "x", "context": {"a": 1}})


def test_sleep() -> None:
    assert run("sleep", context={"seconds": 0.001}) == RunOutcome("completed", {"slept_s": 0.001})


@pytest.mark.parametrize("seconds", ["long", None, [], -1, 86_401, float("nan"), float("inf")])
def test_sleep_refuses_what_is_no_time(seconds: Any) -> None:
    outcome = run("sleep", context={"seconds": seconds})
    assert (outcome.status, outcome.retry) == ("failed", False)
    assert "context.seconds" in (outcome.error or "")
