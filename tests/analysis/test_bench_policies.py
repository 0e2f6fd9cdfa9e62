"""The replay: what a trace is, what a wait is, no policy that flaps, and what a forecast is worth."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from cortex_git.analysis.bench.policies import SETTINGS, PolicyRow, bench_policies, sizer
from cortex_git.analysis.bench.replay import Replayed, replay
from cortex_git.analysis.bench.traces import TASK_S, TRACES, Arrival, Trace, bursts, steady, traces_of, wave
from cortex_git.analysis.utilization import Use
from cortex_git.errors import BadInput
from cortex_git.workers.activation import POLICIES

HOUR_S = 3600
UNUSED = Use(0.0, 0.0, 0.0, 0.0, 0.0, 0)


def part(make: Callable[[int], Trace], begin_h: float, hours: float) -> Trace:
    """So many hours of a trace, from that hour on."""
    whole = make(1)
    first, last = begin_h * HOUR_S, (begin_h + hours) * HOUR_S
    within = (arrival for arrival in whole.arrivals if first <= arrival.at_s < last)
    return Trace(whole.name, tuple(Arrival(arrival.at_s - first, arrival.takes_s) for arrival in within))


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], PolicyRow]:
    """The bench on a part of each trace; the wave's is its rise."""
    parts = [part(steady, 0, 3), part(wave, 7, 2), part(bursts, 0, 3)]
    return {(row.trace, row.policy): row for row in bench_policies(parts, lambda _: None)}


def test_traces_are_the_same_for_a_seed_and_others_for_another() -> None:
    for make in TRACES.values():
        assert make(3) == make(3)
        assert make(3) != make(4)


def test_traces_are_what_they_say() -> None:
    hours = {name: [arrival.at_s / HOUR_S for arrival in make(1).arrivals] for name, make in TRACES.items()}
    assert all(at <= later for times in hours.values() for at, later in pairwise(times))
    assert len(hours["steady"]) / 6 == pytest.approx(12 * 60, rel=0.1)
    assert len(hours["wave"]) / 24 == pytest.approx(12.5 * 60, rel=0.1)
    noon, midnight = (sum(low <= at < low + 1 for at in hours["wave"]) for low in (11.5, 0))
    assert noon > 10 * midnight
    minutes = [sum(60 * at // 1 == minute for at in hours["bursts"]) for minute in range(8 * 60)]
    assert sorted(minutes)[len(minutes) // 2] <= 5
    assert max(minutes) > 20
    for make in (steady, wave, bursts):
        takes = [arrival.takes_s for arrival in make(1).arrivals]
        assert sum(takes) / len(takes) == pytest.approx(TASK_S, rel=0.15)


def test_a_replay_by_hand() -> None:
    """20 workers are ready after 20 ms; of 21 tasks of 10 s at once, the last waits for the first to end."""
    trace = Trace("by hand", tuple(Arrival(5.0, 10.0) for _ in range(21)))
    found = replay(trace, sizer("fixed"))
    assert found.waits_s == pytest.approx([0.0] * 20 + [10.0])
    assert found.wait_s(0.5) == 0
    assert found.wait_s(0.95) == 0
    assert found.wait_s(1.0) == 10
    assert found.use.heavy_s == pytest.approx(10.0), "twenty at once"
    assert found.use.light_s == pytest.approx(5.0 + 10.0), "none before they come, then the last one"
    assert found.use.busy_s == pytest.approx(210.0)
    assert found.use.peak_active == 20
    assert (found.peak, found.changes_s) == (20, ())
    assert found.worker_hours == pytest.approx(20 * 25 / HOUR_S)


def test_workers_that_are_too_many_leave_and_not_amid_a_task() -> None:
    """The tree has 5 workers, 20 for the burst, 10 and 5 again; the long task goes on meanwhile."""
    long = Arrival(1.0, 1000.0)
    trace = Trace("by hand", (long, *(Arrival(2.0, 1.0) for _ in range(30)), Arrival(900.0, 1.0)))
    found = replay(trace, sizer("tree"))
    assert found.peak == 20
    assert found.changes_s == (2.0, 64.0, 94.0)
    assert found.waits_s[-1] < 3
    assert found.worker_hours < (20 * 100 + 5 * 1000) / HOUR_S


def test_changes_within_a_span() -> None:
    found = Replayed(0.0, (), (0.0, 30.0, 59.0, 59.5, 89.9), 0, UNUSED)
    assert found.most_changes_within(30) == 3
    assert found.most_changes_within(0.5) == 1
    assert Replayed(0.0, (), (), 0, UNUSED).most_changes_within(30) == 0


def test_no_policy_flaps(rows: dict[tuple[str, str], PolicyRow]) -> None:
    for row in rows.values():
        assert row.most_changes_per_cooldown <= 1
        assert SETTINGS.min <= row.peak <= SETTINGS.max
        assert row.changes == 0 if row.policy == "fixed" else row.changes > 0


def test_every_trace_and_policy_has_a_row(rows: dict[tuple[str, str], PolicyRow]) -> None:
    pytest.importorskip("statsmodels")
    assert list(rows) == [(trace, policy) for trace in TRACES for policy in POLICIES]


def test_a_forecast_takes_fewer_worker_hours_than_activation_and_shorter_waits(
    rows: dict[tuple[str, str], PolicyRow],
) -> None:
    pytest.importorskip("statsmodels")
    ours, activation = rows["steady", "predictive"], rows["steady", "activation"]
    assert ours.worker_hours < activation.worker_hours
    assert ours.wait_p95_s < activation.wait_p95_s


def test_figures_are_the_same_for_a_trace() -> None:
    """Forecasts are fitted at once here, so no thread decides."""
    pytest.importorskip("statsmodels")
    hour = part(bursts, 1, 1)
    for policy in POLICIES:
        assert replay(hour, sizer(policy)) == replay(hour, sizer(policy))


def test_only_the_traces_asked_for() -> None:
    assert [trace.name for trace in traces_of(1, [])] == ["steady", "wave", "bursts"]
    assert traces_of(2, ["bursts"]) == [bursts(2)]
    with pytest.raises(BadInput, match="steady, wave, bursts"):
        traces_of(1, ["storm"])
