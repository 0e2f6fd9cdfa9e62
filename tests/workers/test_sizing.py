"""A pool's target: bounds and walls, hysteresis and cool-down, the alert, and the words for all of it."""

import copy
from dataclasses import replace
from datetime import datetime, time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.config import Bounds, PoolSettings, Window
from cortex_git.errors import BadInput
from cortex_git.workers.activation import POLICIES, Policy
from cortex_git.workers.forecasting import ArrivalForecaster
from cortex_git.workers.sizing import (
    Decision,
    Demand,
    Sizer,
    backlog_alert,
    clamped,
    contains,
    in_force,
    walls,
)

NOON = datetime(2026, 1, 1, 12)
SETTINGS = PoolSettings(min=5, max=20, cooldown_s=30, settle_s=60, clear_s=600)


def sizer(policy: Policy = "tree", settings: PoolSettings = SETTINGS, bounds: Bounds | None = None) -> Sizer:
    forecaster = ArrivalForecaster(30, lambda counts, _: [sum(counts) / len(counts)], lambda fit: fit())
    return Sizer(settings, policy=policy, bounds=bounds or settings, fixed=12, forecaster=forecaster)


def see(sizer: Sizer, now_s: float, queue: int, **more: float | None) -> Decision:
    return sizer.decide(Demand(queue, **more), now_s=now_s, clock=NOON)  # type: ignore[arg-type]


def test_up_at_once_and_then_not_before_the_cool_down_has_passed() -> None:
    pool = sizer()
    assert see(pool, 0, 0).target == 5
    first = see(pool, 1, 7)
    assert (first.target, first.changed) == (10, True)
    held = see(pool, 19, 30)
    assert (held.workers, held.target, held.changed) == (20, 10, False)
    assert held.reasons[-1] == "20 wanted, held at 10 for 12 s more by the cool-down"
    assert see(pool, 31, 30).target == 20


def test_down_when_fewer_were_enough_for_a_while() -> None:
    pool = sizer()
    see(pool, 0, 30)
    kept = see(pool, 100, 0)
    assert (kept.target, kept.reasons[-1]) == (
        20, "5 wanted, kept at 20 until fewer have been enough for 60 s (60 s more)",
    )  # fmt: skip
    assert see(pool, 134.5, 7).reasons[-1].endswith("(26 s more)")
    see(pool, 135, 0)
    assert see(pool, 159.9, 0).target == 20
    down = see(pool, 160, 0)
    assert (down.target, down.changed) == (10, True)  # the most that was wanted in the last 60 s
    assert down.reasons[-1] == "5 wanted, kept at 10 until fewer have been enough for 60 s (35 s more)"
    assert see(pool, 195, 0).target == 5


def test_one_moment_of_more_work_begins_the_wait_anew() -> None:
    pool = sizer()
    for now_s, queue in ((0, 30), (1, 0), (59, 0), (60, 30), (61, 0), (120, 0)):
        assert see(pool, now_s, queue).target == 20
    assert see(pool, 121, 0).target == 5


def test_the_first_decision_is_no_change_and_starts_no_cool_down() -> None:
    pool = sizer()
    assert see(pool, 0, 0).changed is False
    assert see(pool, 0.1, 30).changed is True


@pytest.mark.parametrize(
    ("demand", "left", "reason"),
    [
        (Demand(30, live=4, free_mib=1000, rss_mib=300), 7, "20 is changed to 7 by the memory wall: 1000"),
        (Demand(30, live=0, free_mib=10, rss_mib=300), 1, "20 is changed to 1 by the memory wall"),
        (Demand(30, rate_workers=3), 3, "20 is changed to 3 by the rate-limit wall"),
        (Demand(30, rate_workers=0), 0, "20 is changed to 0 by the rate-limit wall"),
        (Demand(30, tokens_left=9999, tokens_per_task=1000), 9, "20 is changed to 9 by the tokens wall"),
        (Demand(30, tokens_left=999, tokens_per_task=1000), 0, "20 is changed to 0 by the tokens wall"),
        (Demand(30), 20, ""),
    ],
)  # fmt: skip
def test_each_wall_is_named(demand: Demand, left: int, reason: str) -> None:
    decision = sizer().decide(demand, now_s=0, clock=NOON)
    assert (decision.target, decision.ceiling) == (left, left)
    assert any(text.startswith(reason) for text in decision.reasons[1:]) is bool(reason)


