"""What scores amount to."""

import pytest

from cortex_git.config import RoutingSettings
from cortex_git.routing import Opinion, Scored
from cortex_git.routing.decision import accepted, fallback, ranked

DEFAULT = RoutingSettings()


def _opinion(*scores: float) -> Opinion:
    return Opinion(tuple(Scored(f"e{place}", score) for place, score in enumerate(scores)))


@pytest.mark.parametrize(
    ("scores", "strategy", "experts"),
    [
        ((80.1, 10), "single_expert", 1),
        ((100,), "single_expert", 1),
        ((95, 40), "single_expert", 1),
        ((95, 41), "multi_expert_parallel", 2),
        ((90, 70, 5), "multi_expert_parallel", 2),  # a second that likely is needed too
        ((85, 66), "multi_expert_parallel", 2),
        ((80, 30), "multi_expert_parallel", 2),
        ((80, 29), None, 0),  # not sure enough for one, and nobody else is likely
        ((60.1, 40, 10, 5), "multi_expert_parallel", 2),
        ((70, 40, 30, 29), "multi_expert_parallel", 3),
        ((70, 65, 64, 63), "multi_expert_parallel", 3),
        ((60, 0), None, 0),
        ((25, 25, 25, 25), None, 0),
        ((), None, 0),
    ],
)
def test_thresholds(scores: tuple[float, ...], strategy: str | None, experts: int) -> None:
    choice = accepted(_opinion(*scores), DEFAULT)
    if strategy is None:
        assert choice is None
        return
    assert choice is not None
    assert (choice.strategy, len(choice.experts)) == (strategy, experts)
    assert choice.experts[0].expert == "e0"
    assert "e0" in choice.reason


def test_settings_move_them() -> None:
    strict = RoutingSettings(single_above=95, multi_above=90, clear_by=50)
    assert accepted(_opinion(90), strict) is None
    strategies = [accepted(_opinion(*scores), strict) for scores in ((96, 40), (96, 50), (94, 1))]
    assert [choice.strategy for choice in strategies if choice] == [
        "single_expert", "multi_expert_parallel",
    ]  # fmt: skip
    one = accepted(_opinion(70, 65), RoutingSettings(most_experts=1))
    assert one is not None and (one.strategy, len(one.experts)) == ("single_expert", 1)


def test_pieces_are_shared_however_sure_the_first_is() -> None:
    choice = accepted(_opinion(99, 85, 3), DEFAULT, ("e0", "e1"))
    assert choice is not None and choice.strategy == "multi_expert_parallel"
    assert [one.expert for one in choice.experts] == ["e0", "e1"]
    assert accepted(_opinion(85, 40), DEFAULT, ("e1", "e0")) is None  # what leads is not sure


def test_after_the_last_layer_the_likeliest_gets_it() -> None:
    choice = fallback(_opinion(40, 39), DEFAULT)
    assert (choice.strategy, choice.experts) == ("general_expert", (Scored("e0", 40),))
    assert "nobody was sure" in choice.reason


@pytest.mark.parametrize("scores", [(), (25.0, 25.0)])
def test_where_nobody_is_ahead_the_general_one_does(scores: tuple[float, ...]) -> None:
    choice = fallback(_opinion(*scores), RoutingSettings(general="documentation"))
    assert choice.experts == (Scored("documentation", 0.0),)
    assert "nobody was sure" in choice.reason


def test_equal_scores_are_in_the_order_of_names() -> None:
    assert [one.expert for one in ranked({"b": 1.0, "c": 2.0, "a": 1.0})] == ["c", "a", "b"]
