"""`bench simulation`: costs from real no-op batches, real `sleep` batches beside simulated ones."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from cortex_git.analysis.bench import simulation as bench
from cortex_git.analysis.bench.simulation import CheckedRow, SimulationCheck, bench_simulation, line, turn_s
from cortex_git.analysis.simulation import simulate
from cortex_git.analysis.simulation_setup import TYPICAL, Cost, Setup
from cortex_git.services.plan_sources import read_document

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "bench-simulation-1.json"
said: list[str] = []


def checked(document: dict[str, object]) -> None:
    jsonschema.validate(document, json.loads(SCHEMA.read_text()), jsonschema.Draft202012Validator)


def test_a_real_run(tmp_path: Path) -> None:
    found = bench_simulation(
        [2],
        said.append,
        task_s=0.1,
        tasks_per_worker=4,
        calibration_tasks=20,
        calibrated_at=(3,),
        light=[(2, 4, 0.05)],
    )
    costs = found.costs
    assert costs.push.of(1) > 0 and costs.claim.of(1) > 0 and costs.record.of(1) > 0
    assert costs.look.fixed_s > 0 and costs.fold.of(20) > 0
    (row,) = found.rows
    assert row.tasks == 8
    assert 0 < row.real_per_min <= 2 * 60 / 0.1
    assert 0 < row.simulated.tasks_per_min <= 2 * 60 / 0.1
    document = json.loads(json.dumps({"schema": 1, **found.to_json(), "machine": {}}))
    checked(document)
    path = tmp_path / "simulation.json"
    path.write_text(json.dumps(document))
    read = read_document(path)
    assert (read.costs, read.task_s, len(read.points)) == (costs, 0.1, 1)


def row(workers: int, real_s: float, simulated_s: float) -> CheckedRow:
    done = simulate(Setup(workers), [0.5] * 10, TYPICAL)
    return CheckedRow(workers, 10, real_s, replace(done, makespan_s=simulated_s))


@pytest.mark.parametrize(
    ("rows", "within"),
    [
        ([row(5, 10.0, 11.0), row(10, 10.0, 9.0)], True),
        ([row(5, 10.0, 11.0), row(10, 10.0, 8.0)], False),
        ([row(5, 10.0, 12.0)], False),
        ([row(64, 10.0, 99.0), row(20, 10.0, 10.0)], True),
        ([row(64, 10.0, 99.0)], None),
        ([], None),
    ],
    ids=["near", "too-fast", "too-slow", "only-bounded", "unbounded", "none"],
)
def test_the_bound_is_on_throughput(rows: list[CheckedRow], within: bool | None) -> None:
    assert SimulationCheck(TYPICAL, (2,), 0.5, tuple(rows)).within is within


def test_what_is_checked_is_not_what_it_was_calibrated_on() -> None:
    light = {workers for workers, _, _ in bench.LIGHT}
    assert {*bench.CALIBRATED_AT, *light}.isdisjoint(bench.CHECKED_AT)


@pytest.mark.parametrize(
    ("points", "cost"),
    [
        ([(1, 2.0), (3, 4.0)], Cost(1.0, 1.0)),
        ([(1, 1.0), (10, 19.0)], Cost(0.0, 1.891089)),
        ([(1, 3.0), (10, 1.0)], Cost(2.0)),
        ([(4, 3.0), (4, 1.0)], Cost(2.0)),
        ([], Cost(0.0)),
    ],
    ids=["both", "proportional", "falling", "one-size", "none"],
)
def test_no_part_of_a_cost_is_below_nothing(points: list[tuple[int, float]], cost: Cost) -> None:
    assert line(points) == cost


@pytest.mark.parametrize(
    ("starved", "recorded_s", "expected"),
    [
        ([], 0.0, 2.0),
        ([(3.0, 5.0)], 0.0, 1.5),
        ([(-9.0, 0.5), (8.0, 99.0)], 0.0, 1.875),
        ([], 2.5, 1.5),
        ([(0.0, 8.0)], 9.0, 0.0),
    ],
    ids=["all", "starved", "before-and-after", "recorded", "nothing-left"],
)
def test_what_a_turn_takes(starved: list[tuple[float, float]], recorded_s: float, expected: float) -> None:
    assert turn_s([0.0, 1.0, 5.0, 6.0, 8.0], starved, recorded_s) == pytest.approx(expected)
    assert turn_s([1.0], starved, recorded_s) == 0.0
