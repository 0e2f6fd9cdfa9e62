"""The simulation: bounds that nothing real could break, what binds, and the same answer for the same seed."""

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.analysis.simulated_host import World
from cortex_git.analysis.simulation import LOSSES, drawn, simulate
from cortex_git.analysis.simulation_setup import TYPICAL, Cost, Costs, Setup
from cortex_git.errors import BadInput, EnvironmentProblem

FREE = Costs(0.0, Cost(0.0), Cost(0.0), Cost(0.0), Cost(0.0), Cost(0.0), Cost(0.0), 4)


def test_one_worker_does_one_after_the_other() -> None:
    tasks = [0.5, 1.0, 2.5, 1.0]
    free = simulate(Setup(1), tasks, FREE)
    assert free.makespan_s == pytest.approx(5.0, abs=0.07)
    real = simulate(Setup(1), tasks, TYPICAL)
    assert 5.0 < real.makespan_s < 6.0
    assert (real.started, real.wall) == (1, "workers")


@given(
    workers=st.integers(1, 70),
    hosts=st.integers(1, 4),
    tasks=st.lists(st.floats(0.0, 30.0), min_size=1, max_size=60),
    seed=st.integers(0, 5),
)
def test_nothing_is_faster_than_its_workers(workers: int, hosts: int, tasks: list[float], seed: int) -> None:
    setup = Setup(max(workers, hosts), hosts)
    found = simulate(setup, tasks, TYPICAL, seed)
    assert found.makespan_s >= max(found.ideal_s, max(tasks))
    assert found.started <= setup.workers
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert all(share >= -1e-9 for share in found.shares.values())
    assert (found.when[0].from_s, found.when[-1].to_s) == (0.0, pytest.approx(found.makespan_s))
    assert found.shares["busy"] * setup.workers * found.makespan_s == pytest.approx(sum(tasks), abs=1e-6)
    assert simulate(setup, tasks, TYPICAL, seed) == found


def test_throughput_grows_with_workers_until_the_host_is_the_wall() -> None:
    rates = [
        simulate(Setup(n, most_a_host=1000), [0.5] * (12 * n), TYPICAL).tasks_per_min for n in (1, 4, 16, 64)
    ]
    assert rates == sorted(rates)
    most = 60 / (TYPICAL.turn.of(400) + TYPICAL.record.each_s)
    crowded = simulate(Setup(400, most_a_host=1000), [0.5] * 4000, TYPICAL)
    assert crowded.tasks_per_min <= most
    assert crowded.wall == "host"


@pytest.mark.parametrize("hosts", [1, 3], ids=["one-host", "three-hosts"])
def test_no_minute_has_more_tokens_than_the_limit(hosts: int) -> None:
    setup = Setup(60, hosts, tokens_per_min=400_000, tokens_per_task=8_000)
    world = World(setup, [2.0] * 240, TYPICAL, 1)
    world.run()
    starts: list[float] = []
    for host in world.hosts:
        before = 0
        for at, (running, *_) in host.history:
            starts += [at] * max(running - before, 0)
            before = running
    starts.sort()
    assert len(starts) >= 200
    for first in starts:
        assert sum(first <= at < first + 60 for at in starts) * 8_000 <= 400_000
    found = simulate(setup, [2.0] * 240, TYPICAL)
    assert found.wall == "rate"
    assert found.tasks_per_min <= 50 * (1 + 60 / found.makespan_s)


def test_a_task_larger_than_the_minute_goes_alone() -> None:
    found = simulate(Setup(4, tokens_per_min=1_000, tokens_per_task=8_000), [1.0] * 3, TYPICAL)
    assert found.makespan_s > 120


