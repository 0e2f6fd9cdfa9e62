"""How tasks hang together, as data: by what their documents say, whoever pushed them."""

import time
from pathlib import Path

import pytest
from gitworld import new_coordination
from mergeworld import end, trial

from cortex_git.errors import BadInput
from cortex_git.models import MERGE_RUNNER
from cortex_git.services.graph import Edge, task_graph
from cortex_git.services.looking import task_rows
from cortex_git.services.reopening import retry_task
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


@pytest.fixture
def host(tmp_path: Path) -> Coordination:
    new_coordination(tmp_path / "host")
    return Coordination.open(tmp_path / "host")


def edges(host: Coordination, task: str | None = None) -> set[tuple[str, str, str]]:
    return {(edge.start, edge.end, edge.kind) for edge in task_graph(host, task).edges}


def test_parts_are_told_from_what_a_result_asked_for(host: Coordination) -> None:
    host.add_tasks(
        [
            trial("t-security", parent="t"),
            trial("t-docs", "before", parent="t"),
            trial("t", "t-security", "t-docs", runner=MERGE_RUNNER, strategy="weighted"),
            trial("t-security-f1", parent="t-security", depth=1),
            trial("before"),
        ]
    )
    assert edges(host) == {
        ("t", "t-security", "part"),
        ("t", "t-docs", "part"),
        ("t-security", "t-security-f1", "follow_up"),
        ("before", "t-docs", "after"),
    }
    nodes = task_graph(host).nodes
    assert (nodes["t"].strategy, nodes["t"].status, nodes["t-security-f1"].depth) == (
        "weighted",
        "waiting",
        1,
    )


def test_a_retry_has_its_place_beside_what_it_does_again(host: Coordination) -> None:
    host.add_tasks([trial("t-a", parent="t"), trial("t", "t-a", runner=MERGE_RUNNER)])
    end(host, "t-a", status="failed", tokens_used=77)
    retry_task(host, "t-a")
    assert edges(host) == {("t", "t-a", "part"), ("t-a", "t-a-r1", "retry")}
    node = task_graph(host).nodes["t-a"]
    assert (node.status, node.worker, node.tokens_used) == ("failed", "worker-test-001", 77)


def test_a_retried_merge_task_comes_after_the_retry_of_its_part(host: Coordination) -> None:
    host.add_tasks([trial("t-a", parent="t"), trial("t", "t-a", runner=MERGE_RUNNER)])
    for name in ("t-a", "t"):
        end(host, name, status="failed")
    retry_task(host, "t-a")
    retry_task(host, "t")
    assert edges(host) >= {("t-a-r1", "t-r1", "after"), ("t", "t-r1", "retry")}


def test_a_part_that_was_not_done_again_has_its_place_below_the_first_whole(host: Coordination) -> None:
    host.add_tasks(
        [trial("t-a", parent="t"), trial("t-b", parent="t"), trial("t", "t-a", "t-b", runner=MERGE_RUNNER)]
    )
    end(host, "t-a")
    for name in ("t-b", "t"):
        end(host, name, status="failed")
    retry_task(host, "t-b")
    retry_task(host, "t")
    assert edges(host) == {
        ("t", "t-a", "part"), ("t", "t-b", "part"), ("t", "t-r1", "retry"), ("t-b", "t-b-r1", "retry"),
        ("t-b-r1", "t-r1", "after"),
    }  # fmt: skip


def test_one_task_brings_all_that_hangs_together_with_it_and_nothing_else(host: Coordination) -> None:
    host.add_tasks([trial("a"), trial("b", "a"), trial("c", "b"), trial("x"), trial("y", "x")])
    assert list(task_graph(host, "b").nodes) == ["a", "b", "c"]
    assert edges(host, "y") == {("x", "y", "after")}
    with pytest.raises(BadInput, match="no task 'nowhere'"):
        task_graph(host, "nowhere")


def test_a_batch_brings_what_its_tasks_wait_for(host: Coordination) -> None:
    host.add_tasks([trial("a"), trial("other")])
    host.add_tasks([trial("b", "a", batch="second")])
    assert list(task_graph(host, batch="second").nodes) == ["a", "b"]
    with pytest.raises(BadInput, match="no batch 'third'"):
        task_graph(host, batch="third")


def test_what_nobody_should_have_pushed_is_shown(host: Coordination) -> None:
    host.add_tasks(
        [
            trial("a", "b"), trial("b", "a"), trial("c", "b"), trial("me", "me"), trial("lost", "nowhere"),
            trial("p", parent="p"), trial("orphan", parent="away", retry_of="gone"),
        ]
    )  # fmt: skip
    found = task_graph(host)
    assert found.circles == ["a", "b", "me"]
    assert found.nodes["nowhere"].status == found.nodes["gone"].status == "unknown"
    assert Edge("p", "p", "follow_up") in found.edges
    host.cancel(["a", "b", "me"])
    assert task_graph(host).circles == []


def test_a_thousand_tasks_take_little_longer_than_their_list(host: Coordination) -> None:
    tasks = [trial("t0000")] + [trial(f"t{n:04d}", f"t{(n - 1) // 2:04d}") for n in range(1, 1000)]
    host.add_tasks(tasks)
    began = time.perf_counter()
    task_rows(host, Scope())
    listed = time.perf_counter() - began
    began = time.perf_counter()
    found = task_graph(host, "t0999")
    took = time.perf_counter() - began
    assert len(found.nodes) == 1000
    assert took < 5 * listed + 0.5
