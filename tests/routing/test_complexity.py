"""How complex a text is, in line with the tier that agents are given."""

import pytest

from cortex_git.routing.complexity import _scale, complexity
from cortex_git.runners.agent.tier import OF_TYPE


def test_it_starts_where_the_tier_does() -> None:
    assert dict(_scale().types) == dict(OF_TYPE)


@pytest.mark.parametrize(
    ("text", "kind", "experts", "found"),
    [
        ("Typo in README", "documentation-worker", 1, 1),
        ("Write the guide", "documentation-worker", 1, 3),
        ("The button does nothing", "implementation-worker", 1, 5),
        ("Migrate the store", "implementation-worker", 1, 6),
        ("Migrate the store across all services", "implementation-worker", 1, 7),
        ("Migrate the store across all services", "implementation-worker", 3, 9),
        ("Rename a field", "implementation-worker", 1, 3),
        ("x" * 401, "implementation-worker", 1, 6),
        ("x" * 1501, "implementation-worker", 1, 7),
        ("Rewrite everything everywhere " + "x" * 2000, "implementation-worker", 3, 10),
        ("Bump it", "pr-worker", 1, 1),
    ],
)
def test_words_length_and_experts_count(text: str, kind: str, experts: int, found: int) -> None:
    assert complexity(text, kind, experts) == found
