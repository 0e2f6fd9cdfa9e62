"""`bench spawn` measures starts whose import is done by the first instruction, and refuses others."""

import importlib.util
from dataclasses import replace

import pytest

from cortex_git.analysis.bench import spawn
from cortex_git.analysis.bench.pool_spawn import CommandTimes
from cortex_git.analysis.bench.spawn import bench_spawn
from cortex_git.errors import EnvironmentProblem, ExitCode
from cortex_git.runners import load_runner
from cortex_git.workers.messages import Report
from cortex_git.workers.spawning import ColdSpawner

said: list[str] = []
needs_anthropic = pytest.mark.skipif(
    importlib.util.find_spec("anthropic") is None, reason="anthropic is not installed"
)


@needs_anthropic
def test_warm_is_faster_than_cold() -> None:
    times = bench_spawn(1, said.append)
    assert len(times.cold) == len(times.dispatch) == len(times.fork) == len(times.claim) == 1
    assert len(times.commands.warm) == len(times.commands.command) == len(times.commands.bare) == 1
    assert min(times.fork) > 0
    assert min(times.claim) > 0
    found = times.to_json()
    assert float(str(found["ratio"])) > 5
    assert found["runs"] == 1


@needs_anthropic
def test_a_worker_without_the_import_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is asked to preload another runner, so the trial begins without its import."""

    class Unprepared(ColdSpawner):
        def __init__(self, _runners: object) -> None:
            super().__init__(["echo"])

    monkeypatch.setattr(spawn, "ColdSpawner", Unprepared)
    with pytest.raises(EnvironmentProblem, match="began without anthropic"):
        bench_spawn(1, said.append)


def test_without_anthropic_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EnvironmentProblem, match="anthropic is not installed") as caught:
        bench_spawn(1, said.append)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_medians_in_milliseconds() -> None:
    commands = CommandTimes(warm=[0.001, 0.002, 0.009], command=[0.2, 0.3, 0.25], bare=[0.1, 0.1, 0.1])
    times = spawn.SpawnTimes(
        cold=[2.0, 3.0, 1.0], dispatch=[0.001], fork=[0.02], claim=[0.04, 0.06], commands=commands
    )
    assert times.to_json() == {
        "cold_ms_p50": 2000.0, "warm_ms_p50": 2.0, "ratio": 1000.0, "fork_ms_p50": 20.0,
        "dispatch_ms_p50": 1.0, "command_ms_p50": 250.0, "typer_ms_p50": 100.0, "command_to_typer": 2.5,
        "warm_runs": 3,
        "claim_ms_p50": 50.0, "warm_ms_worst": 9.0, "cold_ms_best": 1000.0, "runs": 3,
    }  # fmt: skip


def test_a_failed_attempt_gives_no_time() -> None:
    report = Report(
        "n" * 32, "completed", {"started": 5.0, "imported": True}, None, False, 0, "", "", 0.0, 0.0
    )
    assert spawn._stamp(report) == 5.0
    with pytest.raises(EnvironmentProblem, match="broken"):
        spawn._stamp(replace(report, status="failed", output={}, error="broken"))


def test_the_trial_runner_is_one_of_ours() -> None:
    assert load_runner("trial").__name__ == "cortex_git.runners.trial"  # type: ignore[attr-defined]
