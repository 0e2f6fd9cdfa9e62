"""What a batch is expected to take, by figures that can be added up by hand, and the limits it meets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.analysis.binding import Binding, Left, Pace, RateShare, bindings, pace
from cortex_git.analysis.preflight import Planned, estimates, percentile
from cortex_git.config import Model
from cortex_git.llm import Usage
from cortex_git.store.outcomes import Spent

SMALL = Model(name="small", input=1.0, output=5.0, cache_write=1.25, cache_read=0.1)
LARGE = Model(name="large", input=2.0, output=10.0, cache_write=2.5, cache_read=0.2)
FREE = Model(name="local")


def planned(kind: str = "review-worker", model: Model | None = SMALL, **fields: object) -> Planned:
    values = {"runner": "claude", "budget": 5000, "deadline_s": 900.0, "batch": "b", "master": "m"}
    return Planned(type=kind, model=model, **(values | fields))  # type: ignore[arg-type]


def spent(tokens: int, seconds: float = 60.0, **fields: object) -> Spent:
    values = {"type": "review-worker", "model": "small", "status": "completed", "usage": Usage()}
    return Spent(tokens=tokens, duration_s=seconds, **(values | fields))  # type: ignore[arg-type]


def test_before_any_result_the_budget_is_the_upper_bound() -> None:
    (one,) = estimates([planned(), planned(budget=7000)], [])
    assert (one.tasks, one.past, one.basis) == (2, 0, "no past results: upper bound")
    assert one.tokens == one.tokens_most == 12_000
    assert one.cost_usd == pytest.approx(12_000 * 5.0 / 1e6)  # the dearest kind: output
    assert one.task_s == 900.0


def test_past_results_give_median_percentile_and_mean() -> None:
    past = [spent(tokens, seconds) for tokens, seconds in zip(range(100, 1100, 100), range(10), strict=True)]
    (one,) = estimates([planned()] * 4, past)
    assert (one.past, one.basis) == (10, "from 10 past results")
    assert (one.tokens_median, one.tokens_p90) == (550, 900)
    assert (one.tokens, one.tokens_most) == (4 * 550, 4 * 900)
    assert (one.task_s, one.task_s_p90) == (4.5, 8)


def test_an_attempt_is_cut_off_at_its_budget() -> None:
    past = [spent(1000), spent(3000)]
    (one,) = estimates([planned(budget=2000), planned(budget=500)], past)
    assert one.tokens == 1500 + 500
    assert one.tokens_most == 2000 + 500


def test_the_price_follows_what_past_attempts_were_made_of() -> None:
    past = [
        spent(1000, usage=Usage(input=600, output=100, cache_write=200, cache_read=100)),
        spent(1000, usage=Usage(input=1000)),
        spent(1000),  # of an older version: by kind nothing is known
    ]
    (one,) = estimates([planned()], past)
    by_hand = (1600 * 1.0 + 100 * 5.0 + 200 * 1.25 + 100 * 0.1) / 2000 / 1e6
    assert one.cost_usd == pytest.approx(1000 * by_hand)


def test_results_of_the_same_model_come_first() -> None:
    past = [spent(100), spent(900, model="large")]
    by_model = {one.model: one for one in estimates([planned(), planned(model=LARGE)], past)}
    assert {name: one.tokens for name, one in by_model.items()} == {"small": 100, "large": 900}
    (other,) = estimates([planned(model=LARGE)], [spent(100)])
    assert other.basis == "from 1 past result with other models"
    (unknown,) = estimates([planned("fix-worker")], past)
    assert unknown.past == 0


def test_without_a_price_there_is_no_cost() -> None:
    local, unknown = estimates([planned(model=FREE), planned(model=None, runner="command")], [spent(100)])
    assert local.cost_usd is local.cost_most_usd is None
    assert unknown.cost_usd is None


@given(st.lists(st.integers(1, 10**6), min_size=1), st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_never_more_than_the_budgets_and_never_less_than_expected(
    counts: list[int], given: list[int]
) -> None:
    (one,) = estimates([planned(budget=budget) for budget in given], [spent(count) for count in counts])
    assert 0 <= one.tokens <= one.tokens_most <= sum(given)
    assert one.tokens_median <= one.tokens_p90 <= max(counts)


def test_percentile_is_the_nearest_rank() -> None:
    assert [percentile([3, 1, 2], share) for share in (0.1, 0.5, 0.9, 1.0)] == [1, 2, 3, 3]


def met(
    tasks: list[Planned],
    past: list[Spent],
    *,
    workers: int = 2,
    rates: tuple[RateShare, ...] = (),
    **more: object,
) -> list[Binding]:
    found = estimates(tasks, past)
    given = {"accounts": [], "free_mib": None, "worker_mib": None} | more
    return bindings(tasks, found, workers=workers, time=pace(found, workers, rates), **given)  # type: ignore[arg-type]


def test_no_limit_no_words() -> None:
    roomy = (RateShare("claude", 10**6, 1000, 1, None),)
    left = [Left("total", 10**6, 10**6), Left("batch:other", 10, 0), Left("master:other", 10, 0)]
    assert (
        met([planned()] * 4, [spent(1000)], rates=roomy, accounts=left, free_mib=4000, worker_mib=100) == []
    )


def test_a_budget_that_is_too_small() -> None:
    tasks = [planned()] * 10
    (one,) = met(tasks, [spent(1000)], accounts=[Left("total", 100_000, 4000)])
    assert (one.limit, one.sure) == ("budget", True)
    assert one.text == (
        "the budget has 4,000 of 100,000 tokens left, 10,000 are expected: about 4 of 10 tasks can run"
    )
    (none,) = met(tasks, [spent(1000)], accounts=[Left("day:2026-11-24", 5000, -3)])
    assert none.text.startswith("the day's budget has 0 of 5,000 tokens left")
    assert none.text.endswith("nothing can run")


def test_a_budget_that_may_be_too_small() -> None:
    (one,) = met([planned()] * 2, [spent(100)] * 8 + [spent(4000)] * 2, accounts=[Left("total", 9000, 5000)])
    assert (one.limit, one.sure) == ("budget", False)
    assert one.text.endswith("this may take up to 8,000")


def test_a_budget_that_lets_few_start_at_once() -> None:
    (one,) = met([planned()] * 8, [spent(100)], workers=4, accounts=[Left("total", 20_000, 11_000)])
    assert one.text.endswith("an attempt starts with 5,000 to its name: at most 2 at once")


def test_the_budgets_of_a_batch_and_a_master_count_their_own_tasks_only() -> None:
    tasks = [
        planned(batch="one", master="x"),
        planned(batch="two", master="y"),
        planned(batch="one", master="y"),
    ]
    found = met(
        tasks, [spent(1000)], workers=1,
        accounts=[Left("batch:one", 9000, 1500), Left("batch:two", 9000, 5000), Left("master:y", 9000, 1000)],
    )  # fmt: skip
    assert [one.text.partition(" has ")[0] for one in found] == [
        "the budget of batch one", "the budget of master y",
    ]  # fmt: skip
    assert "about 1 of 2 tasks can run" in found[0].text


def test_a_rate_limit_that_makes_it_last_longer() -> None:
    tasks = [planned()] * 60
    rate = RateShare("claude", 10_000, None, 2, None)
    found = estimates(tasks, [spent(1000, 60.0)])
    time = pace(found, 20, (rate,))
    assert time == Pace(by_workers_s=180.0, by_rate_s=360.0, rated=rate)
    (one,) = met(tasks, [spent(1000, 60.0)], workers=20, rates=(rate,))
    assert one.text == (
        "claude's rate limit of 10,000 tokens a minute, this host's part of 2, makes it last 6 min"
        " where the workers need 3 min"
    )


def test_a_limit_of_requests_counts_calls_as_they_were_lately() -> None:
    found = estimates([planned()] * 60, [spent(1000, 1.0)])
    assert pace(found, 60, (RateShare("claude", None, 60, 1, None),)).by_rate_s == 60
    assert pace(found, 60, (RateShare("claude", None, 60, 1, 250.0),)).by_rate_s == 240
    assert pace(found, 60, (RateShare("openai", None, 1, 1, None),)).by_rate_s == 0


def test_the_longest_task_bounds_the_time() -> None:
    found = estimates([planned()] * 2, [spent(10, 60.0)])
    assert pace(found, 64, ()).seconds == 60
    assert pace([], 3, ()).seconds == 0


def test_what_past_attempts_ran_out_of() -> None:
    past = [spent(5000, status="budget_exhausted"), spent(10, 950.0, status="timed_out"), *[spent(100)] * 6]
    tokens, deadline = met([planned()], past)
    assert tokens.text.startswith("1 of 8 past attempts of a review-worker ran out of their tokens")
    assert deadline.text.startswith("1 of 8 past attempts of a review-worker ran out of time")
    assert not tokens.sure
    assert not deadline.sure


def test_a_shorter_time_limit_than_past_attempts_took() -> None:
    (one,) = met([planned(deadline_s=30.0)], [spent(100, 60.0)])
    assert one.limit == "deadline"
    assert "took 60 s or longer, and the limit is 30 s" in one.text


def test_memory() -> None:
    (one,) = met([planned()] * 9, [spent(1)], workers=8, free_mib=350.0, worker_mib=100.0)
    assert one.text == "350 MiB of memory are free, enough for 3 of 8 workers at 100 MiB each"


def test_the_sure_ones_come_first() -> None:
    past = [spent(4000, status="budget_exhausted")]
    assert [one.sure for one in met([planned()], past, accounts=[Left("total", 10, 1)])] == [True, False]
