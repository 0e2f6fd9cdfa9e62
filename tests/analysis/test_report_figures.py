"""The figures of a report, by tables of facts."""

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
from factworld import NOON, fact, gathered_of, report_on
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.analysis.attention import Standing
from cortex_git.analysis.figures import Asked, report_of
from cortex_git.analysis.statistics import Severities
from cortex_git.analysis.timelines import GANTT_ROWS, MOST_STEPS, Endings, gantt, hours, together
from cortex_git.analysis.utilization import Sample, shares, use, utilization
from cortex_git.llm import Usage

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "report-1.json").read_text())
CALLED_OFF = {"status": "cancelled", "ran": False, "started_at": None, "duration_s": 0.0, "wait_s": None}


def test_nothing_at_all_makes_no_figure() -> None:
    data = report_on([])
    assert (data.totals.tally.tasks, data.totals.tally.success_rate, data.totals.spawn_s_average) == (
        0,
        None,
        None,
    )
    assert (data.period.wall_s, data.totals.throughput_per_hour, data.utilization) == (None, None, None)
    assert (data.gantt, data.findings, data.throughput, data.days, data.attention) == (None, None, (), (), ())
    jsonschema.validate({"schema": 1, **data.to_json()}, SCHEMA)


def test_success_leaves_cancelled_tasks_out() -> None:
    facts = [
        fact("t1"), fact("t2", status="failed"), fact("t3", status="timed_out"),
        fact("t4", status="unreadable", ran=False), fact("t5", **CALLED_OFF),
    ]  # fmt: skip
    totals = report_on(facts).totals
    tally = totals.tally
    assert (tally.tasks, tally.completed, tally.failed, tally.cancelled) == (5, 1, 3, 1)
    assert tally.success_rate == 0.25
    assert totals.by_status == {"completed": 1, "failed": 1, "timed_out": 1, "unreadable": 1, "cancelled": 1}
    assert sum(totals.by_status.values()) == tally.tasks


def test_only_cancelled_tasks_have_no_success_rate() -> None:
    tally = report_on([fact(**CALLED_OFF)]).totals.tally
    assert (tally.success_rate, tally.run_s_median, tally.wait_s_median) == (None, None, None)


def test_run_times_and_waits() -> None:
    facts = [fact(f"t{n}", seconds=float(n), wait_s=float(10 * n)) for n in range(1, 11)]
    facts += [fact("gone", **CALLED_OFF), fact("elsewhere", seconds=1000.0, wait_s=None)]
    tally = report_on(facts).totals.tally
    assert (tally.run_s, tally.run_s_median, tally.run_s_p90) == (1055.0, 6.0, 10.0)
    assert (tally.wait_s_median, tally.wait_s_p90) == (55.0, 90.0)


@pytest.mark.parametrize(
    ("since", "wall_s", "per_hour"),
    [(NOON, 3600.0, 2.0), (NOON - 3600, 7200.0, 1.0), (None, 60.0, 120.0)],
    ids=["an hour", "two hours", "from the first start to the last end"],
)
def test_throughput(since: float | None, wall_s: float, per_hour: float) -> None:
    data = report_on([fact("t1"), fact("t2", start=50), fact("t3", **CALLED_OFF)], since=since)
    assert (data.period.wall_s, data.totals.throughput_per_hour) == (wall_s, per_hour)


def test_money_is_exact_and_what_has_no_price_is_told_apart() -> None:
    cents = [fact(f"t{n}", tokens_used=10, cost_usd=Decimal("0.1"), model="m") for n in range(3)]
    data = report_on([*cents, fact("t4", tokens_used=7, cost_usd=None, model="x"), fact("t5")])
    tally = data.totals.tally
    assert (tally.cost_usd, tally.tokens, tally.unpriced_tokens) == (Decimal("0.3"), 37, 7)
    assert [(one.name, one.tasks, one.tokens) for one in data.by_model] == [("m", 3, 30), ("x", 1, 7)]
    assert data.notes == ("7 tokens have no price here, and are not in the cost: of the models x",)
    assert data.to_json()["totals"]["tally"]["cost_usd"] == 0.3


def test_tokens_by_kind() -> None:
    kinds = {"tokens": Usage(1, 2, 3, 4), "tokens_used": 10, "cost_usd": Decimal(0)}
    data = report_on([fact("t1", **kinds), fact("t2", **kinds)])
    assert data.totals.usage == Usage(2, 4, 6, 8)
    assert data.days[0].usage == Usage(2, 4, 6, 8)


