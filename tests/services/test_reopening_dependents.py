"""Cancelling and doing again what has parts, or comes after others."""

from pathlib import Path

import pytest
from gitworld import cortex, new_coordination
from mergeworld import end, trial, whole

from cortex_git.errors import BadInput
from cortex_git.models import MERGE_RUNNER, Task
from cortex_git.services.looking import task_detail, task_rows
from cortex_git.services.reopening import cancel_tasks, retry_task, retry_tasks, to_cancel, to_retry
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


@pytest.fixture
def host(tmp_path: Path) -> Coordination:
    new_coordination(tmp_path / "host")
    return Coordination.open(tmp_path / "host")


def shared(host: Coordination) -> None:
    """A task of two parts, and one that has nothing to do with it but comes before it."""
    parts = [trial("t-security", parent="t"), trial("t-development", parent="t"), trial("before")]
    host.add_tasks([*parts, trial("t", *(part.task for part in parts), runner=MERGE_RUNNER)])


def statuses(host: Coordination) -> dict[str, str]:
    return {row["task"]: row["status"] for row in task_rows(host, Scope())}


def test_the_open_parts_of_a_task_are_cancelled_with_it(host: Coordination) -> None:
    shared(host)
    end(host, "t-security", status="completed")
    names = to_cancel(host, ["t"])
    assert names == ["t", "t-development"]
    cancel_tasks(host, names)
    assert statuses(host) == {
        "t": "cancelled", "t-development": "cancelled", "t-security": "completed", "before": "open",
    }  # fmt: skip


def test_so_is_what_does_a_part_again(host: Coordination) -> None:
    shared(host)
    end(host, "t-security", status="failed")
    assert retry_task(host, "t-security").task == "t-security-r1"
    assert to_cancel(host, ["t"]) == ["t", "t-security-r1", "t-development"]
    assert to_cancel(host, ["t-development"]) == ["t-development"]


def test_a_dry_run_names_the_parts(host: Coordination) -> None:
    shared(host)
    done = cortex("task", "cancel", "t", "--dry-run", cwd=host.repository.folder)
    assert "would cancel t, t-security, t-development" in done.stderr


def test_a_retry_comes_after_the_retries_of_what_came_before(host: Coordination) -> None:
    host.add_tasks([trial("a"), trial("b"), trial("c", "a", "b")])
    end(host, "a", status="failed")
    end(host, "b", status="completed")
    end(host, "c", status="failed")
    with pytest.raises(BadInput, match="'c' would not be run: a ended as failed"):
        retry_task(host, "c")
    retry_task(host, "a")
    assert retry_task(host, "c").after == ("a-r1", "b")
    assert statuses(host)["c-r1"] == "waiting"
    assert task_detail(host, "c-r1")["waits_for"] == ["a-r1"]
    end(host, "a-r1", status="completed")
    assert statuses(host)["c-r1"] == "open"
    assert task_detail(host, "c-r1")["waits_for"] == []


def test_a_retry_that_was_completed_is_what_counts(host: Coordination) -> None:
    host.add_tasks([trial("a"), trial("b", "a")])
    end(host, "a", status="timed_out")
    retry_task(host, "a")
    end(host, "a-r1", status="completed")
    end(host, "b", status="failed")
    assert retry_task(host, "b").after == ("a-r1",)


def test_many_are_done_again_in_the_order_of_their_work(host: Coordination) -> None:
    """Whatever they are called, and in whatever order they were added."""
    host.add_tasks([trial("a", "b"), trial("b", "c"), trial("c")])
    for name in ("c", "b", "a"):
        end(host, name, status="failed")
    found = retry_tasks(host, to_retry(host, ["[abc]"]))
    assert {name: task.after for name, task in found.items() if isinstance(task, Task)} == {
        "a": ("b-r1",), "b": ("c-r1",), "c": (),
    }  # fmt: skip


def test_a_merge_task_is_done_again_with_whatever_its_parts_came_to(host: Coordination) -> None:
    shared(host)
    for name in ("t-security", "before"):
        end(host, name, status="failed")
    end(host, "t-development", status="completed")
    end(host, "t", status="failed")
    retry_task(host, "t-security")
    assert retry_task(host, "t").after == ("t-security-r1", "t-development", "before")


def test_a_merge_task_alone_is_not_done_again_where_nothing_can_come_of_it(host: Coordination) -> None:
    shared(host)
    for name in ("t-security", "t-development", "before", "t"):
        end(host, name, status="failed")
    with pytest.raises(BadInput, match="'t' would have nothing to merge: none of t-security") as refused:
        retry_task(host, "t")
    assert "`cortex-git task retry t-security t-development before`" in (refused.value.hint or "")
    retry_task(host, "before")
    assert retry_task(host, "t").after == ("t-security", "t-development", "before-r1")


def test_the_parts_to_be_done_again_first_are_named_by_one_pattern(host: Coordination) -> None:
    host.add_tasks(whole())
    for name in ("t-security", "t-development", "t"):
        end(host, name, status="failed")
    with pytest.raises(BadInput) as refused:
        retry_task(host, "t")
    assert "`cortex-git task retry 't-*'`" in (refused.value.hint or "")
    assert sorted(retry_tasks(host, to_retry(host, ["t-*"]))) == ["t-development", "t-security"]
    assert retry_task(host, "t").after == ("t-security-r1", "t-development-r1")


def test_the_open_parts_of_a_retry_are_cancelled_with_it(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-development")
    for name in ("t-security", "t"):
        end(host, name, status="failed")
    retry_task(host, "t-security")
    assert retry_task(host, "t").task == "t-r1"
    assert to_cancel(host, ["t-r1"]) == ["t-r1", "t-security-r1"]
    cancel_tasks(host, to_cancel(host, ["t-r1"]))
    assert {statuses(host)[name] for name in ("t-r1", "t-security-r1")} == {"cancelled"}


def test_sync_says_why_nothing_came_of_a_merge_task(host: Coordination) -> None:
    host.add_tasks(whole())
    for name in ("t-security", "t-development"):
        end(host, name, status="failed", error="no luck")
    done = cortex("sync", cwd=host.repository.folder)
    assert "t failed: nothing to merge: t-development (failed: no luck)" in done.stderr, done.stderr
    assert "merged" not in done.stderr


def test_waiting_tasks_can_be_listed_and_cancelled(host: Coordination) -> None:
    host.add_tasks([trial("a"), trial("b", "a")])
    listed = cortex("task", "list", "--status", "waiting", cwd=host.repository.folder)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["task", "b"]
    cancel_tasks(host, to_cancel(host, ["b"]))
    assert statuses(host) == {"a": "open", "b": "cancelled"}