def test_a_wall_is_met_at_the_next_change_and_nothing_is_started_beyond_it_until_then() -> None:
    pool = sizer()
    see(pool, 0, 0)
    see(pool, 1, 30)
    hit = see(pool, 2, 30, rate_workers=2)
    assert (hit.target, hit.ceiling) == (20, 2)
    assert hit.reasons[-1] == "2 wanted, held at 20 for 29 s more by the cool-down"
    assert see(pool, 31, 30, rate_workers=2).target == 2  # a wall needs no settling


def test_no_work_leaves_no_first_worker() -> None:
    none = Bounds(min=0, max=20)
    assert clamped(0, Demand(0), none) == (0, [])
    assert clamped(0, Demand(1), none) == (1, ["0 is changed to 1: there is work"])


WINDOWS = PoolSettings.model_validate(
    {
        "min": 5,
        "max": 20,
        "schedule": {
            "night": {"from": "22:00", "to": "06:00", "min": 0, "max": 3},
            "rush": {"from": "09:00", "to": "10:00", "min": 15, "max": 40},
        },
    }
)


@pytest.mark.parametrize(
    ("clock", "own", "by_type"),
    [
        ("21:59:59", (5, 20), (4, 8)), ("22:00:00", (0, 3), (3, 3)), ("00:00:00", (0, 3), (3, 3)),
        ("05:59:59", (0, 3), (3, 3)), ("06:00:00", (5, 20), (4, 8)), ("09:30:00", (15, 40), (4, 8)),
    ],
)  # fmt: skip
def test_a_window_replaces_the_pools_bounds_and_only_narrows_others(
    clock: str, own: tuple[int, int], by_type: tuple[int, int]
) -> None:
    now = datetime.combine(NOON.date(), time.fromisoformat(clock))
    for bounds, expected in ((WINDOWS, own), (Bounds(min=4, max=8), by_type)):
        found, words = in_force(WINDOWS, bounds, now)
        assert (found.min, found.max) == expected
        assert len(words) == (clock not in ("21:59:59", "06:00:00"))


def test_a_window_in_words() -> None:
    decision = sizer(settings=WINDOWS).decide(Demand(30), now_s=0, clock=NOON.replace(hour=23))
    assert decision.target == 3
    assert "schedule night (22:00 to 06:00) bounds it to 0 to 3 workers" in decision.reasons


@given(st.times(), st.times(), st.times())
def test_a_window_and_its_opposite_share_the_day(start: time, end: time, now: time) -> None:
    clock = datetime.combine(NOON.date(), now)
    inside = contains(Window.model_validate({"from": start, "to": end}), clock)
    opposite = contains(Window.model_validate({"from": end, "to": start}), clock)
    assert inside != opposite or (start == end and inside)


DEMANDS = st.builds(
    Demand,
    queue=st.integers(0, 120),
    live=st.integers(0, 64),
    arrived=st.just(0),
    task_s=st.none() | st.floats(0.1, 1000),
    free_mib=st.none() | st.floats(0, 20_000),
    rss_mib=st.none() | st.floats(1, 1000),
    rate_workers=st.none() | st.integers(0, 64),
    tokens_left=st.none() | st.integers(0, 100_000),
    tokens_per_task=st.none() | st.integers(1, 10_000),
)
MOMENTS = st.lists(st.tuples(st.floats(0.1, 90), DEMANDS, st.integers(0, 9)), min_size=1, max_size=60)
ANY_BOUNDS = st.tuples(st.integers(0, 64), st.integers(1, 64)).map(
    lambda pair: Bounds(min=min(pair), max=max(pair))
)


