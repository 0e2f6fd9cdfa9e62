"""What `task add` refuses of tasks that come after others."""

import json
from pathlib import Path

import pytest
from gitworld import claim_all, cortex, finish, new_coordination

from cortex_git.errors import BadInput
from cortex_git.models import Task
from cortex_git.services.ordering import check_order, waiting_note
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


@pytest.fixture
def alone(tmp_path: Path) -> Coordination:
    new_coordination(tmp_path / "alone")
    return Coordination.open(tmp_path / "alone")


def tasks(**after: tuple[str, ...]) -> list[Task]:
    return [
        Task(task=name, batch="b1", title=name, runner="echo", after=needs) for name, needs in after.items()
    ]


def test_tasks_added_together_may_name_each_other_in_any_order(alone: Coordination) -> None:
    check_order(alone, tasks(d=("b", "c"), c=("a",), b=("a",), a=()))


def test_a_task_may_come_after_one_that_exists(alone: Coordination) -> None:
    alone.add_tasks(tasks(a=()))
    check_order(alone, tasks(b=("a",)))


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"a": ("a",)}, "a after a"),
        ({"a": ("b",), "b": ("a",)}, "a after b after a"),
        ({"x": ("a",), "a": ("b",), "b": ("c",), "c": ("a",)}, "a after b after c after a"),
        ({"a": ("nowhere",)}, "'nowhere', which nobody has added"),
    ],
    ids=["itself", "each other", "three of four", "not known"],
)
def test_what_could_never_be_claimed_is_refused(
    after: dict[str, tuple[str, ...]], said: str, alone: Coordination
) -> None:
    with pytest.raises(BadInput, match=said):
        check_order(alone, tasks(**after))


def test_a_circle_through_tasks_that_exist_is_refused(alone: Coordination) -> None:
    """Somebody pushed one that waits for a task which was not there."""
    alone.add_tasks(tasks(old=("new",)))
    with pytest.raises(BadInput, match="new after old after new"):
        check_order(alone, tasks(new=("old",)))


def test_a_chain_of_thousands_is_checked_without_recursion(alone: Coordination) -> None:
    chain = {f"t{n}": (f"t{n + 1}",) if n < 5000 else () for n in range(5001)}
    check_order(alone, tasks(**chain))
    with pytest.raises(BadInput, match=r"t0 after t1 after t2 after \.\.\. after"):
        check_order(alone, tasks(**chain | {"t5000": ("t0",)}))


def test_the_note_names_what_waits_for_what(alone: Coordination) -> None:
    alone.add_tasks(tasks(a=(), b=("a",), c=("a", "b")))
    note = waiting_note(alone, Scope())
    assert note is not None
    assert note.startswith("2 tasks wait for others that nobody runs now: b for a; c for a, b (")
    assert waiting_note(alone, Scope(glob="a")) is None
    for _ in "abc":
        finish(alone, claim_all(alone))
    assert waiting_note(alone, Scope()) is None


def test_the_note_begins_with_what_is_to_be_run_by_others(alone: Coordination) -> None:
    """Though nine wait for each other, and only the last of them for what is not in the scope."""
    chain = {f"a{n}": (f"a{n + 1}",) for n in range(8)}
    alone.add_tasks(tasks(z=(), y=(), x=(), w=(), **chain, a8=("w", "x", "y", "z")))
    note = waiting_note(alone, Scope(glob="a*"))
    assert note is not None
    assert "9 tasks wait for others that nobody runs now: a8 for w, x, y and 1 more; a0 for a1; " in note


def test_tasks_that_come_after_others_are_added_by_hand_and_from_a_file(alone: Coordination) -> None:
    folder = alone.repository.folder
    lines = [
        {"id": "last", "title": "last", "type": "review-worker", "after": ["first", "first"]},
        {"id": "first", "title": "first", "type": "review-worker"},
    ]
    (folder / "tasks.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = cortex("task", "add", "--file", "tasks.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    add = ("task", "add", "--title", "t", "-t", "review-worker", "--id")
    assert cortex(*add, "more", "--after", "last", "--after", "first", cwd=folder).returncode == 0
    refused = cortex(*add, "lost", "--after", "nowhere", "--dry-run", cwd=folder)
    assert (refused.returncode, "nowhere" in refused.stderr) == (2, True)
    alone.pull()
    shown = json.loads(cortex("task", "show", "last", "--format", "json", cwd=folder).stdout)
    assert shown["task"]["after"] == ["first"]
    assert [claim.task.task for claim in claim_all(alone, batch="tasks")] == ["first"]


@pytest.mark.parametrize("after", ['"a"', "[1]", '["UP"]', "{}"])
def test_after_is_a_list_of_ids(after: str, alone: Coordination) -> None:
    folder = alone.repository.folder
    (folder / "tasks.jsonl").write_text(f'{{"title": "t", "type": "fix-worker", "after": {after}}}')
    from cortex_git.services.submitting import read_tasks

    with pytest.raises(BadInput, match=r"tasks\.jsonl:1: after"):
        read_tasks(str(folder / "tasks.jsonl"), "tasks", lambda: pytest.fail("nothing is routed"))
