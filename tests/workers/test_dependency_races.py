"""Tasks that come after others, on several hosts at once and with one killed: in order, and each once."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import assert_sound, git, result_commits, results_on, start_cortex
from poolworld import until

from cortex_git.models import Task
from cortex_git.state import now
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

pytestmark = pytest.mark.race


def diamonds(count: int) -> dict[str, tuple[str, ...]]:
    """So many times A → B, C → D, by task what it comes after; named against their order."""
    after: dict[str, tuple[str, ...]] = {}
    for n in range(count):
        root, left, right, last = (f"{letter}{n}" for letter in "zyxa")
        after |= {root: (), left: (root,), right: (root,), last: (left, right)}
    return after


def assert_in_order(log: str, after: dict[str, tuple[str, ...]]) -> None:
    """No task began before all that it comes after had ended, whoever ran it and however often."""
    ended: set[str] = set()
    for what, task in re.findall(r"(begin|end) (\w+)", log):
        if what == "begin":
            assert ended.issuperset(after[task]), f"{task} began too early:\n{log}"
        else:
            ended.add(task)


def test_three_hosts_of_which_one_is_killed_run_diamonds_in_order_and_each_task_once(
    clones: Callable[[int], list[Path]],
    bare: Path,
    tmp_path: Path,
    commands: Callable[..., None],
) -> None:
    log = tmp_path / "log"
    log.touch()
    commands(mark=f"echo begin $CORTEX_TASK >> {log}; sleep 0.2; echo end $CORTEX_TASK >> {log}")
    folders = clones(3)
    after = diamonds(3)
    host = Coordination.open(folders[0])
    host.add_tasks(
        [
            Task(
                task=task, batch="open", title=task, runner="command", context={"command": "mark"},
                after=needs, created_at=now(), max_attempts=9,
            )
            for task, needs in after.items()
        ]
    )  # fmt: skip
    hosts = [start_cortex("spawn-workers", "--batch", "open", "--count", "2", cwd=one) for one in folders]
    until(lambda: "end" in log.read_text())
    hosts[0].kill()
    hosts[0].communicate()
    for process in hosts[1:]:
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
    assert_in_order(log.read_text(), after)
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == len(after)
    assert sorted(results_on(bare, "main")) == sorted(after)
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(bare)
    last = Coordination.open(folders[2])
    last.pull()
    found = {result.task: result for result in last.results(Scope())}
    assert {result.status for result in found.values()} == {"completed"}
    for task, needs in after.items():
        assert all(found[one].completed_at <= found[task].started_at for one in needs)