def run(pool: Sizer, moments: list[tuple[float, Demand, int]]) -> list[tuple[float, Demand, Decision]]:
    """Decide at each moment; tasks arrive in between."""
    now_s, arrived, found = 0.0, 0, []
    for later_s, demand, more in moments:
        now_s, arrived = now_s + later_s, arrived + more
        seen = replace(demand, arrived=arrived)
        found.append((now_s, seen, pool.decide(seen, now_s=now_s, clock=NOON)))
    return found


@given(st.sampled_from(POLICIES), ANY_BOUNDS, MOMENTS)
def test_at_most_one_change_in_a_cool_down(
    policy: Policy, bounds: Bounds, moments: list[tuple[float, Demand, int]]
) -> None:
    decisions = run(sizer(policy, bounds=bounds), moments)
    targets = [decision.target for _, _, decision in decisions]
    changes = [now_s for now_s, _, decision in decisions if decision.changed]
    moved = [now_s for (now_s, _, _), (a, b) in zip(decisions[1:], pairwise(targets), strict=True) if a != b]
    assert changes == moved
    assert all(after - before >= 30 for before, after in pairwise(changes))


@given(st.sampled_from(POLICIES), ANY_BOUNDS, MOMENTS)
def test_within_the_bounds_and_walls_or_held_by_the_cool_down(
    policy: Policy, bounds: Bounds, moments: list[tuple[float, Demand, int]]
) -> None:
    for _, demand, decision in run(sizer(policy, bounds=bounds), moments):
        held = "held at" in decision.reasons[-1]
        absolute = [wall.most for wall in walls(demand) if wall.absolute]
        others = [wall.most for wall in walls(demand) if not wall.absolute]
        least = 1 if demand.queue else 0
        allowed = min([bounds.max, *absolute, *[max(most, least) for most in others]])
        assert decision.ceiling == allowed
        assert decision.target <= allowed or held
        assert decision.target >= min(bounds.min, allowed) or held
        assert decision.target >= min([least, *absolute]) or held
        assert all(decision.reasons)


@given(st.sampled_from(POLICIES), MOMENTS, DEMANDS, st.integers(1, 50), st.floats(0.1, 90))
def test_more_work_never_means_fewer_workers(
    policy: Policy, before: list[tuple[float, Demand, int]], demand: Demand, more: int, later_s: float
) -> None:
    """From one and the same state, whatever led to it."""
    pool = sizer(policy)
    now_s = run(pool, before)[-1][0] + later_s
    seen = replace(demand, arrived=1000)
    less = copy.deepcopy(pool).decide(seen, now_s=now_s, clock=NOON)
    greater = pool.decide(replace(seen, queue=demand.queue + more), now_s=now_s, clock=NOON)
    assert less.workers <= greater.workers
    assert less.target <= greater.target


@given(st.sampled_from(POLICIES), st.integers(0, 200), st.none() | st.floats(0.1, 1000), st.integers(1, 64))
def test_the_alert_is_raised_when_and_only_when_the_backlog_is_too_much(
    policy: Policy, queue: int, task_s: float | None, most: int
) -> None:
    found = backlog_alert(Demand(queue, task_s=task_s), most, 600, policy)
    slow = task_s is not None and queue * task_s / most > 600
    expected = (policy == "tree" and queue >= 40) or queue >= 2 * most or slow
    assert (found is not None) == expected


def test_an_alert_has_its_numbers() -> None:
    found = backlog_alert(Demand(50, task_s=300), 20, 600, "tree")
    assert found == (
        "a queue of 50 is beyond the auto-scaling tree, which ends at 39; "
        "a queue of 50 is 2.5 times the maximum of 20 workers; "
        "50 tasks of 300.0 s take 20 workers 750 s, more than 600 s"
    )


def test_the_alert_goes_by_the_window_in_force() -> None:
    pool = sizer("activation", WINDOWS)
    assert pool.decide(Demand(10), now_s=0, clock=NOON).alert is None
    assert pool.decide(Demand(10), now_s=1, clock=NOON.replace(hour=23)).alert is not None


def test_fixed_needs_a_number() -> None:
    with pytest.raises(BadInput, match="policy fixed"):
        Sizer(SETTINGS, policy="fixed", bounds=SETTINGS)
    assert see(sizer("fixed"), 0, 100).target == 12
