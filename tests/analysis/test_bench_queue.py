"""`bench queue` times real batches, and refuses a rate for results that are not on the remote."""

from pathlib import Path

import pytest

from cortex_git.analysis.bench.hosts import bench_hosts
from cortex_git.analysis.bench.loop import Looped
from cortex_git.analysis.bench.queue import (
    Ours,
    QueueRow,
    bench_queue,
    check_results,
    rows_to_json,
    run_ours,
)
from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git
from cortex_git.store.coordination import Coordination

said: list[str] = []


def test_both_sides_do_every_task() -> None:
    (row,) = bench_queue([2], 6, said.append)
    assert row.workers == 2
    assert [run.tasks for run in row.ours] == [6, 6, 6]
    assert row.loop.tasks == 6
    assert all(run.pushes >= 1 and run.seconds > 0 for run in row.ours)


def test_ours_publishes_more_results_than_pushes(tmp_path: Path) -> None:
    done = run_ours(tmp_path, workers=4, tasks=60, say=said.append)
    assert done.pushes < 60
    subjects = Git(tmp_path / "remote.git").text("log", "--format=%s", "--grep=^feat(", "main").splitlines()
    assert len(set(subjects)) == 60


def test_a_missing_result_is_no_measurement(tmp_path: Path) -> None:
    run_ours(tmp_path, workers=1, tasks=3, say=said.append)
    coordination = Coordination.open(tmp_path / "host")
    batch = Git(tmp_path / "remote.git").text("ls-tree", "--name-only", "main:coordination/results")
    check_results(coordination, tmp_path / "remote.git", batch, 3)
    with pytest.raises(EnvironmentProblem, match="4 tasks gave 3 results in 3 commits"):
        check_results(coordination, tmp_path / "remote.git", batch, 4)


def test_rates_and_ratios() -> None:
    rows = [
        QueueRow(1, (Ours(100, 4.0, 1), Ours(100, 5.0, 1), Ours(100, 50.0, 1)), Looped(20, 10.0, 20)),
        QueueRow(20, (Ours(200, 5.0, 3), Ours(200, 5.0, 4), Ours(200, 2.0, 1)), Looped(10, 20.0, 99)),
    ]
    one, twenty = rows_to_json(rows)
    assert (one["ours_tasks_per_min"], one["loop_tasks_per_min"], one["ratio"]) == (1200.0, 120.0, 10.0)
    assert (twenty["ours_tasks_per_min"], twenty["ratio"]) == (2400.0, 80.0)
    assert twenty["ratio_to_best_loop"] == 20.0
    assert (twenty["ours_tasks"], twenty["ours_pushes"], twenty["loop_pushes"]) == (600, 8, 99)


def test_many_hosts_share_the_tasks() -> None:
    (row,) = bench_hosts([2], 8, said.append)
    assert (row.workers, row.tasks) == (2, 8)
    assert row.seconds > 0
    assert row.start_s > 0
