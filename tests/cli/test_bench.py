"""`cortex-git bench` as a person runs it: real processes, JSON alone on stdout, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command

from cortex_git.analysis.bench import traces

pytestmark = pytest.mark.usefixtures("own_folders")


def _start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "cortex_git", "bench", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _json(folder: Path, *arguments: str) -> dict[str, Any]:
    process = _start(folder, *arguments, "--format", "json")
    out, errors = process.communicate(timeout=110)
    assert process.returncode == 0, errors
    assert list(folder.iterdir()) == []
    found: dict[str, Any] = json.loads(out)
    assert found["schema"] == 1
    assert found["machine"]["cores"] >= 1
    return found


def test_queue(tmp_path: Path) -> None:
    found = _json(tmp_path / "t", "queue", "--workers", "2", "--tasks", "6", "--clones")
    (row,) = found["rows"]
    assert row["workers"] == 2
    assert row["ours_tasks"] == 18
    assert row["loop_tasks"] == 6
    assert row["ratio"] == pytest.approx(row["ours_tasks_per_min"] / row["loop_tasks_per_min"], abs=0.02)
    (clones,) = found["clones_rows"]
    assert (clones["workers"], clones["tasks"]) == (2, 6)


def test_overhead(tmp_path: Path, conforms: Callable[[Any, str], None]) -> None:
    options = ("--workers", "2", "--task-s", "0.1", "--tasks-per-worker", "5")
    found = _json(tmp_path / "t", "overhead", *options)
    conforms(found, "bench-overhead")
    assert found["task_s"] == 0.1
    (row,) = found["rows"]
    assert row["workers"] == 2
    assert row["overhead"] == pytest.approx(1 - row["tasks_per_min"] / (2 * 60 / 0.1), abs=1e-3)


def test_spawn(tmp_path: Path) -> None:
    pytest.importorskip("anthropic")
    found = _json(tmp_path / "t", "spawn", "--runs", "1")
    assert found["cold_ms_p50"] > found["warm_ms_p50"] > 0
    assert found["ratio"] > 1


def test_scan(tmp_path: Path) -> None:
    options = ("--repositories", "2", "--workers", "2", "--packages", "8", "--runs", "1")
    found = _json(tmp_path / "t", "scan", *options)
    assert found["parallel_s"] > 0
    assert found["sequential_s"] > 0
    assert found["xargs_s"] > 0
    assert found["findings"] >= 6


def test_policies(
    cortex: Command, conforms: Callable[[Any, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the first quarter of an hour of a trace: its hours are replayed in tests/analysis."""

    def begun(seed: int) -> traces.Trace:
        return traces.Trace("steady", tuple(one for one in traces.steady(seed).arrivals if one.at_s < 900))

    monkeypatch.setitem(traces.TRACES, "steady", begun)
    found = cortex("bench", "policies", "--trace", "steady", "--seed", "7", "--format", "json").json()
    conforms(found, "bench-policies")
    assert {row["trace"] for row in found["rows"]} == {"steady"}
    assert [row["policy"] for row in found["rows"]][:3] == ["activation", "tree", "fixed"]
    assert all(row["most_changes_per_cooldown"] <= 1 for row in found["rows"])
    assert cortex("bench", "policies", "--trace", "storm").error(2).startswith("no trace 'storm'")


def test_a_table_for_people(tmp_path: Path) -> None:
    process = _start(tmp_path / "t", "queue", "--workers", "1", "--tasks", "2")
    out, errors = process.communicate(timeout=110)
    assert process.returncode == 0, errors
    header, row = out.splitlines()
    assert header.split("  ")[0] == "Workers"
    assert row.split()[0] == "1"
    assert "1 workers:" in errors


@pytest.mark.parametrize("workers", ["", "65", "1,-2"])
def test_wrong_workers(tmp_path: Path, workers: str) -> None:
    process = _start(tmp_path / "t", "queue", "--workers", workers)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert errors.startswith("error: --workers")


@pytest.mark.parametrize(("number", "moment"), [(signal.SIGINT, "host"), (signal.SIGTERM, "clone-0")])
def test_stopped_midway_it_leaves_nothing(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    """Stopped while ours runs (`host`), and while the loop does (`clone-0`)."""
    folder = tmp_path / "t"
    process = _start(folder, "queue", "--workers", "3", "--tasks", "300" if moment == "host" else "20")
    until = time.monotonic() + 60
    while time.monotonic() < until and not list(folder.glob(f"*/*/{moment}/.git/refs")):
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert list(folder.iterdir()) == []
    assert not _processes_in(folder)


def _processes_in(folder: Path) -> list[str]:
    """Command lines of processes that still work below `folder`."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in os.readlink(entry / "cwd"):
                found.append((entry / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found


def test_limits(tmp_path: Path, conforms: Callable[[Any, str], None]) -> None:
    options = ("--workers", "3", "--minute-s", "1", "--minutes", "2.5", "--calls", "2", "--call-s", "0.02")
    found = _json(tmp_path / "t", "limits", *options)
    conforms(found, "bench-limits")
    assert (found["workers"], found["window_s"], found["windows"]) == (3, 1.0, 2.5)
    assert found["made_calls"] >= 100, "a minute's worth of tokens"
    assert found["most_tokens"]["by_arrival"] <= found["tokens"]
    assert 0 < found["throughput"] <= 1


@pytest.mark.parametrize("command", ["peers", "simulation"])
def test_no_time_of_a_task_may_be_no_number(cortex: Command, command: str) -> None:
    assert "not a number" in cortex("bench", command, "--task-s", "nan").error(2)
