"""The published thresholds, at both sides of each, and the clamps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.errors import BadInput
from cortex_git.workers.activation import (
    POLICIES,
    activation_rate,
    checked_policy,
    target,
    tree_workers,
)


@pytest.mark.parametrize(
    ("queue", "rate", "workers"),
    [
        (0, 0.14, 9), (12, 0.14, 9), (13, 0.35, 22), (31, 0.35, 22), (32, 0.70, 45), (51, 0.70, 45),
        (52, 1.0, 64), (64, 1.0, 64), (10_000, 1.0, 64),
    ],
)  # fmt: skip
def test_activation_of_64(queue: int, rate: float, workers: int) -> None:
    assert activation_rate(queue) == rate
    assert target(queue).workers == workers


@pytest.mark.parametrize(
    ("queue", "answer"),
    [
        (0, (5, False)), (4, (5, False)), (5, (10, False)), (19, (10, False)), (20, (20, False)),
        (39, (20, False)), (40, (20, True)), (1000, (20, True)),
    ],
)  # fmt: skip
def test_tree(queue: int, answer: tuple[int, bool]) -> None:
    assert tree_workers(queue) == answer


def test_every_queue_up_to_100_as_published() -> None:
    """Percent of 64 by utilization (below 0.20, 0.50, 0.80, else), and the tree, at every size of a queue."""
    activation = [*[9] * 13, *[22] * 19, *[45] * 20, *[64] * 49]
    tree = [*[5] * 5, *[10] * 15, *[20] * 81]
    assert [target(queue).workers for queue in range(101)] == activation
    assert [target(queue, policy="tree").workers for queue in range(101)] == tree
    assert [queue for queue in range(101) if target(queue, policy="tree").alert] == [*range(40, 101)]


def test_without_a_history_predictive_answers_as_activation() -> None:
    assert [target(q, policy="predictive").workers for q in range(101)] == [
        target(q).workers for q in range(101)
    ]


@given(st.integers(0, 500), st.integers(1, 200))
def test_more_work_never_asks_for_fewer_workers(queue: int, capacity: int) -> None:
    assert target(queue, capacity=capacity).workers <= target(queue + 1, capacity=capacity).workers
    assert target(queue, policy="tree").workers <= target(queue + 1, policy="tree").workers


@given(
    st.integers(0, 500), st.integers(1, 200), st.integers(0, 64), st.integers(1, 64),
    st.sampled_from(POLICIES),
)  # fmt: skip
def test_the_target_stays_in_its_bounds_and_says_why(
    queue: int, capacity: int, least: int, most: int, policy: str
) -> None:
    least, most = sorted((least, most))
    answer = target(
        queue, policy=checked_policy(policy), capacity=capacity, least=least, most=most, fixed=100
    )
    assert least <= answer.target <= most
    assert 0.10 <= answer.rate <= 1.0
    assert len(answer.reasons) == (1 if answer.target == answer.workers else 2)


def test_a_clamp_is_named() -> None:
    assert target(100, most=20).reasons[1] == "64 is changed to 20 by the maximum of 20"
    assert target(0, policy="tree", least=8).reasons[1] == "5 is changed to 8 by the minimum of 8"


def test_the_capacity_is_the_ceiling_where_no_other_is_given() -> None:
    assert target(50, policy="tree", capacity=3).target == 3


@pytest.mark.parametrize(
    "arguments",
    [
        {"queue": -1}, {"queue": 1, "capacity": 0}, {"queue": 1, "least": 3, "most": 2},
        {"queue": 1, "policy": "fixed"},
    ],
)  # fmt: skip
def test_what_makes_no_sense(arguments: dict[str, int]) -> None:
    with pytest.raises(BadInput):
        target(**arguments)  # type: ignore[arg-type]


def test_a_policy_that_is_none() -> None:
    with pytest.raises(BadInput, match="activation, tree, fixed, predictive"):
        checked_policy("fast")
