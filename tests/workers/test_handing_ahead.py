"""Short tasks handed to a worker while it is on another: each stays a task of its own, whatever happens."""

import os
import random
import signal
import threading
import time
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path

import pytest
from gitworld import add_tasks, claims_held, new_coordination, result_commits
from poolworld import Quiet, until

from cortex_git.models import Result
from cortex_git.services.batches import open_pool
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers import dispatching
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.worker import Worker


class Order(Quiet):
    """Remembers in which order results came."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def finished(self, result: Result) -> None:
        self.results.append(result)


@pytest.fixture
def host(tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> Coordination:
    """One whose workers are handed `sleep` tasks ahead, as they are scans."""
    monkeypatch.setattr(dispatching, "AHEAD", {"sleep"})
    monkeypatch.setattr(dispatching, "_AHEAD_S", 60.0)
    return Coordination.open(new_coordination(tmp_path / "host-0", bare))


@pytest.mark.race
def test_only_the_task_that_a_killed_worker_was_on_counts_an_attempt(host: Coordination, bare: Path) -> None:
    names = [t.task for t in add_tasks(host, 60, runner="sleep", context={"seconds": 0.03}, max_attempts=50)]
    chance, over, kills, ahead = random.Random(7), threading.Event(), 0, [0]
    with open_pool(host, ["sleep"], 2, "scan-worker") as pool:
        batch = BatchRun(host, pool, Scope(batch="b1"), watcher=Quiet())

        def kill() -> None:
            nonlocal kills
            while not over.wait(0.15):
                victims = [slot for slot in pool.slots if slot.connection is not None and slot.assignment]
                if victims and kills < 8:
                    victim = chance.choice(victims)
                    ahead.append(len(victim.ahead))
                    with suppress(ProcessLookupError):
                        os.kill(victim.pid, signal.SIGKILL)
                        kills += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            report = batch.run()
        finally:
            over.set()
            killer.join()
    assert kills > 1 and max(ahead) > 0
    assert sorted(report.results) == names
    assert (report.published, report.fenced, report.waiting) == (60, 0, 0)
    assert sum(result.attempt - 1 for result in report.results.values()) <= kills
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == 60
    assert claims_held(bare) == []


def test_what_a_held_up_worker_was_handed_is_done_by_others(
    host: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "_HELD_UP_S", 0.1)
    add_tasks(host, 12, "b0", runner="sleep", context={"seconds": 0.01}, priority="critical")
    add_tasks(host, 1, "b1", runner="sleep", context={"seconds": 2.0}, priority="high")
    add_tasks(host, 30, "b2", runner="sleep", context={"seconds": 0.01})
    seen = Order()
    with open_pool(host, ["sleep"], 2, "scan-worker") as pool:
        BatchRun(host, pool, Scope(), watcher=seen).run()
    assert len(seen.results) == 43 and seen.results[-1].batch == "b1"


def test_a_drained_run_has_back_what_its_workers_have_not_begun(host: Coordination, bare: Path) -> None:
    add_tasks(host, 40, runner="sleep", context={"seconds": 0.2})
    with open_pool(host, ["sleep"], 1, "scan-worker") as pool:
        batch = BatchRun(host, pool, Scope(batch="b1"), watcher=Quiet())

        def interrupt() -> None:
            until(lambda: pool.slots[0].ahead)
            batch.interrupt()

        threading.Thread(target=interrupt).start()
        report = batch.run()
    assert report.interrupted and 0 < len(report.results) < 5
    assert claims_held(bare) == []


def test_the_end_of_one_attempts_time_does_not_end_the_next() -> None:
    worker = Worker(Pipe()[0])
    worker._busy, worker._began, worker._enough_s = True, time.monotonic() + 3600, 30.0
    worker._on_out_of_time(signal.SIGUSR1, None)
    assert worker._busy
