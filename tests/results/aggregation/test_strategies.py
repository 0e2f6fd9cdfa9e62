"""What each strategy makes of fields, and what can go in."""

import json
import math
from typing import Any

import pytest

from cortex_git.errors import BadInput
from cortex_git.results.aggregation import Aggregate, Source
from cortex_git.results.aggregation.strategies import aggregate, to_output
from cortex_git.scan.records import RepositoryScan


def of(strategy: str, *given: tuple[Any, float]) -> Aggregate:
    """The aggregate of sources t-0, t-1, … whose field `f` has these values."""
    sources = [Source(f"t-{at}", {"f": value}, "", weight) for at, (value, weight) in enumerate(given)]
    return aggregate(sources, strategy)


@pytest.mark.parametrize(
    ("strategy", "given", "chosen", "why"),
    [
        ("vote", [("a", 10), ("b", 90), ("a", 20)], "a", "more sources say so: 2 against 1"),
        (
            "vote",
            [("a", 10), ("b", 90)],
            "b",
            "as many say so, and its sources are surer together: 90 against 10",
        ),
        ("vote", [("b", 50), ("a", 50)], "a", "are equal: the first in the order of their JSON"),
        ("vote", [(1, 50), (2, 50), (2, 0)], 2, "more sources"),
        ("vote", [(True, 50), (1, 60), (1.0, 70)], 1.0, "surer"),
        ("weighted", [("a", 30), ("b", 90), ("a", 30)], "b", "surer together: 90 against 60"),
        ("weighted", [(False, 0), (True, 0), (True, 0)], True, "the confidence is equal, and more sources"),
        ("resolve", [(1, 40), (2, 60)], 2, "surer together: 60 against 40"),
        ("resolve", [({"x": 1}, 40), ("x", 60)], "x", "surer"),
        ("resolve", [(["x", "y"], 40), (["y", "x"], 60)], ["y", "x"], "surer"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_one_value_is_chosen_and_all_are_kept(
    strategy: str, given: list[tuple[Any, float]], chosen: Any, why: str
) -> None:
    one = of(strategy, *given)
    assert json.dumps(one.output["f"]) == json.dumps(chosen)
    assert not one.blended
    [contradiction] = one.contradictions
    assert why in contradiction.reason
    assert json.dumps(contradiction.sides[0].value) == json.dumps(chosen)
    assert sorted(task for side in contradiction.sides for task in side.sources) == list(one.sources)


@pytest.mark.parametrize(
    ("given", "mean"),
    [
        ([(1.0, 75), (2.0, 25)], 1.25),
        ([(1, 50), (2, 50)], 2),
        ([(2, 50), (3, 50)], 2),
        ([(1, 50), (2.0, 50)], 1.5),
        ([(10, 0), (20, 0), (60, 0)], 30),
        ([(0.1, 10), (0.2, 10), (0.3, 10)], 0.2),
        ([(10**400, 50), (0.5, 50)], 5 * 10**399),
        ([(2**54 + 3, 99), (2.0**54, 1)], 2**54 + 3),
    ],
    ids=["floats", "half to even up", "half to even down", "mixed", "no weight", "exact", "huge", "in range"],
)
def test_the_mean_of_numbers(given: list[tuple[Any, float]], mean: Any) -> None:
    one = of("weighted", *given)
    assert (one.output["f"], type(one.output["f"])) == (mean, type(mean))
    assert [side.sources for side in one.blended[0].sides] != []
    assert not one.contradictions


def test_lists_are_united_the_heaviest_items_first() -> None:
    one = of("weighted", (["a", "b"], 30), (["c", "b"], 40), (["d", "d"], 50))
    assert one.output["f"] == ["b", "d", "c", "a"]


@pytest.mark.parametrize("strategy", ["vote", "weighted", "resolve"])
def test_no_strategy_drops_a_gap(strategy: str) -> None:
    sources = [
        Source("t-1", {"not_scanned": [{"what": "x"}]}, "", 1),
        Source("t-2", {"not_scanned": []}, "", 90),
        Source("t-3", {"not_scanned": []}, "", 90),
    ]
    assert aggregate(sources, strategy).output["not_scanned"] == [{"what": "x"}]


def test_objects_are_compared_field_by_field_and_owners_are_named() -> None:
    one = of("resolve", ({"a.b": 1, "c": {"d": 1}}, 50), ({"c": {"d": 1, "e": 2}}, 60), ({"c": 5}, 1))
    assert one.output == {"f": {"a.b": 1, "c": {"d": 1, "e": 2}}}
    assert [each.field for each in one.contradictions] == ["f.c"]
    assert one.said_by == {"f.a\\.b": ("t-0",)}


def test_objects_are_compared_as_a_whole_below_a_hundred_levels() -> None:
    deep: list[Any] = [{"x": 1}, {"y": 2}]
    for _ in range(150):
        deep = [{"k": one} for one in deep]
    one = of("resolve", (deep[0], 50), (deep[1], 60))
    assert [each.field for each in one.contradictions] == [".".join(["f", *["k"] * 99])]
    assert one.output == {"f": deep[1]}


def _nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"k": [value]}
    return value


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ({"f": math.nan}, "a number that JSON does not have"),
        ({"f": [1.0, {"g": -math.inf}]}, "a number that JSON does not have"),
        ({"f": {1: 2}}, "not JSON"),
        ({"f": {3}}, "not JSON"),
        (_nested(5000), "deeper than 200"),
        ([], "not an object"),
    ],
    ids=["nan", "infinity", "key", "set", "deep", "list"],
)
def test_what_cannot_go_in_is_named_and_costs_no_other(output: Any, reason: str) -> None:
    one = aggregate([Source("bad", output), Source("good", {"f": 1})], "vote", {"gone": "failed"})
    assert one.output == {"f": 1}
    assert list(one.missing) == ["bad", "gone"]
    assert reason in one.missing["bad"]


