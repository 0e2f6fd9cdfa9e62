"""`plan`: each figure with where it is from, the walls, the curve and the simulation."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from gitworld import add_tasks, claim_all, result_for

from cortex_git.store.coordination import Coordination

Conforms = Callable[[Any, str], None]
PUBLISHED = {5: 245.0, 10: 480.0, 20: 920.0, 30: 1230.0, 40: 1360.0}
GIVEN = (
    "--free-memory", "24000", "--memory-per-worker", "400",
    "--tokens-per-minute", "400000", "--tokens-per-task", "8000",
)  # fmt: skip


def document(folder: Path, rows: list[dict[str, object]], **more: object) -> Path:
    path = folder / "measured.json"
    path.write_text(json.dumps({"schema": 1, "rows": rows, **more}))
    return path


def overhead(folder: Path, count: int = 5) -> Path:
    rows = [{"workers": n, "tasks_per_min": rate} for n, rate in list(PUBLISHED.items())[:count]]
    return document(folder, [*rows, {"workers": "x"}, {"workers": 3, "tasks_per_min": None}, 7], task_s=1.2)


def source_of(found: Any, name: str) -> str:
    return str(next(one["source"] for one in found["inputs"] if one["name"] == name))


def walls_of(found: Any) -> dict[str, int]:
    return {wall["wall"]: wall["workers"] for wall in found["walls"]}


def test_the_published_figures_without_a_repository(cortex: Command, here: Path, conforms: Conforms) -> None:
    done = cortex("plan", *GIVEN, "--format", "json")
    found = done.json()
    conforms(found, "plan")
    assert walls_of(found) == {"memory": 60, "rate": 50}
    assert (found["nearest"], found["next"], found["recommended"]) == ("rate", "memory", 50)
    assert found["walls"][1]["tasks_per_min"] == 50
    assert (source_of(found, "free_memory"), source_of(found, "tokens_per_task")) == ("given", "given")
    assert source_of(found, "task_seconds").startswith("assumed: a minute")
    assert found["unknown"][0].startswith("coordination: throughput was not measured here")
    assert "no coordination repository here" in done.err
    out = cortex("plan", *GIVEN, "--task-seconds", "12", "--workers-max", "8").out
    assert "50 tasks a minute, 10 workers at 12 s a task" in out
    assert "Nearest: rate. To move it: use fewer tokens" in out
    assert "Workers for this host: 8 (at most 8)" in out


def test_with_nothing_known(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    found = cortex("plan", "--format", "json").json()
    conforms(found, "plan")
    assert set(walls_of(found)) == {"memory"}
    assert source_of(found, "free_memory").startswith("measured")
    assert source_of(found, "memory_per_worker").startswith("config: pool.rss_mib")
    assert [text.partition(":")[0] for text in found["unknown"]] == ["rate", "coordination"]
    assert (found["scaling"], found["simulation"]) == (None, None)


def test_from_results_samples_and_settings(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    settings = coordinated / "coordination" / "config.toml"
    settings.write_text(settings.read_text() + "\n[rates.claude]\ntokens_per_minute = 30000\n")
    coordination = Coordination.open(coordinated)
    coordination.pull()
    add_tasks(coordination, 4, "past", type="review-worker", runner="claude")
    coordination.record(
        [
            (
                claim,
                result_for(coordination, claim, type="review-worker", tokens_used=tokens, duration_s=took),
                {},
            )
            for claim, tokens, took in zip(
                claim_all(coordination, batch="past"),
                (1000, 2000, 3000, 6000),
                (10.0, 20.0, 30.0, 90.0),
                strict=True,
            )
        ]
    )
    coordination.flush()
    for number in range(8):
        for live in (1, 2, 4, 8):
            coordination.repository.state.execute(
                "INSERT INTO samples (at, interval_s, boot, pool, pool_started, live, busy, peak, queue,"
                " target, rss_mib, completed, failed, tokens_used)"
                " VALUES ('2026-01-01T00:00:00.000Z', 5, 'b', ?, 1, ?, ?, ?, 1000, 8, ?, ?, 0, 0)",
                (live, live, live, live, 80.0 * live, number * live * 10),
            )
    found = cortex("plan", "--free-memory", "800", "--format", "json").json()
    conforms(found, "plan")
    values = {one["name"]: one["value"] for one in found["inputs"]}
    assert (values["memory_per_worker"], values["tokens_per_task"]) == (80, 3000)
    assert (values["tokens_per_minute"], values["task_seconds"]) == (30000, 25)
    assert source_of(found, "tokens_per_minute") == "config: rates.claude"
    assert source_of(found, "tokens_per_task") == "measured: mean of 4 past results that used tokens"
    assert source_of(found, "task_seconds") == "measured: median of the last 4 completed results"
    assert walls_of(found) == {"memory": 10, "rate": 4, "coordination": 16}
    assert found["scaling"]["points"][0] == {"workers": 1, "tasks_per_min": 120}
    assert found["scaling"]["source"] == "measured: samples of this clone's pools under load"
    simulated = cortex(
        "plan", "--simulate", "--repositories", "20", "--workers", "2", "--format", "json"
    ).json()
    assert simulated["simulation"]["times_source"] == "measured: drawn from the last 4 completed results"


def test_the_curve_of_a_document(cortex: Command, here: Path, conforms: Conforms) -> None:
    path = overhead(here)
    found = cortex("plan", *GIVEN, "--from", path, "--format", "json").json()
    conforms(found, "plan")
    scaling = found["scaling"]
    assert scaling["measured_task_s"] == scaling["task_s"] == 1.2
    assert 20 <= scaling["sweet_spot"]["workers"] <= 40
    assert scaling["r2"] > 0.99
    for row in scaling["curve"]:
        assert row["low"] <= row["tasks_per_min"] <= row["high"]
        assert row["extrapolated"] == (row["workers"] > 40)
    assert found["nearest"] == "coordination"
    out = cortex("plan", *GIVEN, "--from", path, "--task-seconds", "30").out
    assert "Measured with tasks of 1.2 s, told for 30 s" in out
    assert "64 (extrapolated)" in out


def test_a_document_of_no_ops(cortex: Command, here: Path) -> None:
    rows = {1: 7784, 5: 5710, 10: 6330, 20: 5517, 40: 6126}
    path = document(here, [{"workers": n, "ours_tasks_per_min": rate} for n, rate in rows.items()])
    still = cortex("plan", "--from", path, "--format", "json").json()["scaling"]
    assert still["sweet_spot"]["workers"] == 1
    found = cortex("plan", "--from", path, "--task-seconds", "60", "--format", "json").json()["scaling"]
    assert found["sweet_spot"] == {"workers": 80, "extrapolated": True, "capped": True}


def test_too_few_rows_say_why(cortex: Command, here: Path) -> None:
    out = cortex("plan", *GIVEN, "--from", overhead(here, 3)).out
    assert "Not known: coordination: throughput is known at 3 numbers of workers" in out
    assert "needs 4" in out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"), ("[" * 100_000, "no JSON"), ("[]", "no rows"), ('{"rows": {}}', "no rows"),
        ('{"rows": [{"workers": 1, "tasks_per_min": NaN}]}', "no row has workers"),
        ('{"rows": [{"workers": true, "tasks_per_min": 9}]}', "no row has workers"),
        ('{"rows": [{"workers": 1, "real_tasks_per_min": 2}], "costs": 1}', "no costs of operations"),
    ],
    ids=["empty", "deep", "list", "object", "not-a-number", "true", "costs"],
)  # fmt: skip
def test_a_file_that_is_no_measurement(cortex: Command, here: Path, text: str, why: str) -> None:
    path = here / "x.json"
    path.write_text(text)
    assert why in cortex("plan", "--from", path).error(2)


def test_what_is_no_regular_file_is_not_waited_for(cortex: Command, here: Path) -> None:
    os.mkfifo(here / "pipe")
    assert "no regular file" in cortex("plan", "--from", here / "pipe").error(2)
    assert "no regular file" in cortex("plan", "--from", "/dev/zero").error(2)


@pytest.mark.parametrize(
    "option", ["--free-memory", "--memory-per-worker", "--task-seconds", "--round-trip-ms"]
)
def test_no_amount_may_be_no_number(cortex: Command, here: Path, option: str) -> None:
    assert "not a number" in cortex("plan", "--simulate", option, "nan").error(2)


def test_a_task_that_says_it_took_for_ever_is_not_drawn_from(cortex: Command, coordinated: Path) -> None:
    coordination = Coordination.open(coordinated)
    coordination.pull()
    add_tasks(coordination, 2)
    claims = zip(claim_all(coordination), (2.0, 1e308), strict=True)
    coordination.record([(one, result_for(coordination, one, duration_s=took), {}) for one, took in claims])
    coordination.flush()
    found = cortex("plan", "--simulate", "--repositories", "3", "--workers", "1", "--format", "json").json()
    assert found["simulation"]["times_source"] == "measured: drawn from the last 1 completed results"


def test_wrong_use(cortex: Command, here: Path) -> None:
    assert "No such file" in cortex("plan", "--from", here / "nothing").error(2)
    assert "two sources" in cortex("plan", "--from", overhead(here), "--measure").error(2)
    assert "--workers '1,x' is not a list" in cortex("plan", "--simulate", "--workers", "1,x").error(2)
    assert "--hosts '0' is not a list" in cortex("plan", "--simulate", "--hosts", "0").error(2)
    assert "give each host a worker" in cortex("plan", "--simulate", "--workers", "2", "--hosts", "5").error(
        2
    )


def test_simulations(cortex: Command, here: Path, conforms: Conforms) -> None:
    more = (
        "--simulate",
        "--repositories",
        "300",
        "--workers",
        "10,100",
        "--hosts",
        "1,5",
        "--task-seconds",
        "13",
    )
    first = cortex("plan", *GIVEN, *more, "--format", "json")
    found = first.json()
    conforms(found, "plan")
    rows = found["simulation"]["rows"]
    assert [(row["hosts"], row["workers"], row["started"]) for row in rows] == [
        (1, 10, 10), (1, 100, 60), (5, 10, 10), (5, 100, 100),
    ]  # fmt: skip
    assert {row["wall"] for row in rows if row["workers"] == 100} == {"rate"}
    assert found["simulation"]["costs_source"].startswith("assumed")
    assert cortex("plan", *GIVEN, *more, "--format", "json").json() == found
    out = cortex("plan", *GIVEN, *more).out
    assert "Simulated: 300 tasks, seed 1" in out
    assert "rate to" in out


def test_without_the_extra_the_walls_remain(
    cortex: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = overhead(here)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    out = cortex("plan", *GIVEN, "--from", path).out
    assert "Not known: coordination: a scaling curve needs scipy: pip install 'cortex-git[plan]'" in out
    assert "memory  60" in out
    assert "needs simpy" in cortex("plan", *GIVEN, "--simulate").error(3)


@pytest.mark.parametrize(
    "options",
    [
        ("--repositories", "5"),
        ("--workers", "9"),
        ("--hosts", "2"),
        ("--round-trip-ms", "5"),
        ("--seed", "2"),
    ],
    ids=" ".join,
)
def test_what_is_about_a_simulation_needs_one(cortex: Command, here: Path, options: tuple[str, str]) -> None:
    assert f"{options[0]} is about a simulation: give --simulate too" in cortex("plan", *options).error(2)


def test_rates_are_written_without_an_exponent(cortex: Command, here: Path) -> None:
    rows = [{"workers": n, "tasks_per_min": 9000.0 * n} for n in (1, 2, 4, 8)]
    out = cortex("plan", *GIVEN, "--from", document(here, rows, task_s=0.001)).out
    assert "36,000" in out
    assert not re.search(r"\de\+\d", out)


def test_measuring_here(
    cortex: Command, here: Path, conforms: Conforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 99.0, 99.0))
    done = cortex("plan", "--measure", "--workers-max", "4", "--task-seconds", "0.05", "--format", "json")
    assert done.code == 0, done.err
    assert "load 99 on " in done.err
    assert "the figures are lower than on an idle machine" in done.err
    found = done.json()
    conforms(found, "plan")
    assert found["scaling"]["source"] == "measured: just now, with tasks of 0.05 s"
    assert [point["workers"] for point in found["scaling"]["points"]] == [1, 2, 3, 4]
    assert not [name for name in os.listdir(here) if name != "measured.json"]


def test_checking_the_simulation(
    cortex: Command, here: Path, conforms: Conforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command alone; `test_bench_simulation` runs real batches."""
    from cortex_git.analysis.bench import simulation
    from cortex_git.analysis.simulation_setup import TYPICAL

    monkeypatch.setattr(simulation, "calibrate", lambda *_: TYPICAL)
    wanted = ("bench", "simulation", "--workers", "2", "--task-s", "0.05", "--tasks-per-worker", "3")
    found = cortex(*wanted, "--format", "json").json()
    conforms(found, "bench-simulation")
    assert [(row["workers"], row["tasks"], row["bound"]) for row in found["rows"]] == [(2, 6, None)]
    assert found["costs"] == TYPICAL.to_json()
    assert "Difference" in cortex(*wanted).out
