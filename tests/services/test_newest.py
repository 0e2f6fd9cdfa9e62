"""Lists of the newest are the end of the whole lists, and are read without them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, finish

from cortex_git.services.looking import result_rows, task_rows
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


@pytest.mark.parametrize(
    "scope",
    [Scope(), Scope(batch="b1"), Scope(glob="b2-*"), Scope(batch="none")],
    ids=["all", "b1", "b2", "none"],
)
def test_the_newest_are_the_end_of_all(clones: Callable[[int], list[Path]], scope: Scope) -> None:
    here, other = map(Coordination.open, clones(2))
    for number in (1, 2):
        add_tasks(here, 5, f"b{number}")
        finish(here, claim_all(here, 2, f"b{number}"))
        finish(other, claim_all(other, 1, f"b{number}"))
    tasks, results = task_rows(here, scope), result_rows(here, scope)
    assert len({row["task"] for row in tasks}) == len(tasks) and len(results) <= len(tasks)
    for newest in (1, 3, 100):
        assert task_rows(here, scope, newest) == tasks[-newest:]
        assert result_rows(here, scope, newest) == results[-newest:]
