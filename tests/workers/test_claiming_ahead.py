"""How many claims are held ahead: few of long tasks, many of short ones behind a slow remote."""

import time
from pathlib import Path

import pytest
from gitworld import add_tasks, claims_held, new_coordination
from poolworld import until

from cortex_git.analysis.bench.slow_remote import SlowRemote
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.claimer import Claimer

WORKERS = 5


def claimer(coordination: Coordination, look_s: float | None = None) -> Claimer:
    return Claimer(coordination, Scope(batch="b1"), WORKERS, "worker", wake=lambda: None, look_s=look_s)


def take(claims: Claimer, wanted: int) -> int:
    """So many taken as workers would that are done with each within milliseconds."""
    taken = 0
    while taken < wanted and claims.crash is None:
        until(claims.waiting)
        for held in claims.waiting():
            taken += claims.take(held.claim.task.task) is not None
            time.sleep(0.002)
    return taken


def test_one_claim_a_worker_is_ahead_of_long_tasks(tmp_path: Path, bare: Path) -> None:
    coordination = Coordination.open(new_coordination(tmp_path / "host", bare))
    add_tasks(coordination, 60)
    claims = claimer(coordination)
    claims.start()
    try:
        until(lambda: len(claims.waiting()) == 2 * WORKERS)
        for held in claims.waiting()[:WORKERS]:
            claims.take(held.claim.task.task)
        coordination.pull()
        assert len(claims.waiting()) == WORKERS
    finally:
        claims.stop()
    assert len(claims_held(bare)) == WORKERS


@pytest.mark.parametrize("resizes", [0, 40], ids=["of one size", "after growing and shrinking often"])
def test_short_tasks_behind_a_slow_remote_are_claimed_in_few_rounds(
    tmp_path: Path, bare: Path, resizes: int
) -> None:
    coordination = Coordination.open(new_coordination(tmp_path / "host", bare))
    add_tasks(coordination, 600)
    slow = SlowRemote.make(tmp_path / "slow", 0.1)
    slow.slow_down(tmp_path / "host")
    claims = claimer(coordination)
    for _ in range(resizes):  # workers that came and went without a task
        claims.resize(4 * WORKERS)
        claims.resize(WORKERS)
    claims.start()
    try:
        assert take(claims, 600) == 600
    finally:
        claims.stop()
    assert slow.operations()["receive-pack"] <= 12


def test_claims_on_tasks_that_turn_out_long_are_given_back(tmp_path: Path, bare: Path) -> None:
    coordination = Coordination.open(new_coordination(tmp_path / "host", bare))
    add_tasks(coordination, 1000)
    claims = claimer(coordination, look_s=0.2)
    claims.start()
    try:
        take(claims, 300)
        until(lambda: len(claims.waiting()) > 100)
        until(lambda: len(claims.waiting()) < 50)
    finally:
        claims.stop()
