"""The walk over a lockfile's graph: exact against a slow reference, linear, and safe with cycles."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_git.scan.lockfiles import origins
from cortex_git.scan.lockfiles.origins import Graph, Origin
from cortex_git.scan.records import MAX_VIA

nodes = st.integers(0, 9)
graphs = st.fixed_dictionaries(
    {
        "edges": st.lists(st.tuples(nodes, nodes), max_size=30),
        "asked": st.lists(st.tuples(nodes, st.sampled_from([False, None, True])), max_size=8),
    }
)


def reached(edges: list[tuple[int, int]], start: int) -> set[int]:
    """Everything that `start` leads to by at least one edge."""
    found: set[int] = set()
    pending = [start]
    while pending:
        node = pending.pop()
        for parent, child in edges:
            if parent == node and child not in found:
                found.add(child)
                pending.append(child)
    return found


def built(edges: list[tuple[int, int]], asked: list[tuple[int, bool | None]]) -> Graph:
    graph = Graph()
    for parent, child in edges:
        graph.edge(parent, child)
    for node, dev in asked:
        graph.ask(node, f"n{node}", dev)
    graph.trace()
    return graph


@settings(max_examples=60, deadline=None)
@given(graphs)
def test_origins_are_those_of_a_walk_from_each_direct_dependency(
    value: dict[str, list[tuple[int, Any]]],
) -> None:
    edges, asked = value["edges"], value["asked"]
    graph = built(edges, asked)
    direct = {node for node, _ in asked}
    for node in range(10):
        found = graph.origin(node)
        bringing = sorted(f"n{root}" for root in direct if root != node and node in reached(edges, root))
        assert found.direct is (node in direct)
        if node in direct:  # a full node behind may hide a name from what is direct itself
            assert set(found.via) <= set(bringing)
        else:
            assert found.via == tuple(bringing[:MAX_VIA])
        levels = {dev for root, dev in asked if node == root or node in reached(edges, root)}
        known = [sorted({dev for other, dev in asked if other == root}, key=str) for root in direct]
        if all(len(devs) == 1 for devs in known):
            expected = False if False in levels else None if None in levels or not levels else True
            assert found.dev is expected


def test_production_wins_where_both_ask() -> None:
    assert built([], [(1, True), (1, False)]).origin(1).dev is False
    assert built([], [(1, True), (1, None)]).origin(1).dev is None


def test_an_incomplete_graph_vouches_for_nothing_that_it_cannot_know() -> None:
    graph = Graph()
    graph.edge("a", "b")
    graph.ask("a", "a", dev=True)
    graph.ask("c", "c", dev=False)
    graph.trace(complete=False)
    assert graph.origin("a") == Origin(True, None, ())
    assert graph.origin("b") == Origin(None, None, ("a",))
    assert graph.origin("c") == Origin(True, False, ())
    assert graph.origin("elsewhere") == Origin(None, None, ())


def test_dependencies_over_the_limit_are_not_walked_and_not_vouched_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(origins, "MAX_EDGES", 2)
    graph = built([(1, 2), (2, 3), (3, 4)], [(1, True)])
    assert graph.origin(3) == Origin(None, None, ("n1",))
    assert graph.origin(4) == Origin(None, None, ())


def chain_of(size: int) -> Graph:
    return built([(n, n + 1) for n in range(size)] + [(size, 0)], [(0, False)])


def star_of(size: int) -> Graph:
    """Many direct dependencies that all need the same many packages, which is quadratic if walked naively."""
    graph = Graph()
    for child in range(size):
        graph.edge("hub", child)
        graph.edge(child, "hub")
    for root in range(size):
        graph.edge(("root", root), "hub")
        graph.ask(("root", root), f"{root:06}")
        graph.ask("hub", f"alias {root:06}")
    graph.trace()
    return graph


def seconds(make: Callable[[int], Graph], size: int) -> float:
    best = 9.0
    for _ in range(3):
        start = time.process_time()
        make(size)
        best = min(best, time.process_time() - start)
    return best


def test_time_is_linear_in_the_edges() -> None:
    for make in (chain_of, star_of):
        assert seconds(make, 16_000) < 32 * seconds(make, 2_000), make  # quadratic: 64


def test_a_long_chain_needs_no_recursion() -> None:
    assert chain_of(50_000).origin(49_999).via == ("n0",)