def test_groups_add_up_to_the_whole() -> None:
    facts = [
        fact(f"t{n}", batch=f"b{n % 2}", type=f"k{n % 3}", master=f"m{n % 4}", host=f"h{n % 5}",
             start=n * 40_000.0, repo=f"r{n % 7}", status="failed" if n % 6 == 0 else "completed")
        for n in range(50)
    ]  # fmt: skip
    data = report_on(facts)
    whole = data.totals.tally
    groups = [data.by_master, data.by_type, data.by_batch, data.by_host, data.by_repository]
    groups.append(tuple(day.tally for day in data.days))
    for group in groups:
        assert sum(one.tasks for one in group) == whole.tasks
        assert sum(one.failed for one in group) == whole.failed
        assert sum(one.run_s for one in group) == pytest.approx(whole.run_s)
    assert sum(step.ended for step in data.throughput) == whole.tasks


def test_long_lists_say_how_many_there_are() -> None:
    data = report_on([fact(f"t{n}", repo=f"r{n:03d}", batch=f"b{n:03d}", start=n) for n in range(150)])
    assert (len(data.by_repository), data.repositories) == (100, 150)
    assert (len(data.by_batch), data.batches, data.by_batch[0].name) == (100, 150, "b149")
    assert len(data.slowest) == 20


@pytest.mark.parametrize("span_s", [0.5, 59, 61, 3599, 86_400, 40 * 86_400, 20 * 365 * 86_400])
def test_steps_cover_the_whole_time_and_are_few(span_s: float) -> None:
    endings = Endings()
    for at in (0.0, span_s / 3, span_s):
        endings.add(fact(start=at, seconds=0.0, tokens_used=5))
    endings.add(fact(status="cancelled"))
    endings.add(fact(completed_at=None))
    steps = endings.steps()
    assert 0 < len(steps) <= MOST_STEPS
    assert all(b.start - a.start == a.seconds for a, b in pairwise(steps))
    assert steps[0].start <= NOON
    assert NOON + span_s <= steps[-1].start + steps[-1].seconds
    assert (sum(step.ended for step in steps), sum(step.tokens for step in steps)) == (3, 15)


def test_the_newest_readable_scan_of_a_repository_counts() -> None:
    facts = [
        fact("new", repo="r", start=100, severities={"high": 1}),
        fact("old", repo="r", severities={"critical": 9}),
        fact("failed", repo="r", start=200, status="failed", severities=None),
        fact("clean", repo="clean", severities={}),
        fact("worst", repo="worst", severities={"critical": 1, "unknown": 2}),
    ]
    data = report_on(facts)
    assert data.findings == Severities("", 1, 1, 0, 0, 2)
    assert [one.repo for one in data.severities] == ["worst", "r"]
    assert data.scanned == 3


def test_the_slowest_repositories_name_their_longest_task() -> None:
    facts = [
        fact("t1", repo="a", seconds=1),
        fact("t2", repo="a", seconds=9),
        fact("t3", repo="b", seconds=5),
    ]
    (a, b) = report_on(facts).slowest
    assert (a.repo, a.tasks, a.longest_s, a.median_s, a.task) == ("a", 2, 9.0, 5.0, "t2")
    assert b.repo == "b"


def test_a_batch_on_two_workers() -> None:
    """Forty worker-seconds of a minute with two workers: a third is overhead."""
    facts = [fact(f"t{n}", start=15.0 * n, seconds=10.0, worker=f"w{n % 2}") for n in range(3)]
    facts.append(fact("t3", start=50.0, seconds=10.0, worker="w1"))
    facts.append(fact("b1.merge", start=80.0, ran=False))
    (point,) = report_on(facts).scaling
    assert (point.workers, point.tasks, point.tasks_per_minute) == (2, 4, 4.0)
    assert point.overhead == pytest.approx(1 - 40 / (2 * 60))
    assert point.run_s_median == 10.0


@pytest.mark.parametrize(
    "facts",
    [
        [fact("t1", host="a"), fact("t2", host="b")] * 4,
        [fact(f"t{n}", worker=f"w{n}") for n in range(4)],
        [fact("t1", seconds=0.0), fact("t2", seconds=0.0)],
        [fact("t1", started_at=None, completed_at=None)] * 4,
        [fact("t1", ran=False)] * 4,
    ],
    ids=["two hosts", "a task a worker", "no time at all", "times unknown", "no worker ran them"],
)
def test_a_batch_that_says_nothing_of_scaling(facts: list) -> None:
    assert report_on(facts).scaling == ()


