"""Runs over tasks that come after others: in their order, not after what failed, and never for ever."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from gitworld import new_coordination, result_for
from poolworld import Quiet, until

from cortex_git.models import Result, Task
from cortex_git.services.batches import open_pool
from cortex_git.services.reopening import retry_task
from cortex_git.state import now
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.results import read_results
from cortex_git.workers.attempts import BatchReport
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.dependencies import Dependencies, verdict


class Ordered(Quiet):
    """Keeps the order in which results came."""

    def __init__(self) -> None:
        self.order: list[str] = []

    def finished(self, result: Result) -> None:
        self.order.append(result.task)


@pytest.fixture
def host(tmp_path: Path, bare: Path) -> Coordination:
    new_coordination(tmp_path / "host", bare)
    return Coordination.open(tmp_path / "host")


def trial(name: str, *after: str, **fields: object) -> Task:
    return Task.model_validate(
        {"task": name, "batch": "tasks", "title": name, "runner": "echo", "after": after, "created_at": now()}
        | fields
    )


def failing(name: str, *after: str) -> Task:
    return trial(name, *after, runner="sleep", context={"seconds": "no number"})


def run(host: Coordination, scope: Scope | None = None, size: int = 2) -> tuple[BatchReport, list[str]]:
    quiet = Ordered()
    with open_pool(host, ["echo", "sleep"], size, "scan-worker") as pool:
        report = BatchRun(host, pool, scope or Scope(), watcher=quiet).run()
    return report, quiet.order


def ends(host: Coordination, *names: str) -> dict[str, tuple[str, str | None]]:
    host.pull()
    return {r.task: (r.status, r.error) for r in read_results(host.repository, names)}


@contextmanager
def worked_on(host: Coordination, task: str) -> Iterator[None]:
    """Somebody has the task for the length of the block, and completes it."""
    claim = host.claim_task(task, "worker-test-001")
    yield
    host.record([(claim, result_for(host, claim), {})])
    host.flush()
    host.locks.release(task)


def test_a_diamond_is_run_from_its_root(host: Coordination) -> None:
    host.add_tasks(
        [trial("a-last", "b", "c"), trial("b", "z-first"), trial("c", "z-first"), trial("z-first")]
    )
    report, order = run(host, size=4)
    assert (order[0], order[-1], report.completed, report.published) == ("z-first", "a-last", 4, 4)


def test_nothing_runs_after_what_failed(host: Coordination) -> None:
    host.add_tasks([failing("a"), trial("b", "a"), trial("c", "b"), trial("d")])
    report, _ = run(host)
    assert (report.completed, report.failed) == (1, 3)
    found = ends(host, "b", "c", "d")
    assert found["b"] == ("failed", "not run: a ended as failed")
    assert found["c"] == ("failed", "not run: b ended as failed")
    assert found["d"][0] == "completed"
    assert host.pull().claims == {}


def test_what_was_cancelled_holds_up_what_comes_after_it_for_good(host: Coordination) -> None:
    host.add_tasks([trial("a"), trial("b", "a")])
    host.cancel(["a"])
    run(host)
    assert ends(host, "b")["b"] == ("failed", "not run: a ended as cancelled")


def test_a_task_waits_for_the_open_retry_of_what_failed(host: Coordination) -> None:
    """It was retried before anybody came to say that what comes after it is not run."""
    host.add_tasks([failing("a"), trial("b", "a")])
    run(host, Scope(glob="a"))
    again = retry_task(host, "a")
    assert verdict(host, trial("b", "a")).waits == (again.task,)
    with worked_on(host, again.task):
        report, _ = run(host, Scope(glob="nothing"))
        assert report.results == {}
        assert host.claim(Scope(glob="b"), 1, lambda _: "w") == []
    report, _ = run(host)
    assert ends(host, "b")["b"][0] == "completed"


def test_a_retry_that_failed_too_counts_by_its_end(host: Coordination) -> None:
    host.add_tasks([failing("a"), trial("b", "a")])
    run(host, Scope(glob="a"))
    retry_task(host, "a")
    run(host)
    assert ends(host, "b")["b"] == ("failed", "not run: a-r1 ended as failed")


def test_a_run_leaves_what_waits_for_work_that_nobody_does(host: Coordination) -> None:
    host.add_tasks([trial("a", type="fix-worker"), trial("b", "a"), trial("c")])
    report, _ = run(host, Scope(type="scan-worker"))
    assert list(report.results) == ["c"]
    assert not report.interrupted
    assert host.open_count(Scope()) == 2


def test_a_pushed_circle_holds_up_no_run(host: Coordination) -> None:
    host.add_tasks([trial("a", "b"), trial("b", "a"), trial("c"), trial("d", "nowhere")])
    report, _ = run(host)
    assert list(report.results) == ["c"]


def test_a_run_waits_for_what_another_host_works_on(clones: Callable[[int], list[Path]]) -> None:
    """Outside of its scope, and through a task between that nobody has claimed yet."""
    host, other = (Coordination.open(folder) for folder in clones(2))
    chain = [trial("a", type="fix-worker"), trial("b", "a", type="fix-worker"), trial("c", "b")]
    host.add_tasks(chain)
    with worked_on(other, "a"):
        host.pull()
        dependencies = Dependencies(host, lambda _claim, _why: None)
        assert dependencies.may_open([Scope(type="scan-worker")])
    other.pull()
    with ThreadPoolExecutor(1) as threads:
        with worked_on(other, "b"):
            before = host.pull()
            ran = threads.submit(run, host, Scope(type="scan-worker"), 1)
            until(lambda: host.view() is not before)
            assert not ran.done()
        assert list(ran.result()[0].results) == ["c"]
