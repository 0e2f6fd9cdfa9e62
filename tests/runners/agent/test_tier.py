"""Which model a task gets."""

from typing import Any

import pytest

from cortex_git.config import Models
from cortex_git.models import WORKER_TYPES
from cortex_git.runners.agent.tier import OF_TYPE, complexity_of, model_of


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"type": "implementation-worker", "title": "Add a flag"}, 5),
        ({"type": "implementation-worker", "title": "Fix a typo"}, 3),
        ({"type": "implementation-worker", "title": "Refactor the parser"}, 6),
        ({"type": "implementation-worker", "title": "Add a flag", "priority": "critical"}, 6),
        ({"type": "implementation-worker", "title": "Add a flag", "scope": "x" * 400}, 6),
        (
            {
                "type": "implementation-worker",
                "title": "Migrate it",
                "scope": "x" * 1500,
                "priority": "critical",
            },
            9,
        ),
        ({"type": "pr-worker", "title": "Write it"}, 2),
        ({"type": "pr-worker", "title": "Fix typos"}, 1),
        ({"type": "their-worker", "title": "Add a flag"}, 4),
    ],
)
def test_the_estimate(task: dict[str, Any], expected: int) -> None:
    assert complexity_of(task) == expected


@pytest.mark.parametrize(("given", "expected"), [(1, 1), (10, 10), (7.9, 7)])
def test_a_complexity_that_is_given_wins(given: Any, expected: int) -> None:
    assert complexity_of({"type": "pr-worker", "title": "t", "context": {"complexity": given}}) == expected


@pytest.mark.parametrize("given", [0, 11, "9", None, True, float("nan"), [5]])
def test_a_complexity_that_is_none_does_not(given: Any) -> None:
    assert complexity_of({"type": "pr-worker", "title": "t", "context": {"complexity": given}}) == 2


def test_the_small_model_is_for_what_is_below_the_limit() -> None:
    models = Models()
    names = [
        model_of({"title": "t", "context": {"complexity": given}}, models).name
        for given in (models.small_below - 1, models.small_below)
    ]
    assert names == [models.small.name, models.large.name]


def test_every_worker_type_has_an_estimate() -> None:
    assert set(OF_TYPE) == set(WORKER_TYPES)