def test_a_batch_by_worker() -> None:
    facts = [fact("t2", start=20, worker="b"), fact("t1", worker="b"), fact("t3", start=5, worker="a")]
    drawn = gantt("b1", [*facts, fact("x", ran=False)])
    assert drawn is not None
    assert (drawn.from_at, drawn.left_out) == (NOON, 0)
    assert [(row.worker, row.task, row.start_s, row.end_s) for row in drawn.rows] == [
        ("a", "t3", 5.0, 15.0), ("b", "t1", 0.0, 10.0), ("b", "t2", 20.0, 30.0),
    ]  # fmt: skip


def test_a_large_batch_is_drawn_in_part() -> None:
    drawn = gantt("b1", [fact(f"t{n:04d}", start=n) for n in range(GANTT_ROWS + 5)])
    assert drawn is not None
    assert (len(drawn.rows), drawn.left_out) == (GANTT_ROWS, 5)
    assert max(row.start_s for row in drawn.rows) == GANTT_ROWS - 1


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    data = report_on([fact("t1", completed_at=NOON - 500), fact("t2", started_at=None)], batch="b1")
    assert data.gantt is not None
    assert all(row.end_s >= row.start_s >= 0 for row in data.gantt.rows)
    assert data.period.wall_s == 10.0
    jsonschema.validate({"schema": 1, **data.to_json()}, SCHEMA)


SAMPLES = st.lists(
    st.builds(
        Sample,
        pool=st.sampled_from("ab"),
        at=st.floats(NOON - 8000, NOON + 8000),
        interval_s=st.floats(0.5, 3000),
        live=st.floats(0, 64),
        busy=st.floats(0, 64),
        peak=st.integers(0, 64),
    ),
    max_size=30,
)


@given(SAMPLES)
def test_the_hours_of_one_pool_add_up_to_its_utilization(samples: list[Sample]) -> None:
    samples = sorted((one for one in samples if one.pool == "a"), key=lambda one: one.at)
    since, until = NOON - 7000, NOON + 7000
    found = hours(iter(samples), since, until)
    whole = use(samples, since, until)
    assert [hour.start for hour in found] == sorted({hour.start for hour in found})
    assert all(hour.use.covered_s <= 3600.001 for hour in found)
    if not found:
        assert whole.covered_s == 0
        return
    sums = together(found)
    assert sums is not None
    for name in ("light_s", "medium_s", "heavy_s", "busy_s", "live_s"):
        assert getattr(sums, name) == pytest.approx(getattr(whole, name), abs=1e-3)
    assert sums.peak_active == whole.peak_active


def test_hours_are_what_status_says_of_a_day() -> None:
    samples = [Sample(f"p{n % 2}", NOON + 5 * n, 10, 20, n % 20, n % 20) for n in range(2000)]
    found = together(hours(samples, NOON, NOON + 86_400))
    assert found is not None
    expected = utilization(samples, NOON, NOON + 86_400)
    assert shares(found).to_json() == pytest.approx(expected.to_json())


def test_no_more_samples_are_kept_than_those_of_two_hours() -> None:
    """Ten days of them pass through, and the hours come out one after the other."""
    samples = (Sample("p", NOON + 60.0 * n, 60, 4, 2, 3) for n in range(1, 10 * 24 * 60 + 1))
    found = hours(samples, NOON, NOON + 11 * 86_400)
    assert len(found) == 240
    assert {hour.use.covered_s for hour in found} == {3600.0}


def test_json_is_as_published() -> None:
    facts = [
        fact(f"t{n}", repo="r", worker=f"w{n % 2}", start=n, severities={"low": 1}, status="failed")
        for n in range(8)
    ]
    gathered = gathered_of(facts, "b1")
    used = hours([Sample("p", NOON + 5, 5, 2, 1, 2)], NOON, NOON + 60)
    data = report_of(
        Asked(NOON, "h1", NOON - 60, NOON, "b1"), gathered, used, Standing(unpublished=2), open_tasks=3
    )
    document = {"schema": 1, **data.to_json()}
    jsonschema.validate(document, SCHEMA)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["period"]["since"] == "2026-10-29T11:59:00Z"
    assert document["hours"][0]["start"] == "2026-10-29T12:00:00Z"
    assert {one["level"] for one in document["attention"]} == {"warning"}
