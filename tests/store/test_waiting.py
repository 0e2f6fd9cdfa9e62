"""Tasks that come after others: not to be had before all of those have ended."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import claim_all, finish, result_for

from cortex_git.models import Task
from cortex_git.state import now, transaction
from cortex_git.store import indexing
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import count_ready, count_ready_of, open_tasks
from cortex_git.store.tasks import new_batch


def add(coordination: Coordination, **after: tuple[str, ...]) -> None:
    """A sealed batch `b1` of tasks, each with those that it comes after."""
    tasks = [
        Task(task=task, batch="b1", title=task, runner="echo", after=needs, created_at=now())
        for task, needs in after.items()
    ]
    coordination.add_batch(new_batch("b1", len(tasks), coordination.repository.host), tasks)


def names(coordination: Coordination) -> set[str]:
    coordination.pull()
    return {task.task for task in open_tasks(coordination.repository, Scope(), 1000)}


def test_a_diamond_opens_from_its_root(coordination: Coordination) -> None:
    add(coordination, d=("b", "c"), b=("a",), c=("a",), a=())
    for layer in ({"a"}, {"b", "c"}, {"d"}):
        assert names(coordination) == layer
        claims = claim_all(coordination)
        assert {claim.task.task for claim in claims} == layer
        assert claim_all(coordination) == []
        finish(coordination, claims)
    assert names(coordination) == set()


@pytest.mark.parametrize("status", ["failed", "cancelled", "timed_out", "budget_exhausted"])
def test_any_end_of_what_it_comes_after_will_do(status: str, coordination: Coordination) -> None:
    """Whether it is run then is the business of whoever claims it."""
    add(coordination, a=(), b=("a",))
    (claim,) = claim_all(coordination)
    coordination.record([(claim, result_for(coordination, claim, status=status), {})])
    coordination.flush()
    assert names(coordination) == {"b"}


def test_one_of_two_ended_is_not_enough(coordination: Coordination) -> None:
    add(coordination, a=(), b=(), c=("a", "b"))
    claims = sorted(claim_all(coordination), key=lambda claim: claim.task.task)
    finish(coordination, claims[:1])
    assert names(coordination) == {"b"}
    finish(coordination, claims[1:])
    assert names(coordination) == {"c"}


def test_another_clone_sees_the_same(clones: Callable[[int], list[Path]]) -> None:
    one, two = (Coordination.open(folder) for folder in clones(2))
    add(one, a=(), b=("a",))
    assert names(two) == {"a"}
    finish(one, claim_all(one))
    assert names(two) == {"b"}


def test_what_nobody_can_end_is_never_open(coordination: Coordination) -> None:
    """Pushed by hand: a circle, a task after itself, one after a task that is not there."""
    add(coordination, a=("b",), b=("a",), me=("me",), lost=("nowhere",), free=())
    assert names(coordination) == {"free"}
    finish(coordination, claim_all(coordination))
    assert names(coordination) == set()
    assert coordination.open_count(Scope()) == 4
    assert coordination.ready_count(Scope()) == 0


def test_the_document_that_counts_says_what_it_waits_for(coordination: Coordination) -> None:
    """Two hosts added different tasks under one id: the one with the smaller blob id stays."""
    add(coordination, a=(), c=())
    path = "coordination/tasks/b1/b.json"
    for oid, after in (("5" * 40, ("a", "c")), ("9" * 40, ()), ("2" * 40, ("c",))):
        body = Task(task="b", batch="b1", title="b", after=after).to_bytes()
        indexing.add_document(coordination.repository.state, path, body, oid)
    rows = coordination.repository.state.execute("SELECT needs FROM waits WHERE task = 'b'").fetchall()
    assert rows == [("c",)]


def test_ready_ones_are_counted_apart(coordination: Coordination) -> None:
    add(coordination, a=(), b=("a",), c=("b",), e=())
    repository = coordination.repository
    assert count_ready(repository, Scope()) == 2
    assert count_ready(repository, Scope(glob="[abc]")) == 1
    assert count_ready_of(repository, Scope(), ["a", "b", "none"]) == 1


def test_ten_thousand_tasks_that_wait_for_each_other_are_looked_through_quickly(
    coordination: Coordination,
) -> None:
    """A chain: no look may follow it from end to end."""
    state = coordination.repository.state
    with transaction(state):
        for number in range(10_000):
            after = (f"t{number - 1:05d}",) if number else ()
            task = Task(task=f"t{number:05d}", batch="b1", title="t", after=after)
            indexing.add_document(
                state, f"coordination/tasks/b1/{task.task}.json", task.to_bytes(), f"{number:040d}"
            )
    began = time.perf_counter()
    found = open_tasks(coordination.repository, Scope(), 100)
    looked = time.perf_counter() - began
    began = time.perf_counter()
    state.execute("SELECT task, created_at FROM tasks ORDER BY 2, 1").fetchall()
    read = time.perf_counter() - began
    assert [task.task for task in found] == ["t00000"]
    assert looked < 50 * max(read, 0.005)
