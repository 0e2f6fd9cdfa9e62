"""Joining a remote from a thread of a process that goes on: what is done, obeyed and given back."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gitworld import (
    add_tasks,
    assert_sound,
    claim_all,
    claims_held,
    git,
    new_coordination,
    result_commits,
    results_on,
)
from mergeworld import end, whole
from poolworld import until

from cortex_git.processes import descendants
from cortex_git.services.budgets import set_limits
from cortex_git.services.joining import JoinReport, Order, Placement, Work, _Passing, give_back_left, join
from cortex_git.services.watching import watch
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


class Sent:
    """A sender whose order can be changed, and who remembers what it was told."""

    def __init__(self, order: Order = "work") -> None:
        self.current: Order = order
        self.told: list[str] = []

    def order(self) -> Order:
        return self.current

    def tell(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def host(tmp_path: Path, bare: Path) -> Coordination:
    new_coordination(tmp_path / "host", bare)
    return Coordination.open(tmp_path / "host")


@pytest.fixture
def not_ours() -> set[int]:
    """Processes below this one that were there before: another test's, such as multiprocessing's tracker."""
    return set(descendants(os.getpid()))


def placement(bare: Path, count: int = 2, **fields: object) -> Placement:
    return Placement(str(bare), "main", Work(Scope(batch="b1"), count, **fields))  # type: ignore[arg-type]


def clones(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def test_a_join_works_until_every_task_has_a_result(host: Coordination, bare: Path, tmp_path: Path) -> None:
    names = [task.task for task in add_tasks(host, 12)]
    sent = Sent()
    report = join(placement(bare), tmp_path / "elsewhere", "there", sent)
    assert (report.place, report.problem, report.waiting, report.fenced) == ("there", "", 0, 0)
    assert report.host != host.repository.host
    assert sent.told[0] == f"joined as {report.host}, workers: 2"
    assert sorted(results_on(bare, "main")) == names
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(bare)


class Over:
    """Joins that have all ended, with the given reports."""

    def __init__(self, *reports: JoinReport) -> None:
        self._reports = list(reports)

    def running(self) -> int:
        return len(self._reports)

    def ended(self, timeout_s: float) -> list[JoinReport]:
        ended, self._reports = self._reports, []
        return ended

    def heard(self) -> list[str]:
        return []

    def tell(self, order: Order) -> None: ...

    def trouble(self) -> str:
        return ""


def test_a_join_whose_tokens_run_out_says_so_to_the_command(
    host: Coordination, bare: Path, tmp_path: Path, commands: Callable[..., None]
) -> None:
    commands(spend="echo '{\"tokens_used\": 70}'")
    add_tasks(host, 2, runner="command", type="fix-worker", budget=100, context={"command": "spend"})
    set_limits(host, {"total": 150})
    report = join(placement(bare), tmp_path / "elsewhere", "there", Sent())
    assert (report.problem, "1 task waits" in report.limit) == ("", True)
    host.pull()
    ended = watch(host, Scope(batch="b1"), Over(report), _Passing(print))
    assert ended.report.problem is None
    assert ended.report.limit is not None
    assert ended.report.limit.message == report.limit


def test_a_second_join_uses_the_clone_and_starts_no_worker_for_nothing(
    host: Coordination, bare: Path, tmp_path: Path
) -> None:
    add_tasks(host, 2)
    first = join(placement(bare), tmp_path / "elsewhere", "there", Sent())
    sent = Sent()
    again = join(placement(bare), tmp_path / "elsewhere", "there", sent)
    assert again == JoinReport("there", first.host)
    assert sent.told == []
    assert len(clones(tmp_path / "elsewhere")) == 1


def test_joins_at_one_place_and_time_have_a_clone_each(
    host: Coordination, bare: Path, tmp_path: Path
) -> None:
    add_tasks(host, 30, runner="sleep", context={"seconds": 0.1})
    with ThreadPoolExecutor(3) as threads:
        reports = list(
            threads.map(lambda _: join(placement(bare, 1), tmp_path / "elsewhere", "there", Sent()), range(3))
        )
    assert [report.problem for report in reports] == [""] * 3
    assert len({report.host for report in reports}) == len(clones(tmp_path / "elsewhere")) == 3
    assert len(result_commits(bare)) == 30


@pytest.mark.parametrize("order", ["drain", "end"])
def test_an_order_ends_a_join_and_nothing_is_held_or_running(
    order: Order, host: Coordination, bare: Path, tmp_path: Path, not_ours: set[int]
) -> None:
    add_tasks(host, 40, runner="sleep", context={"seconds": 0.4})
    sent = Sent()
    with ThreadPoolExecutor(1) as thread:
        joined = thread.submit(join, placement(bare), tmp_path / "elsewhere", "there", sent)
        until(lambda: result_commits(bare))
        sent.current = order
        report = joined.result(60)
    assert (report.problem, report.waiting) == ("", 0)
    assert 0 < len(result_commits(bare)) < 40
    assert claims_held(bare) == []
    until(lambda: not_ours.issuperset(descendants(os.getpid())))


def test_a_join_that_comes_too_late_does_not_begin(host: Coordination, bare: Path, tmp_path: Path) -> None:
    add_tasks(host, 1)
    assert join(placement(bare), tmp_path / "elsewhere", "there", Sent("drain")) == JoinReport("there")
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_person_can_mend_is_reported_not_raised(
    host: Coordination, bare: Path, tmp_path: Path
) -> None:
    add_tasks(host, 1, runner="no-such-runner")
    report = join(placement(bare), tmp_path / "elsewhere", "there", Sent())
    assert "no-such-runner" in report.problem
    bare.rename(bare.with_name("away.git"))
    report = join(placement(bare), tmp_path / "elsewhere", "there", Sent())
    assert f"{bare} is not on " in report.problem


def test_runner_and_policy_are_those_of_the_command(host: Coordination, bare: Path, tmp_path: Path) -> None:
    add_tasks(host, 4, runner="no-such-runner")
    report = join(
        placement(bare, 3, runner="echo", policy="activation"), tmp_path / "elsewhere", "there", Sent()
    )
    assert (report.problem, len(result_commits(bare))) == ("", 4)


def test_a_failed_attempt_is_told_to_the_sender(
    host: Coordination, bare: Path, tmp_path: Path, commands: Callable[..., None]
) -> None:
    commands(no="echo wrong; exit 3")
    add_tasks(host, 1, runner="command", context={"command": "no"}, max_attempts=2)
    sent = Sent()
    report = join(placement(bare, 1), tmp_path / "elsewhere", "there", sent)
    assert report.problem == ""
    assert any("attempt 1 failed" in text for text in sent.told)


def test_a_join_that_fails_leaves_no_claim_of_its_living_process(
    host: Coordination, bare: Path, tmp_path: Path, not_ours: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a full disk would make it fail, in the middle of its work."""
    from cortex_git.workers.batch import BatchRun

    add_tasks(host, 20, runner="sleep", context={"seconds": 0.3})
    step = BatchRun._step

    def failing(run: BatchRun) -> None:
        step(run)
        if result_commits(bare):
            raise OSError("disk full")

    monkeypatch.setattr(BatchRun, "_step", failing)
    with pytest.raises(OSError, match="disk full"):
        join(placement(bare), tmp_path / "elsewhere", "there", Sent())
    monkeypatch.undo()
    assert claim_states(host) <= {"released"}
    until(lambda: not_ours.issuperset(descendants(os.getpid())))
    report = join(placement(bare), tmp_path / "elsewhere", "there", Sent())
    assert report.problem == ""
    assert len(result_commits(bare)) == 20


