"""Doing again what ended without success: one new task that names the old, however many people ask."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from gitworld import add_tasks, claim_all, cortex, lose_acknowledgements, new_coordination, python, result_for
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.errors import BadInput, CortexError
from cortex_git.models import ResultStatus, Task, derived_name, valid_name
from cortex_git.services.reopening import cancel_task, retry_task, retry_tasks, to_cancel, to_retry
from cortex_git.state import now
from cortex_git.store import index
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.refs import RemoteUnreachable
from cortex_git.store.tasks import listed, new_batch


@pytest.fixture
def host(tmp_path: Path, bare: Path) -> Coordination:
    new_coordination(tmp_path / "host", bare)
    return Coordination.open(tmp_path / "host")


@pytest.fixture
def hosts(clones: Callable[[int], list[Path]]) -> list[Coordination]:
    return [Coordination.open(folder) for folder in clones(2)]


def trial(name: str, **fields: object) -> Task:
    return Task.model_validate(
        {"task": name, "batch": "open", "title": name, "runner": "echo", "created_at": now()} | fields
    )


def end(host: Coordination, status: str, *names: str) -> None:
    """Publish a result of that status for each of the tasks."""
    for name in names:
        claim = host.claim_task(name, "worker-test-001")
        host.record([(claim, result_for(host, claim, status=status), {})])
        host.flush()
        host.locks.release(name)


def names_of(host: Coordination) -> list[str]:
    host.pull()
    return sorted(task.task for task in listed(host.repository, Scope()))


@pytest.mark.parametrize("status", ["failed", "cancelled", "timed_out", "budget_exhausted"])
def test_a_retry_is_the_same_work_under_a_new_id_in_the_same_open_batch(
    host: Coordination, status: ResultStatus
) -> None:
    old = trial("a", context={"x": 1}, priority="high", deadline=2.5, max_attempts=7)
    host.add_tasks([old])
    end(host, status, "a")
    new = retry_task(host, "a")
    assert (new.task, new.retry_of, new.batch) == ("a-r1", "a", "open")
    kept = {"task": "a", "retry_of": None, "created_at": old.created_at}
    assert new.model_copy(update=kept) == old
    assert [claim.task for claim in claim_all(host, batch="open")] == [new]


def test_a_task_of_a_sealed_batch_goes_where_tasks_are_added(host: Coordination) -> None:
    add_tasks(host, 2)
    end(host, "failed", "b1-t000", "b1-t001")
    assert retry_task(host, "b1-t000").batch == "tasks"
    host.add_batch(new_batch("retries", 0, "somebody"), [])
    assert retry_task(host, "b1-t001").batch == "tasks"


def test_a_batch_called_tasks_may_be_sealed_too(host: Coordination) -> None:
    add_tasks(host, 2)
    end(host, "failed", "b1-t000", "b1-t001")
    host.add_batch(new_batch("tasks", 1, "somebody"), [trial("t", batch="tasks")])
    assert retry_task(host, "b1-t000").batch == "retries"
    host.add_tasks([trial("u", batch="more")])
    add_tasks(host, 1, "b2")
    end(host, "failed", "b2-t000")
    assert retry_task(host, "b2-t000").batch == "retries"


def test_a_retry_that_failed_is_done_again_and_each_names_the_one_before(host: Coordination) -> None:
    host.add_tasks([trial("a")])
    end(host, "failed", "a")
    assert retry_task(host, "a").task == "a-r1"
    end(host, "timed_out", "a-r1")
    second = retry_task(host, "a")
    assert (second.task, second.retry_of) == ("a-r2", "a-r1")
    assert retry_task(host, "a-r1") == second
    end(host, "cancelled", "a-r2")
    third = retry_task(host, "a-r1")
    assert (third.task, third.retry_of) == ("a-r3", "a-r2")


def test_once_more_is_the_same_task(host: Coordination) -> None:
    host.add_tasks([trial("a")])
    end(host, "failed", "a")
    first = retry_task(host, "a")
    assert retry_task(host, "a") == first
    assert claim_all(host, batch="open")
    assert retry_task(host, "a") == first
    assert names_of(host) == ["a", "a-r1"]


@pytest.mark.parametrize(
    ("status", "told"),
    [("completed", "'a' is completed"), (None, "'a' is not finished")],
)
def test_what_is_refused(host: Coordination, status: str | None, told: str) -> None:
    host.add_tasks([trial("a")])
    if status:
        end(host, status, "a")
    with pytest.raises(BadInput, match=told):
        retry_task(host, "a")
    with pytest.raises(BadInput, match="no task 'b'"):
        retry_task(host, "b")
    assert names_of(host) == ["a"]


def test_what_its_retry_completed_is_not_done_again(host: Coordination) -> None:
    host.add_tasks([trial("a")])
    end(host, "failed", "a")
    retry_task(host, "a")
    end(host, "completed", "a-r1")
    with pytest.raises(BadInput, match="'a-r1', the retry of 'a', is completed"):
        retry_task(host, "a")


def test_the_last_task_of_a_batch_is_not_done_again(host: Coordination) -> None:
    batch = new_batch("m", 1, "somebody", merge=True)
    host.add_batch(batch, [trial("m-0", batch="m")])
    cancel_task(host, "m.merge")
    with pytest.raises(BadInput, match="last one"):
        retry_task(host, "m.merge")


def test_somebody_s_own_task_of_such_a_name_is_no_retry(host: Coordination) -> None:
    host.add_tasks([trial("a"), trial("a-r1")])
    end(host, "failed", "a")
    new = retry_task(host, "a")
    assert (new.task, new.retry_of) == ("a-r2", "a")
    assert retry_task(host, "a") == new


def test_a_ring_of_retries_pushed_by_hand_ends(host: Coordination) -> None:
    host.add_tasks([trial("a-r1", retry_of="a-r2"), trial("a-r2", retry_of="a-r1")])
    end(host, "failed", "a-r1", "a-r2")
    assert retry_task(host, "a-r1").retry_of in ("a-r1", "a-r2")


def test_two_hosts_that_do_not_see_each_other_name_the_same_task(
    hosts: list[Coordination], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts
    one.add_tasks([trial("a")])
    end(one, "failed", "a")
    two.pull()
    first = retry_task(one, "a")
    with monkeypatch.context() as patch:
        patch.setattr(two, "pull", lambda **_: None)
        second = retry_task(two, "a")
    assert (first.task, first.batch) == (second.task, second.batch) == ("a-r1", "open")
    assert names_of(one) == names_of(two) == ["a", "a-r1"]
    assert index.task_of(one.repository, "a-r1") == index.task_of(two.repository, "a-r1")
    assert len(claim_all(one, batch="open") + claim_all(two, batch="open")) == 1


def test_many_processes_that_retry_at_once_add_one_task(host: Coordination) -> None:
    add_tasks(host, 1)
    end(host, "failed", "b1-t000")
    code = """
        import sys
        from pathlib import Path
        from cortex_git.services.reopening import retry_task
        from cortex_git.store.coordination import Coordination
        print(retry_task(Coordination.open(Path(sys.argv[1])), "b1-t000").task)
        """
    children = [python(code, str(host.repository.folder)) for _ in range(6)]
    said = [child.communicate(timeout=60) for child in children]
    assert {out for out, _ in said} == {"b1-t000-r1\n"}, said
    assert names_of(host) == ["b1-t000", "b1-t000-r1"]


def test_every_answer_lost(host: Coordination, tmp_path: Path) -> None:
    host.add_tasks([trial("a")])
    lose_acknowledgements(host.repository.folder, tmp_path)
    assert cancel_task(host, "a").status == "cancelled"
    assert retry_task(host, "a") == retry_task(host, "a")
    assert names_of(host) == ["a", "a-r1"]


def test_with_the_remote_away_nothing_is_added(host: Coordination, bare: Path) -> None:
    host.add_tasks([trial("a")])
    end(host, "failed", "a")
    gone = bare.rename(bare.with_name("away.git"))
    with pytest.raises(RemoteUnreachable):
        retry_task(host, "a")
    gone.rename(bare)
    assert (host.outbox.count(), names_of(host)) == (0, ["a"])


def test_a_remote_that_falls_silent_meanwhile_costs_no_second_task(
    host: Coordination, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.add_tasks([trial("a")])
    end(host, "failed", "a")
    real = host.outbox.add

    def enter_and_cut(entries: object) -> None:
        real(entries)  # type: ignore[arg-type]
        bare.rename(bare.with_name("away.git"))

    with monkeypatch.context() as patch:
        patch.setattr(host.outbox, "add", enter_and_cut)
        with pytest.raises(CortexError):
            retry_task(host, "a")
    bare.with_name("away.git").rename(bare)
    assert host.outbox.count() == 1
    assert retry_task(host, "a").task == "a-r1"
    assert (host.outbox.count(), names_of(host)) == (0, ["a", "a-r1"])


def test_cancelling_one_says_why_not(host: Coordination) -> None:
    host.add_tasks([trial("a")])
    assert cancel_task(host, "a") == cancel_task(host, "a")
    with pytest.raises(BadInput, match="no task 'b'"):
        cancel_task(host, "b")


def test_a_batch_goes_on_without_what_was_cancelled(host: Coordination) -> None:
    add_tasks(host, 3)
    cancel_task(host, "b1-t001")
    done = cortex("spawn-workers", "--count", "2", "--batch", "b1", cwd=host.repository.folder)
    assert done.returncode == 0, done
    host.pull()
    assert {result.task: result.status for result in host.results(Scope())} == {
        "b1-t000": "completed", "b1-t001": "cancelled", "b1-t002": "completed",
    }  # fmt: skip


def test_globs_choose_what_can_be_ended_or_done_again(host: Coordination) -> None:
    host.add_tasks([trial(name) for name in ("a-done", "a-failed", "a-open", "b-failed")])
    end(host, "completed", "a-done")
    end(host, "failed", "a-failed", "b-failed")
    assert to_cancel(host, ["a-*"]) == ["a-open"]
    assert to_cancel(host, ["x", "a-o*", "a-open"]) == ["x", "a-open"]
    assert sorted(to_retry(host, ["*"])) == ["a-failed", "b-failed"]
    retry_task(host, "a-failed")
    assert to_retry(host, ["*"]) == ["b-failed"]
    end(host, "failed", "a-failed-r1")
    assert to_retry(host, ["a*"]) == ["a-failed-r1"]
    for choose in (to_cancel, to_retry):
        with pytest.raises(BadInput, match=r"'c\?'"):
            choose(host, ["c?"])


def test_each_of_several_has_its_own_answer(host: Coordination) -> None:
    host.add_tasks([trial("a"), trial("b")])
    end(host, "failed", "a")
    found = retry_tasks(host, ["b", "a", "nope"])
    assert [*found] == ["b", "a", "nope"]
    assert cast(Task, found["a"]).task == "a-r1"
    assert isinstance(found["b"], BadInput) and isinstance(found["nope"], BadInput)


@given(st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,99}\Z"), st.integers(1, 10**6))
def test_every_retry_has_an_id_that_may_be_one(base: str, number: int) -> None:
    made = derived_name(base, f"r{number}")
    assert valid_name(made, "task id") == made
    assert made.endswith(f"-r{number}")
    assert made != derived_name(base, f"r{number + 1}")


def test_long_ids_that_begin_alike_have_retries_of_their_own() -> None:
    names = ["a" * 99 + end for end in ("b", "c")]
    assert len({derived_name(name, "r1") for name in names}) == 2
