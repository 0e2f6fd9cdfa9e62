"""What holds for all lists of findings, at a thousand random cases each."""

from collections.abc import Callable
from typing import Any

from aggregationworld import TASKS, as_bytes, lists_of_findings, strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_git.results.aggregation import Source
from cortex_git.results.aggregation.findings import variants_of
from cortex_git.results.aggregation.strategies import aggregate

thorough = settings(max_examples=1000, deadline=None)
findings_of_several = st.lists(lists_of_findings, min_size=1, max_size=3)


def finding_sources(lists: list[list[Any]], change: Callable[[Any], Any] = lambda one: one) -> list[Source]:
    return [
        Source(task, {"findings": [change(one) for one in found]}, "", 50.0 + at)
        for at, (task, found) in enumerate(zip(TASKS, lists, strict=False))
    ]


def ids(findings: Any) -> set[tuple[str, str]]:
    return {
        (id_, one.get("package", ""))
        for one in findings
        if isinstance(one, dict) and isinstance(one.get("id"), str)
        for id_ in [one["id"], *(one.get("aliases", ()) if isinstance(one.get("aliases"), list) else ())]
    }


@thorough
@given(findings_of_several, strategies)
def test_all_ids_and_all_who_saw_them_are_kept(lists: list[list[Any]], strategy: str) -> None:
    merged = aggregate(finding_sources(lists), strategy).output["findings"]
    assert ids(merged) == ids([one for found in lists for one in found])
    seen = [variant for one in merged for variant in variants_of(one)]
    for task, found in zip(TASKS, lists, strict=False):
        assert sum(task in sources for _, sources in seen) <= len(found)
        assert bool(found) == any(task in one["sources"] for one in merged)
    for one in merged:
        assert one["count"] == len(one["sources"]) == len(set(one["sources"]))


@thorough
@given(findings_of_several, strategies)
def test_a_vulnerability_of_a_package_is_there_once(lists: list[list[Any]], strategy: str) -> None:
    merged = aggregate(finding_sources(lists), strategy).output["findings"]
    named = [one for one in merged if isinstance(one.get("id"), str)]
    places = [
        (id_, one.get("ecosystem"), one["package"], one.get("repo"))
        for one in named
        for id_ in {one["id"], *(one["aliases"] if isinstance(one.get("aliases"), list) else ())}
    ]
    assert len(places) == len(set(places))


@thorough
@given(findings_of_several, strategies, st.randoms(use_true_random=False))
def test_neither_order_of_findings_nor_of_aliases_matters(
    lists: list[list[Any]], strategy: str, random: Any
) -> None:
    def other_way(one: Any) -> Any:
        if isinstance(one, dict) and isinstance(one.get("aliases"), list) and one["aliases"]:
            ids = [one["id"], *one["aliases"]]
            random.shuffle(ids)
            return one | {"id": ids[0], "aliases": ids[1:]}
        return one

    shuffled = [random.sample(found, len(found)) for found in lists]
    one = aggregate(finding_sources(lists), strategy)
    other = aggregate(finding_sources(shuffled, other_way), strategy)
    assert as_bytes(one) == as_bytes(other)