def claim_states(host: Coordination) -> set[str]:
    view = host.pull()
    records = [host.claims.record(oid) for oid in view.claims.values()]
    return {record.state for record in records if record is not None}


def test_claims_left_by_a_failed_join_count_an_attempt_only_if_it_began(
    host: Coordination, bare: Path, tmp_path: Path
) -> None:
    add_tasks(host, 2)
    begun, ahead = claim_all(host)
    host.claims.started(begun)
    later = Coordination.open(host.repository.folder)
    give_back_left(later)
    again = {claim.task.task: claim.record.attempt for claim in claim_all(later)}
    assert again == {begun.task.task: 2, ahead.task.task: 1}


def test_claims_of_other_processes_are_left_alone(host: Coordination, bare: Path, tmp_path: Path) -> None:
    from cortex_git.store.cloning import joining_clone

    add_tasks(host, 2)
    claims = claim_all(host)
    joining_clone(tmp_path / "other", str(bare), "main")
    give_back_left(Coordination.open(tmp_path / "other"))
    assert host.claims.still_ours(claims) == claims


def test_the_orders_are_heard_in_a_thread_that_ends(host: Coordination, bare: Path, tmp_path: Path) -> None:
    add_tasks(host, 2)
    before = threading.active_count()
    join(placement(bare), tmp_path / "elsewhere", "there", Sent())
    until(lambda: threading.active_count() <= before)


def test_a_join_that_ends_the_last_part_carries_out_the_merge_task(
    host: Coordination, bare: Path, tmp_path: Path
) -> None:
    host.add_tasks(whole())
    end(host, "t-security")
    scope = Scope(type="implementation-worker")
    sent = Placement(str(bare), "main", Work(scope, 1))
    report = join(sent, tmp_path / "elsewhere", "there", Sent())
    assert report.problem == ""
    host.pull()
    assert host.is_finished("t")


def test_a_command_carries_out_what_its_joins_had_to_leave(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-security")
    end(host, "t-development")
    ended = watch(host, Scope(type="implementation-worker"), Over(JoinReport("there")), _Passing(print))
    assert ended.report.problem is None
    assert host.is_finished("t")