def test_which_wall_binds() -> None:
    tasks = [10.0] * 400
    assert simulate(Setup(10), tasks, TYPICAL).wall == "workers"
    short = simulate(Setup(100, memory_workers=20), tasks, TYPICAL)
    assert (short.started, short.wall) == (20, "memory")
    bounded = simulate(Setup(200), [10.0] * 640, TYPICAL)
    assert (bounded.started, bounded.wall) == (64, "bounds")
    assert simulate(Setup(1000, 20), tasks, TYPICAL).wall == "tasks"
    far = simulate(Setup(50, round_trip_s=20.0), [1.0] * 60, TYPICAL)
    assert far.wall == "remote"
    assert set(far.shares) == {"busy", *LOSSES}


def test_hosts_share_one_remote() -> None:
    """A remote that does one thing at a time is the wall for many hosts, and none for a few."""
    slow = replace(TYPICAL, remote_at_once=1, claim=Cost(1.0), push=Cost(1.0), look=Cost(1.0))
    few = simulate(Setup(2, 2), [0.2] * 400, slow)
    many = simulate(Setup(40, 40), [0.2] * 400, slow)
    assert many.tasks_per_min < 20 * few.tasks_per_min
    assert many.wall == "remote"


def test_drawn_times_follow_what_was_measured() -> None:
    times = drawn([5.0, 1.0, 3.0], 2000, 7)
    assert times == drawn([1.0, 3.0, 5.0], 2000, 7) != drawn([1.0, 3.0, 5.0], 2000, 8)
    assert min(times) >= 1.0
    assert max(times) <= 5.0
    assert sum(times) / len(times) == pytest.approx(3.0, abs=0.1)
    assert drawn([2.0], 3, 1) == [2.0] * 3


@pytest.mark.parametrize("times", [[], [-1.0], [nan], [inf, 1.0]], ids=["none", "negative", "nan", "inf"])
def test_times_that_are_none_are_refused(times: list[float]) -> None:
    with pytest.raises(BadInput, match="task times must be"):
        drawn(times, 3, 1)


def test_setups_that_are_none_are_refused() -> None:
    for setup, tasks in ((Setup(0), [1.0]), (Setup(2, 3), [1.0]), (Setup(2), [])):
        with pytest.raises(BadInput, match="make no batch"):
            simulate(setup, tasks, TYPICAL)
    with pytest.raises(BadInput, match="no throughput"):
        simulate(Setup(1), [0.0], FREE)


def test_without_simpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'cortex-git\[plan\]'"):
        simulate(Setup(1), [1.0], TYPICAL)


def test_costs_in_a_document() -> None:
    told = TYPICAL.to_json()
    assert Costs.from_json(told) == TYPICAL
    for change in (
        {"start_s": -1}, {"start_s": nan}, {"start_s": "x"}, {"turn": 3}, {"turn": {"fixed_s": inf}},
        {"remote_at_once": 0}, {"more": 1},
    ):  # fmt: skip
        with pytest.raises(BadInput, match="costs of operations"):
            Costs.from_json(told | change)
    with pytest.raises(BadInput, match="no costs"):
        Costs.from_json([1])


@pytest.mark.parametrize(
    ("workers", "per_min"),
    [(1, 7784), (5, 5710), (10, 6330), (20, 5517), (40, 6126)],
    ids=lambda value: str(value),
)
def test_typical_costs_give_what_they_are_rounded_from(workers: int, per_min: int) -> None:
    """No-op tasks as published; the runs of one row differ by more than this."""
    found = simulate(Setup(workers), [0.0001] * 500, TYPICAL)
    assert found.tasks_per_min == pytest.approx(per_min, rel=0.3)


@pytest.mark.parametrize(
    ("workers", "overhead"), [(5, 0.007), (10, 0.006), (20, 0.014), (40, 0.019), (64, 0.023)],
    ids=lambda value: str(value),
)  # fmt: skip
def test_and_the_overhead_that_they_were_not_made_from(workers: int, overhead: float) -> None:
    """Of tasks of 1.2 s in steady state, by what ten more rounds take; to 2 % of the throughput."""
    short, long = (simulate(Setup(workers), [1.2] * (workers * rounds), TYPICAL) for rounds in (13, 23))
    assert 1 - 12 / (long.makespan_s - short.makespan_s) == pytest.approx(overhead, abs=0.02)
