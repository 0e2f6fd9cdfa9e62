"""A batch on a real pool: every task one result, whatever workers do."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, claim_all, new_coordination, result_commits, results_on

from cortex_git.models import Result
from cortex_git.services.batches import open_pool
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.attempts import BatchReport
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.events import Event
from cortex_git.workers.pool import Pool


class Seen:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.starts: list[tuple[str, str]] = []
        self.results: list[Result] = []
        self.notes: list[str] = []
        self.events: list[Event] = []

    def started(self, task: str, worker: str, repo: str | None) -> None:
        self.starts.append((task, worker))

    def finished(self, result: Result) -> None:
        self.results.append(result)

    def event(self, event: Event) -> None:
        self.events.append(event)
        if event.for_people:
            self.notes.append(event.text)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(params=["remote", "local"])
def coordination(request: pytest.FixtureRequest, tmp_path: Path, bare: Path) -> Coordination:
    return Coordination.open(
        new_coordination(tmp_path / "host-0", bare if request.param == "remote" else None)
    )


@pytest.fixture
def one_host(tmp_path: Path, bare: Path) -> Coordination:
    return Coordination.open(new_coordination(tmp_path / "host-0", bare))


def run(coordination: Coordination, pool: Pool, seen: Seen, batch: str = "b1") -> BatchReport:
    return BatchRun(coordination, pool, Scope(batch=batch), watcher=seen).run()


@pytest.fixture
def seen() -> Iterator[Seen]:
    yield Seen()


def test_every_task_has_one_result(coordination: Coordination, seen: Seen) -> None:
    names = [task.task for task in add_tasks(coordination, 30)]
    with open_pool(coordination, ["echo"], 4, "scan-worker") as pool:
        report = run(coordination, pool, seen)
    assert sorted(report.results) == names
    assert (report.published, report.fenced, report.waiting) == (30, 0, 0)
    assert report.pushes < 30  # group commit
    assert {result.status for result in report.results.values()} == {"completed"}
    assert list((coordination.repository.folder / "coordination/locks").glob("*.lock")) == []
    assert coordination.pull().claims == {}


def test_cold_workers_do_the_same(one_host: Coordination, seen: Seen) -> None:
    add_tasks(one_host, 3)
    with open_pool(one_host, ["echo"], 2, "scan-worker", cold=True) as pool:
        report = run(one_host, pool, seen)
    assert len(report.results) == report.published == 3


def test_a_second_run_on_the_same_pool_finds_nothing_to_do(one_host: Coordination, seen: Seen) -> None:
    add_tasks(one_host, 3)
    with open_pool(one_host, ["echo"], 2, "scan-worker") as pool:
        assert run(one_host, pool, seen).published == 3
        assert run(one_host, pool, seen).published == 0


def test_a_failing_task_is_tried_again_and_ends_as_failed(one_host: Coordination, seen: Seen) -> None:
    add_tasks(one_host, 1, runner="command", context={"command": "absent"})
    add_tasks(one_host, 2, "b2", runner="command", context={"command": "bad"}, max_attempts=2)
    config = Path(os.environ["CORTEX_CONFIG_HOME"])
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[commands.bad]\nargv = ["sh", "-c", "echo no; exit 4"]\n')
    with open_pool(one_host, ["command"], 2, "scan-worker") as pool:
        first = run(one_host, pool, seen)
        second = run(one_host, pool, seen, "b2")
    assert [(r.status, r.attempt) for r in first.results.values()] == [("failed", 1)]
    assert "no command 'absent'" in str(next(iter(first.results.values())).error)
    assert [(r.status, r.attempt) for r in second.results.values()] == [("failed", 2)] * 2
    assert "status 4: no" in str(next(iter(second.results.values())).error)


def test_a_task_over_its_time_is_ended_with_everything_it_started(
    one_host: Coordination, seen: Seen, tmp_path: Path
) -> None:
    config = Path(os.environ["CORTEX_CONFIG_HOME"])
    config.mkdir(parents=True)
    script = f"echo $$ > {tmp_path}/pid; (sleep 1000 & echo $! > {tmp_path}/child; wait)"
    (config / "config.toml").write_text(f'[commands.slow]\nargv = ["sh", "-c", "{script}"]\n')
    add_tasks(one_host, 1, runner="command", context={"command": "slow"}, deadline=0.02)
    with open_pool(one_host, ["command"], 1, "scan-worker") as pool:
        report = run(one_host, pool, seen)
        gone = [int((tmp_path / name).read_text()) for name in ("pid", "child")]
    assert [result.status for result in report.results.values()] == ["timed_out"]
    for pid in gone:
        assert not alive(pid)


def alive(pid: int) -> bool:
    for _ in range(100):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        if stat.rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.05)
    return True


@pytest.mark.race
def test_workers_killed_at_random_cost_no_result(
    coordination: Coordination, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    import random
    import threading

    names = [
        task.task
        for task in add_tasks(coordination, 40, runner="sleep", context={"seconds": 0.05}, max_attempts=50)
    ]
    chance = random.Random(7)
    with open_pool(coordination, ["sleep"], 6, "scan-worker") as pool:
        batch = BatchRun(coordination, pool, Scope(batch="b1"), watcher=seen)
        over = threading.Event()
        kills = 0

        def kill() -> None:
            nonlocal kills
            while not over.wait(0.08):
                victims = [slot.pid for slot in pool.slots if slot.connection is not None and slot.ready]
                if victims and kills < 25:
                    with suppress(ProcessLookupError):
                        os.kill(chance.choice(victims), signal.SIGKILL)
                        kills += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            report = batch.run()
        finally:
            over.set()
            killer.join()
    assert kills > 3
    assert sorted(report.results) == names
    assert (report.published, report.fenced, report.waiting) == (40, 0, 0)
    repository = coordination.repository.folder
    subjects = result_commits(repository) or result_commits(repository.with_name("remote.git"))
    assert len(subjects) == len(set(subjects)) == 40


def test_a_task_that_kills_its_workers_ends_as_failed(one_host: Coordination, seen: Seen) -> None:
    config = Path(os.environ["CORTEX_CONFIG_HOME"])
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[commands.suicide]\nargv = ["sh", "-c", "kill -9 $PPID"]\n')
    add_tasks(one_host, 1, runner="command", context={"command": "suicide"}, max_attempts=2)
    with open_pool(one_host, ["command"], 2, "scan-worker") as pool:
        report = run(one_host, pool, seen)
    (result,) = report.results.values()
    assert (result.status, result.epoch) == ("failed", 3)
    assert "died in each of 2 attempts" in str(result.error)


def test_losing_the_process_that_forks_workers_costs_nothing(one_host: Coordination, seen: Seen) -> None:
    import threading

    add_tasks(one_host, 12, runner="sleep", context={"seconds": 0.3}, max_attempts=20)
    with open_pool(one_host, ["sleep"], 3, "scan-worker") as pool:
        forkserver = pool._spawner._process  # type: ignore[attr-defined]
        threading.Timer(0.5, forkserver.kill).start()
        victim = threading.Timer(0.8, lambda: os.kill(pool.slots[0].pid, signal.SIGKILL))
        victim.start()
        report = run(one_host, pool, seen)
    assert report.published == 12


def when_started(seen: Seen, count: int) -> None:
    """Wait until so many attempts have begun."""
    while len(seen.starts) < count:
        time.sleep(0.01)


def test_draining_publishes_what_runs_and_gives_back_the_rest(one_host: Coordination, seen: Seen) -> None:
    import threading

    add_tasks(one_host, 20, runner="sleep", context={"seconds": 0.6})
    with open_pool(one_host, ["sleep"], 2, "scan-worker") as pool:
        batch = BatchRun(one_host, pool, Scope(batch="b1"), watcher=seen)
        threading.Thread(target=lambda: (when_started(seen, 2), batch.interrupt())).start()
        report = batch.run()
    assert report.interrupted
    assert 2 <= report.published == len(report.results) < 20
    assert one_host.pull().claims == {}
    assert list((one_host.repository.folder / "coordination/locks").glob("*.lock")) == []


@pytest.mark.timeout(50)  # under the minute that a task takes
def test_a_second_interrupt_ends_what_runs_and_gives_it_back(one_host: Coordination, seen: Seen) -> None:
    import threading

    add_tasks(one_host, 4, runner="sleep", context={"seconds": 60})
    with open_pool(one_host, ["sleep"], 2, "scan-worker") as pool:
        batch = BatchRun(one_host, pool, Scope(batch="b1"), watcher=seen)

        def twice() -> None:
            when_started(seen, 2)
            batch.interrupt()
            time.sleep(0.3)
            batch.interrupt()

        threading.Thread(target=twice).start()
        report = batch.run()
    assert report.interrupted and report.published == 0
    assert len(claim_all(one_host)) == 4


def test_an_absent_remote_ends_the_run_with_everything_kept(
    one_host: Coordination, seen: Seen, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    add_tasks(one_host, 4, runner="sleep", context={"seconds": 0.5})
    leases = one_host.repository.settings.leases.model_copy(update={"give_up_s": 1.0})
    one_host.repository.settings = one_host.repository.settings.model_copy(update={"leases": leases})
    with open_pool(one_host, ["sleep"], 4, "scan-worker") as pool:
        batch = BatchRun(one_host, pool, Scope(batch="b1"), watcher=seen)
        away = bare.with_name("away.git")

        def cut() -> None:
            while len(pool.busy()) < 4:
                time.sleep(0.01)
            bare.rename(away)

        threading.Thread(target=cut).start()
        report = batch.run()
    assert report.problem is not None and report.waiting == 4
    away.rename(bare)
    assert len(Coordination.open(one_host.repository.folder).flush().done) == 4
    assert_sound(bare)
    refs = f"refs/cortex/results/{one_host.repository.host}"
    assert len(results_on(bare, refs)) == 4
