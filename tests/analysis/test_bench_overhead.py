"""`bench overhead` measures real batches, and no chance of the window can show less than no overhead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.analysis.bench.overhead import (
    BOUNDS,
    PUBLISHED,
    Cycle,
    Moment,
    OverheadRow,
    bench_overhead,
    cycles_of,
    has_kept_up,
    moments_of,
)
from cortex_git.errors import EnvironmentProblem
from cortex_git.models import Result

TASK_S = 1.0
said: list[str] = []


def row(*workers: list[Moment], tasks: int = 12) -> OverheadRow:
    moments = {f"w{n}": times for n, times in enumerate(workers)}
    cycles = cycles_of(moments, tasks, len(workers))
    return OverheadRow(TASK_S, tasks - 2, tuple(cycles), 0.0, has_kept_up(moments), 1)


def steady(cycle_s: float, lags: list[float]) -> list[Moment]:
    return [(number * cycle_s, number * cycle_s + lag) for number, lag in enumerate(lags)]


def test_a_real_run() -> None:
    (found,) = bench_overhead([2], said.append, task_s=0.1, tasks_per_worker=6)
    assert len(found.cycles) == 2
    assert 0 <= found.overhead < 1
    assert found.per_min <= 2 * 60 / 0.1
    assert found.lag_s > 0 and found.pushes >= 1
    assert found.to_json()["counted_tasks"] == 8


def test_what_a_task_takes_beyond_its_own_time_is_overhead() -> None:
    assert row(steady(1.25, [0.1] * 12), steady(1.25, [0.3] * 12)).overhead == pytest.approx(0.2)
    assert row(steady(1.0, [0.1] * 12), steady(2.0, [0.1] * 12)).overhead == pytest.approx(0.25)


def test_publishing_that_falls_behind_is_overhead() -> None:
    behind = steady(1.0, [number * 1.0 for number in range(12)])
    found = row(behind)
    assert not found.kept_up
    assert found.overhead == pytest.approx(0.5)
    assert found.worked_per_min == pytest.approx(60)


def test_publishing_that_comes_later_and_later_but_keeps_up_is_none() -> None:
    """Each wave is acknowledged before the next one ends: nothing is lost but patience."""
    slower = steady(1.0, [number * 0.06 for number in range(13)])
    found = row(slower)
    assert found.kept_up
    assert found.published_per_min < found.worked_per_min
    assert found.overhead == pytest.approx(0)


def test_publishing_that_kept_up_at_first_only_is_overhead() -> None:
    found = row(steady(1.0, [0.1] * 6 + [1.5 * number for number in range(1, 8)]))
    assert not found.kept_up
    assert found.overhead > 0.3


def test_what_is_published_in_the_drain_proves_nothing() -> None:
    behind = [(float(number), 20.0) for number in range(12)]
    assert not has_kept_up({"a": behind, "b": [*behind, (50.0, 51.0)]})


def test_the_ramp_up_and_the_drain_do_not_count() -> None:
    times = steady(1.0, [0.1] * 13)
    assert row(
        [(times[0][0] - 50, times[0][1] - 40), *times[1:11], (100.0, 100.1)]
    ).overhead == pytest.approx(0)


def test_one_push_for_everything_is_no_infinite_rate() -> None:
    found = row([(float(number), 20.0) for number in range(12)])
    assert (found.overhead, found.to_json()["published_per_min"]) == (pytest.approx(0), None)


@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 2), st.floats(0, 5)), min_size=12, max_size=14),
        min_size=1,
        max_size=4,
    )
)
def test_there_is_never_less_than_no_overhead(workers: list[list[tuple[float, float]]]) -> None:
    """Whatever is added to a task's own time, and however late each push is answered."""
    made: list[list[Moment]] = []
    for extras in workers:
        ended = published = 0.0
        times: list[Moment] = []
        for extra, lag in extras:
            ended += TASK_S + extra
            published = max(published, ended + lag)
            times.append((ended, published))
        made.append(times)
    found = row(*made)
    assert -1e-9 <= found.overhead <= 1
    assert found.per_min <= found.worked_per_min


def test_a_worker_that_had_too_little_is_no_measurement() -> None:
    full = steady(1.0, [0.1] * 12)
    assert cycles_of({"a": full, "b": full[:11]}, 12, 2) == [Cycle(pytest.approx(1), pytest.approx(1))] * 2
    for moments in ({"a": full, "b": full[:10]}, {"a": full}, {}):
        with pytest.raises(EnvironmentProblem, match="of 2 workers"):
            cycles_of(moments, 12, 2)


def result(task: str, **fields: object) -> Result:
    standard = {"batch": "b", "status": "completed", "worker": "w", "host": "h", "nonce": f"nonce-{task}"}
    return Result.model_validate(
        {"task": task, "completed_at": "2026-01-01T00:00:02.500Z"} | standard | fields
    )


def test_moments_are_those_of_the_worker_s_own_clock_and_of_the_acknowledgement() -> None:
    first = result("a", completed_at="2026-01-01T00:00:01.000Z")
    published = {"nonce-a": 9.0, "nonce-b": 10.0}
    ((worker, times),) = moments_of([result("b"), first], published).items()
    assert worker == "w"
    assert times[1][0] - times[0][0] == pytest.approx(1.5)
    assert [at for _, at in times] == [9.0, 10.0]
    with pytest.raises(EnvironmentProblem, match="a: it broke"):
        moments_of([result("a", status="failed", error="it broke")], published)
    with pytest.raises(EnvironmentProblem, match="c: its push"):
        moments_of([result("c")], published)


def test_the_published_comparison_is_beside_ours() -> None:
    assert [PUBLISHED[count] for count in (5, 10, 20, 30, 40)] == [0.02, 0.04, 0.08, 0.18, 0.32]
    assert [BOUNDS[count] for count in (5, 10, 20, 30, 40, 64)] == [0.02, 0.02, 0.03, 0.04, 0.05, 0.08]
    found = row(*[steady(1.0, [0.1] * 12)] * 5).to_json()
    assert (found["published_comparison"], found["bound"]) == (0.02, 0.02)
