"""The three walls, and that they are the figures which bound real pools and batches."""

from math import isclose

import pytest

from cortex_git.analysis.binding import RateShare, bindings, pace
from cortex_git.analysis.preflight import Estimate
from cortex_git.analysis.scaling import coordination_wall, memory_wall, nearest, rate_wall, tasks_fed
from cortex_git.analysis.usl import Point, fit
from cortex_git.config import Bounds
from cortex_git.workers.sizing import Demand, clamped

CLAUDE = RateShare("claude", 400_000, None, 1, None)


def estimate(tasks: int, tokens: int) -> Estimate:
    return Estimate(
        type="review-worker", runner="claude", model="m", tasks=tasks, past=1, basis="",
        tokens_median=tokens, tokens_p90=tokens, tokens=tasks * tokens, tokens_most=tasks * tokens,
        cost_usd=None, cost_most_usd=None, task_s=1.0, task_s_p90=1.0, deadline_s=1.0,
        out_of_tokens=0, out_of_time=0,
    )  # fmt: skip


def test_the_published_figures() -> None:
    assert memory_wall(24_000, 400).workers == 60
    wall = rate_wall(CLAUDE, 8_000, 60.0)
    assert wall is not None
    assert (wall.tasks_per_min, wall.workers) == (50.0, 50)


@pytest.mark.parametrize(
    ("task_s", "workers"), [(60.0, 50), (12.0, 10), (13.0, 10), (300.0, 250), (0.5, 1), (0.0, 1)], ids=str
)
def test_how_long_tasks_take_changes_workers_alone(task_s: float, workers: int) -> None:
    wall = rate_wall(CLAUDE, 8_000, task_s)
    assert wall is not None
    assert (wall.tasks_per_min, wall.workers) == (50.0, workers)


@pytest.mark.parametrize(
    ("free", "each", "live"), [(24_000, 400, 0), (399, 400, 0), (0, 400, 7), (1234.5, 77, 3)], ids=str
)
def test_memory_agrees_with_pools_and_preflight(free: float, each: float, live: int) -> None:
    wall = memory_wall(free, each, live)
    demand = Demand(queue=100, live=live, free_mib=free, rss_mib=each)
    most = clamped(10_000, demand, Bounds.model_construct(min=0, max=100_000))[0]
    assert max(wall.workers or 0, 1) == most
    if live == 0:
        told = bindings(
            [], [], workers=most + 1, accounts=[], time=pace([], 1, []), free_mib=free, worker_mib=each
        )
        assert f"enough for {most} of" in told[0].text


@pytest.mark.parametrize(
    "share",
    [
        CLAUDE,
        RateShare("claude", None, 100, 1, 2_000.0),
        RateShare("claude", 400_000, 120, 2, 1_500.0),
        RateShare("claude", 400_000, 120, 1, None),
        RateShare("claude", 400_000, 120, 1, 50_000.0),
    ],
    ids=["tokens", "requests", "both", "unknown-calls", "large-calls"],
)
def test_the_rate_agrees_with_preflight(share: RateShare) -> None:
    found = tasks_fed(share, 8_000)
    assert found is not None
    time = pace([estimate(300, 8_000)], 1, [share])
    assert isclose(found, 300 / (time.by_rate_s / 60))


def test_without_a_limit_there_is_no_wall() -> None:
    assert rate_wall(RateShare("claude", None, None, 1, None), 8_000, 60.0) is None
    assert rate_wall(CLAUDE, None, 60.0) is None
    assert rate_wall(CLAUDE, 0, 60.0) is None


def test_a_hosts_share_is_told() -> None:
    wall = rate_wall(RateShare("claude", 200_000, None, 2, None), 8_000, 60.0)
    assert wall is not None
    assert wall.workers == 25
    assert "one of 2" in wall.text


def test_coordination_and_the_nearest() -> None:
    published = {5: 0.02, 10: 0.04, 20: 0.08, 30: 0.18, 40: 0.32}
    curve = fit([Point(n, n * 50 * (1 - lost)) for n, lost in published.items()], 1.2)
    wall = coordination_wall(curve)
    assert wall.workers is not None and 20 <= wall.workers <= 40
    assert "extrapolated" not in wall.text
    assert nearest([memory_wall(24_000, 400), wall]) == wall
    assert nearest([]) is None
    few = fit([Point(n, 50.0 * n) for n in (1, 2, 3, 4)])
    assert "or more: no more than twice the 4 measured" in coordination_wall(few).text
