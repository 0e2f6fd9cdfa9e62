"""When results are pushed: together where they keep coming, at once where nothing more is to follow."""

import time
from pathlib import Path

import pytest
from gitworld import add_tasks, new_coordination
from poolworld import until

from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers import committer, pace
from cortex_git.workers.claimer import Claimer
from cortex_git.workers.committer import Committer


def test_results_that_keep_coming_are_pushed_together(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "_GATHER_S", 1.0)
    monkeypatch.setattr(committer, "_MOST_GATHER_S", 60.0)
    coordination = Coordination.open(new_coordination(tmp_path / "host", bare))
    add_tasks(coordination, 12)
    claims = coordination.claim(Scope(batch="b1"), 12, lambda _: "worker")
    published = Committer(coordination, lambda: None)
    published.start()
    for claim in claims:
        coordination.record([(claim, claim.ended("completed"), {})])
        published.notify(gather=True)
        time.sleep(0.09)  # all of them take longer than the wait for one
    assert coordination.outbox.count() == 12
    published.notify()
    until(lambda: coordination.outbox.count() == 0)
    published.stop()
    assert published.pushes == 1


def test_of_plenty_of_short_tasks_seconds_of_work_are_claimed_ahead(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_MOST_ROUNDS", 2.0)
    coordination = Coordination.open(new_coordination(tmp_path / "host", bare))
    add_tasks(coordination, 600)
    claims = Claimer(coordination, Scope(batch="b1"), 2, "worker", wake=lambda: None)
    claims.start()
    try:
        taken = 0
        while len(claims.waiting()) < 40 and taken < 200:
            for held in claims.waiting()[:2]:
                taken += claims.take(held.claim.task.task) is not None
            time.sleep(0.02)
        assert len(claims.waiting()) >= 40
    finally:
        claims.stop()
