"""What holds for all sources, at a thousand random cases each."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from aggregationworld import (
    TASKS,
    as_bytes,
    confidences,
    one_value,
    outputs,
    several,
    strategies,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_git.results.aggregation import Aggregate, Source
from cortex_git.results.aggregation.canonical import canonical
from cortex_git.results.aggregation.documents import sources_of
from cortex_git.results.aggregation.strategies import aggregate, to_markdown, to_output

thorough = settings(max_examples=1000, deadline=None)


def nested(one: Aggregate, task: str = "t") -> Source:
    return Source(task, to_output(one), "anyone", 12.0, nested=True)


@thorough
@given(several, strategies, st.randoms(use_true_random=False))
def test_commutative_and_deterministic(sources: list[Source], strategy: str, random: Any) -> None:
    shuffled = list(sources)
    random.shuffle(shuffled)
    one, other = aggregate(sources, strategy), aggregate(shuffled, strategy)
    assert as_bytes(one) == as_bytes(other)
    assert to_markdown(one) == to_markdown(other)


@thorough
@given(several, strategies)
def test_idempotent(sources: list[Source], strategy: str) -> None:
    """A source twice counts once, also if an aggregate brings it; an aggregate of one is the same."""
    once = aggregate(sources, strategy)
    expected = as_bytes(once)
    assert as_bytes(aggregate([*sources, *sources], strategy)) == expected
    assert as_bytes(aggregate([nested(once)], strategy)) == expected
    assert as_bytes(aggregate([nested(once), *sources], strategy)) == expected


@thorough
@given(several, strategies, strategies, st.integers(0, 4), st.booleans())
def test_associative(sources: list[Source], inner: str, outer: str, at: int, overlap: bool) -> None:
    """Groups made into aggregates first, by whichever strategy, give what all sources at once give."""
    first, rest = sources[:at], sources[at - 1 if overlap and at else at :]
    parts = [nested(aggregate(first, inner), "n1"), nested(aggregate(rest, inner), "n2")]
    flat = as_bytes(aggregate(sources, outer))
    assert as_bytes(aggregate(parts, outer)) == flat
    assert as_bytes(aggregate([parts[0], *rest], outer)) == flat


@thorough
@given(outputs, strategies)
def test_one_source_alone_gives_its_fields(output: dict[str, Any], strategy: str) -> None:
    alone = aggregate([Source("t-1", output)], strategy)
    own = alone.own.get("t-1", {})
    for key, value in output.items():
        if key in ("findings", "o"):
            continue
        assert canonical(own[key] if key in own else alone.output[key]) == canonical(value)
    assert not alone.blended
    assert [one for one in alone.contradictions if not one.finding] == []


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every field of an output that is neither prose nor a finding."""
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from leaves(item, (*path, key))
        elif key not in ("findings", "summary"):
            yield (*path, key), canonical(item)


@thorough
@given(several, strategies)
def test_every_value_of_every_field_can_be_had_again(sources: list[Source], strategy: str) -> None:
    again, _ = sources_of(to_output(aggregate(sources, strategy)))
    assert [one.task for one in again] == [one.task for one in sources]
    for before, after in zip(sources, again, strict=True):
        assert dict(leaves(before.output)) == dict(leaves(after.output))
        assert (before.expert, before.confidence) == (after.expert, after.confidence)


@thorough
@given(several)
def test_resolve_loses_nothing(sources: list[Source]) -> None:
    """Without taking the aggregate apart: each value is in the output or stands on a side."""
    one = to_output(aggregate(sources, "resolve"))
    sides = [
        (task, canonical(side["value"]))
        for each in one["contradictions"] + one["blended"]
        for side in each["sides"]
        for task in side["sources"]
    ]
    for source in sources:
        kept = dict(leaves({key: value for key, value in one.items() if key != "own"}))
        kept |= {path[1:]: text for path, text in leaves(one["own"]) if path[0] == source.task}
        whole = {text for task, text in sides if task == source.task}
        for path, text in leaves(source.output):
            inside = any(text in other for other in whole)
            assert kept.get(path) == text or inside or text == "{}", path  # an empty object has no value


@thorough
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False), confidences
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_weighted_mean_lies_within_its_sources(given: list[tuple[int | float, float]]) -> None:
    numbers = [number for number, _ in given]
    sources = [Source(task, {"n": number}, "", w) for task, (number, w) in zip(TASKS, given, strict=False)]
    mean = aggregate(sources, "weighted").output["n"]
    assert min(numbers) <= mean <= max(numbers)
    if all(isinstance(number, int) for number in numbers):
        weights = [Fraction(w) for _, w in given]
        weights = weights if any(weights) else [Fraction(1)] * len(weights)
        exact = sum(n * w for n, w in zip(map(Fraction, numbers), weights, strict=True)) / sum(weights)
        assert isinstance(mean, int)
        assert abs(mean - exact) <= Fraction(1, 2)


@thorough
@given(st.lists(st.tuples(one_value, confidences), min_size=1, max_size=6), confidences, strategies)
def test_another_voice_for_the_winner_does_not_unseat_it(
    given: list[tuple[Any, float]], confidence: float, strategy: str
) -> None:
    sources = [Source(f"t-{at}", {"f": [value]}, "", weight) for at, (value, weight) in enumerate(given)]
    if strategy == "weighted":
        sources = [
            Source(one.task, {"f": {"g": str(one.output["f"])}}, "", one.confidence) for one in sources
        ]
    before = aggregate(sources, strategy).output
    after = aggregate([*sources, Source("t-more", before, "", confidence)], strategy).output
    assert canonical(after) == canonical(before)
