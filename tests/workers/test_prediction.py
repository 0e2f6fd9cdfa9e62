"""What `predictive` answers: activation without a forecast, a plan with one, more when it is surprised."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.workers.activation import target
from cortex_git.workers.prediction import Prediction, Seen


class Foretold:
    """A forecaster that says what it is told to say."""

    def __init__(self, rate: float | None, recent: int = 0, state: str = "") -> None:
        self.said = rate
        self.came = recent
        self.why = state

    def observe(self, arrived: int, now_s: float) -> None:
        """Nothing to learn."""

    def rate(self) -> float | None:
        return self.said

    def recent(self) -> int:
        return self.came

    def state(self) -> str:
        return self.why


def seen(queue: int, task_s: float | None = 40.0, least: int = 5) -> Seen:
    return Seen(queue, arrived=0, task_s=task_s, now_s=0.0, capacity=64, least=least)


@pytest.mark.parametrize("queue", [0, 12, 13, 31, 52])
def test_without_a_forecast_it_is_activation_and_says_why(queue: int) -> None:
    workers, reasons = Prediction(Foretold(None, state="3 of 10 minutes"), 30).answer(seen(queue))
    assert workers == target(queue).workers
    assert reasons[0].startswith("no forecast (3 of 10 minutes), so as activation: utilization")
    workers, reasons = Prediction(Foretold(0.2), 30).answer(seen(queue, task_s=None))
    assert workers == target(queue).workers
    assert "no task has ended yet" in reasons[0]


def test_the_plan_is_the_load_and_its_square_root() -> None:
    """0.2 a second of 45 s are a load of 9; with its square root, 12."""
    workers, reasons = Prediction(Foretold(0.2), 30).answer(seen(9, task_s=45))
    assert workers == 12
    assert reasons == [
        "0.200 tasks a second are forecast; at 45.0 s each they keep 9.0 workers busy,"
        " and 12 are planned for their ups and downs"
    ]


def test_a_queue_within_what_was_foreseen_changes_nothing_and_one_beyond_does() -> None:
    """9 and 2.5 times its root are 16.5."""
    prediction = Prediction(Foretold(0.2), 30)
    assert {prediction.answer(seen(queue, task_s=45))[0] for queue in range(17)} == {12}
    workers, reasons = prediction.answer(seen(17, task_s=45))
    assert workers == 17
    assert reasons[-1] == (
        "a queue of 17 is more than the 16 that were foreseen at most:"
        " 17 workers for the queue and 0 more at that pace"
    )


def test_a_surge_is_met_before_its_queue_is_there() -> None:
    """2 were expected in 10 s: more than 2 + 3 · √2 + 2 are a surge, that lasts 40 s at least."""
    assert Prediction(Foretold(0.2, recent=8), 30).answer(seen(8))[0] == 11
    workers, reasons = Prediction(Foretold(0.2, recent=9), 30).answer(seen(8))
    assert workers == 8 + 28
    assert "9 tasks came in 10 s where 2.0 were forecast" in reasons[-1]


def test_small_differences_are_not_worth_a_cool_down() -> None:
    forecaster = Foretold(0.2)
    prediction = Prediction(forecaster, 30)
    plans = []
    for rate in (0.2, 0.24, 0.2, 0.4, 0.2):  # plans of 11, 13, 11, 20, 11
        forecaster.said = rate
        plans.append(prediction.answer(seen(0))[0])
    assert plans == [11, 11, 11, 20, 11]


def test_an_older_forecast_is_used_and_said_to_be_old() -> None:
    _, reasons = Prediction(Foretold(0.2, state="the last forecast failed (x)"), 30).answer(seen(0))
    assert reasons[1] == "the last forecast failed (x)"


@given(
    st.floats(0, 10), st.floats(0.1, 600), st.integers(0, 200), st.integers(0, 100), st.integers(0, 64)
)  # fmt: skip
def test_never_fewer_than_the_load_or_the_minimum(
    rate: float, task_s: float, queue: int, recent: int, least: int
) -> None:
    workers, reasons = Prediction(Foretold(rate, recent), 30).answer(seen(queue, task_s, least))
    assert workers >= max(rate * task_s, least)
    assert all(reasons)


def test_without_the_extra_it_says_what_to_install() -> None:
    """In a fresh interpreter that cannot find the library."""
    script = """
from cortex_git.errors import EnvironmentProblem
from cortex_git.workers.forecasting import arrival_forecaster
try:
    arrival_forecaster(30)
except EnvironmentProblem as problem:
    print(problem)
"""
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, timeout=60)
    assert (
        done.stdout.strip() == "policy predictive needs statsmodels: run `pip install 'cortex-git[predict]'`"
    )