def test_no_source_at_all() -> None:
    one = to_output(aggregate([], "weighted", {"t": "failed: no answer"}))
    assert one["sources"] == []
    assert one["missing"] == {"t": "failed: no answer"}


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(BadInput, match="unknown strategy"):
        aggregate([], "loudest")


@pytest.mark.parametrize("confidence", [math.nan, -5.0, math.inf], ids=str)
def test_a_confidence_out_of_range_is_no_more_than_one_within(confidence: float) -> None:
    voices = of("resolve", ("a", confidence), ("b", 60)).voices
    assert 0 <= voices[0].confidence <= 100


AGENT = {"provider": "x", "model": "m", "turns": 3, "usage": {"input": 1}, "resume": {}, "branch": "b"}


def test_what_concerns_one_attempt_is_not_compared() -> None:
    given = [
        Source("t-1", {**AGENT, "answer": None, "follow_ups": [{"title": "x"}]}),
        Source("t-2", {**AGENT, "turns": 9, "answer": {"verdict": "approve"}, "strategy": "mine"}),
        Source("t-3", {"model": "a question of this task"}),
    ]
    one = aggregate(given, "weighted")
    assert one.output == {"answer": {"verdict": "approve"}, "model": "a question of this task"}
    assert one.own["t-1"]["follow_ups"] == [{"title": "x"}]
    assert (one.own["t-2"]["turns"], one.own["t-2"]["strategy"]) == (9, "mine")
    assert not one.contradictions
    assert to_output(one)["strategy"] == "weighted"


def test_scans_of_two_repositories_do_not_contradict_each_other() -> None:
    rows = [RepositoryScan(repo, "scanned", commit=repo, packages=len(repo)) for repo in ("a", "bb")]
    given = [Source(f"t-{row.repo}", json.loads(json.dumps(row.to_json()))) for row in rows]
    one = aggregate(given, "resolve")
    assert (one.output["status"], one.contradictions) == ("scanned", ())
    assert one.own["t-bb"]["commit"] == "bb"


def test_only_a_merge_task_speaks_for_others() -> None:
    """A worker whose output looks like an aggregate of a hundred is one source."""
    many = to_output(aggregate([Source(f"x-{at}", {"f": "bad"}) for at in range(100)], "vote"))
    honest = [Source("t-1", {"f": "good"}), Source("t-2", {"f": "good"})]
    one = aggregate([Source("t-3", many), *honest], "vote")
    assert (one.output["f"], one.sources) == ("good", ("t-1", "t-2", "t-3"))
    assert aggregate([Source("t-3", many, nested=True), *honest], "vote").output["f"] == "bad"


def test_a_source_itself_is_preferred_to_what_an_aggregate_says_of_it() -> None:
    old = to_output(aggregate([Source("t-1", {"f": "old"}), Source("t-2", {"f": "new"})], "vote"))
    one = aggregate([Source("m", old, nested=True), Source("t-1", {"f": "new"})], "vote")
    assert (one.output, one.contradictions) == ({"f": "new"}, ())


@pytest.mark.parametrize(
    "damage",
    [
        {"sources": 3},
        {"sources": [{"task": "t"}]},
        {"sources": [{"task": 4, "expert": "", "confidence": 1}]},
        {"sources": [{"task": "t-1", "expert": "", "confidence": 10**400}]},
        {"said_by": []},
        {"said_by": {"f": ["nobody"]}},
        {"contradictions": [{"field": "f", "sides": [{"value": 1, "sources": ["nobody"]}]}]},
        {"own": {"nobody": {"a": 1}}},
        {"own": {"t-1": 7}},
        {"missing": {"x": 7}},
        {"sections": {"summary": [{}]}, "summary": "x"},
        {"findings": [3]},
        {"findings": [{"id": "x", "sources": ["nobody"]}]},
    ],
    ids=json.dumps,
)
def test_a_damaged_aggregate_is_missing(damage: dict[str, Any]) -> None:
    whole = to_output(aggregate([Source("t-1", {"f": 1})], "vote"))
    one = aggregate([Source("m", whole | damage, nested=True), Source("t-9", {"f": 2})], "vote")
    assert one.sources == ("t-9",)
    assert "its aggregate cannot be read" in one.missing["m"]


def test_what_an_aggregate_missed_stays_missing_until_it_is_there() -> None:
    inner = to_output(aggregate([Source("t-1", {"f": 1})], "vote", {"t-2": "failed", "t-3": "failed"}))
    one = aggregate([Source("m", inner, nested=True), Source("t-3", {"f": 1})], "vote")
    assert (one.sources, one.missing) == (("t-1", "t-3"), {"t-2": "failed"})
