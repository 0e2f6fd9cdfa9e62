"""The line of open tasks: priority first, then an age bonus, so that nothing starves."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from gitworld import add_tasks

from cortex_git.models import PRIORITIES, Task
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import open_tasks
from cortex_git.store.tasks import new_batch


def before(minutes: float) -> str:
    """So many minutes ago, as tasks write it."""
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def names(coordination: Coordination, limit: int = 1000) -> list[str]:
    coordination.pull()
    return [task.task for task in open_tasks(coordination.repository, Scope(), limit)]


def test_each_half_hour_of_waiting_is_worth_one_priority(coordination: Coordination) -> None:
    levels: dict[str, int] = {}
    tasks = []
    for priority, halves in product(PRIORITIES, range(6)):
        name = f"{priority}-{halves}"
        levels[name] = PRIORITIES[priority] - halves
        created = before(30 * halves + 15)
        tasks.append(Task(task=name, batch="b", title="t", priority=priority, created_at=created))  # type: ignore[arg-type]
    coordination.add_batch(new_batch("b", len(tasks), coordination.repository.host), tasks)
    line = names(coordination)
    assert sorted(line) == sorted(levels)
    assert [levels[name] for name in line] == sorted(levels.values())


def test_no_stream_of_urgent_tasks_holds_up_an_old_one(coordination: Coordination) -> None:
    add_tasks(coordination, 1, "old", priority="low", created_at=before(30 * 4 + 1))
    add_tasks(coordination, 20, "new", priority="critical")
    assert names(coordination, limit=1) == ["old-t000"]


@pytest.mark.parametrize(
    "created_at",
    ["", "yesterday", before(-2 * 24 * 60), "9999-12-31T23:59:59Z"],
    ids=["none", "no date", "in two days", "the last day"],
)
def test_a_task_without_a_usable_date_cannot_be_held_up(created_at: str, coordination: Coordination) -> None:
    """Its age would never grow beyond that of those that come after it."""
    add_tasks(coordination, 1, "undated", priority="low", created_at=created_at)
    add_tasks(coordination, 5, "old", priority="critical", created_at=before(60 * 24 * 30))
    assert names(coordination, limit=1) == ["undated-t000"]


def test_a_clock_that_is_a_little_ahead_changes_little(coordination: Coordination) -> None:
    add_tasks(coordination, 1, "ahead", priority="high", created_at=before(-1))
    add_tasks(coordination, 1, "right", priority="medium")
    assert names(coordination) == ["ahead-t000", "right-t000"]
