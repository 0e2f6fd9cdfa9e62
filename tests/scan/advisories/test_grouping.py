"""Aliases join transitively, whatever the order, and the id shown is the earliest CVE."""

import random

from hypothesis import given
from hypothesis import strategies as st

from cortex_git.scan.advisories.grouping import AliasGroups, preference

_ids = st.sampled_from([f"CVE-2020-{n}" for n in range(12)] + [f"GHSA-{n}" for n in range(6)])
_records = st.lists(st.tuples(_ids, st.lists(_ids, max_size=3)), max_size=12)


def groups(records: list[tuple[str, list[str]]]) -> set[frozenset[str]]:
    joined = AliasGroups()
    for id_, others in records:
        joined.join(id_, others)
    return {frozenset(members) for members in joined.sets().values()}


def reachable(records: list[tuple[str, list[str]]], start: str) -> frozenset[str]:
    """Breadth first over the edges, the plain way."""
    seen, frontier = {start}, {start}
    while frontier:
        near = {x for id_, others in records for x in (id_, *others) if frontier & {id_, *others}}
        frontier = near - seen
        seen |= near
    return frozenset(seen)


@given(_records)
def test_a_group_is_everything_reachable_over_aliases(records: list[tuple[str, list[str]]]) -> None:
    named = {x for id_, others in records for x in (id_, *others)}
    assert groups(records) == {reachable(records, id_) for id_ in named}


@given(_records, st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(
    records: list[tuple[str, list[str]]], shuffler: random.Random
) -> None:
    shuffled = list(records)
    shuffler.shuffle(shuffled)
    assert groups(shuffled) == groups(records)


def test_the_earliest_cve_is_shown_then_a_ghsa_then_the_rest() -> None:
    ids = ["PYSEC-2020-1", "GHSA-a", "CVE-2021-9", "CVE-2020-10000", "CVE-2020-999", "CVE-odd"]
    assert sorted(ids, key=preference) == [
        "CVE-2020-999", "CVE-2020-10000", "CVE-2021-9", "GHSA-a", "CVE-odd", "PYSEC-2020-1",
    ]  # fmt: skip
