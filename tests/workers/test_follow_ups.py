"""What a result may ask for: documents of follow-up tasks, their limits, and what hostile results ask for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.config import RoutingSettings, Settings
from cortex_git.models import Result, Task
from cortex_git.routing.experts import experts_of
from cortex_git.workers.follow_ups import MOST_REFUSED, FollowUps, Origin, follow_ups, told

FIX = {"title": "Raise lodash", "type": "fix-worker"}


def origin(*wishes: Any, asks: Any = None, output: Any = None, metered: bool = True, **fields: Any) -> Origin:
    task = {"task": "t", "batch": "tasks", "title": "t", "runner": "command", "created_at": "then"}
    said = {"summary": "found it", "follow_ups": list(wishes) if asks is None else asks, **(output or {})}
    result = Result(
        task="t",
        batch="tasks",
        status="completed",
        worker="w",
        host="h",
        nonce="n" * 8,
        completed_at="2026-01-01T00:00:00Z",
        tokens_used=fields.pop("used", 0),
        output=said,
    )
    settings = Settings(routing=RoutingSettings(max_depth=3, most_follow_ups=fields.pop("most", 5)))
    parent = Task.model_validate({**task, **fields})
    return Origin(parent, result, "tasks", settings, experts_of(settings), lambda _: metered)


def made(*wishes: Any, **fields: Any) -> FollowUps:
    return follow_ups(origin(*wishes, **fields))


def reason(wish: Any, **fields: Any) -> str:
    found = made(wish, **fields)
    assert found.tasks == ()
    return found.refused[0].reason


def test_a_follow_up_is_a_child_of_the_task_that_asked() -> None:
    (task,) = made(FIX, priority="high", repo="org/a", sensitive=True, depth=1).tasks
    assert (task.task, task.parent, task.depth, task.batch) == ("t-f1", "t", 2, "tasks")
    assert (task.type, task.runner, task.priority, task.repo) == ("fix-worker", "", "high", "org/a")
    assert (task.created_at, task.sensitive) == ("2026-01-01T00:00:00Z", True)
    assert task.context == {"handed_over": "found it"}


def test_the_same_result_makes_the_same_bytes() -> None:
    one, two = made(FIX, FIX), made(FIX, FIX)
    assert [t.to_bytes() for t in one.tasks] == [t.to_bytes() for t in two.tasks]
    assert [t.task for t in one.tasks] == ["t-f1", "t-f2"]


@pytest.mark.parametrize(
    ("expert", "kind"),
    [
        ("security", "fix-worker"),
        ("development", "implementation-worker"),
        ("inventory", "analysis-worker"),
        ("documentation", "documentation-worker"),
    ],
)
def test_an_expert_works_by_its_usual_worker_type(expert: str, kind: str) -> None:
    (task,) = made({"title": "x", "expert": expert}).tasks
    assert (task.type, task.responsible) == (kind, f"{expert}-master")


def test_a_long_id_is_shortened_the_same_way_everywhere() -> None:
    (task,) = made(FIX, task="a" * 100).tasks
    assert len(task.task) == 100
    assert task.task.endswith("-f1")


def test_a_follow_up_gets_no_more_than_its_parent_left() -> None:
    assert made(FIX).tasks[0].budget == 5000
    assert made(FIX, budget=6000, used=4000).tasks[0].budget == 2000
    assert "no tokens are left" in reason(FIX, budget=6000, used=7000)
    assert made(FIX, budget=6000, used=7000, metered=False).tasks[0].budget == 0


def test_there_is_a_limit_to_hand_offs_in_a_row() -> None:
    assert made(FIX, depth=2).tasks[0].depth == 3
    assert "no more than 3 hand-offs in a row" in reason(FIX, depth=3)


def test_there_is_a_limit_for_one_result_and_what_is_wrong_does_not_count() -> None:
    found = made({"title": "no type"}, *[FIX] * 10_000)
    assert [t.task for t in found.tasks] == [f"t-f{n}" for n in range(1, 6)]
    assert len(found.refused) == 9996
    kept = told(found.refused)
    assert len(kept) == MOST_REFUSED + 1
    assert kept[-1] == {"title": "", "reason": f"{9996 - MOST_REFUSED} more are refused"}
    assert made(FIX, most=0).tasks == ()


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("fix it", "not an object"),
        (None, "not an object"),
        ({"type": "fix-worker"}, "no title"),
        (FIX | {"title": " \x00\x1b\n "}, "no title"),
        (FIX | {"title": "x" * 501}, "longer than 500"),
        (FIX | {"title": ["x"]}, "no title"),
        ({"title": "x"}, "neither an expert nor a worker type"),
        (FIX | {"type": "../../etc"}, "no worker type"),
        (FIX | {"type": ["fix-worker"]}, "no worker type"),
        ({"title": "x", "expert": "pope"}, "no expert"),
        ({"title": "x", "expert": {}}, "no expert"),
        (FIX | {"expert": "documentation"}, "does not work for"),
        (FIX | {"priority": "now"}, "priority"),
        (FIX | {"runner": "scan"}, "no runner but its parent's own"),
        (FIX | {"runner": ["command"]}, "no runner but its parent's own"),
        (FIX | {"context": {"command": "other"}}, "may not choose 'command'"),
        (FIX | {"context": {"url": "https://a.example/b"}}, "may not choose 'url'"),
        (FIX | {"context": "x"}, "not an object"),
        (FIX | {"context": {"x": float("nan")}}, "not plain JSON"),
        (FIX | {"context": {"x": "y" * 20_000}}, "longer than"),
        (FIX | {"scope": 5}, "not a text"),
        (FIX | {"scope": "x" * 30_000}, "not a text"),
        (FIX | {"repo": "/etc"}, "by a URL"),
        (FIX | {"repo": "other/repo"}, "by a URL"),
        (FIX | {"repo": "ext::sh -c id"}, "cannot be used"),
        (FIX | {"repo": 5}, "cannot be used"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_left_out_with_a_reason(wish: Any, why: str) -> None:
    assert why in reason(wish)
    good = made(wish, FIX, context={"command": "mine"})
    assert [task.task for task in good.tasks] == ["t-f1"]
    assert all(len(one["title"]) <= 80 and len(one["reason"]) < 300 for one in told(good.refused))


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"x": value}
    return value


@pytest.mark.parametrize("levels", [9, 100, 900, 100_000])
def test_a_nested_context_is_refused(levels: int) -> None:
    assert "levels" in reason(FIX | {"context": nested(levels)})


@pytest.mark.parametrize("asks", [{"title": "x"}, "fix", 5, True])
def test_what_is_no_list_asks_for_nothing(asks: Any) -> None:
    found = follow_ups(origin(asks=asks))
    assert (found.tasks, found.refused[0].reason) == ((), "follow_ups is not a list")


def test_ids_depths_budgets_and_parents_are_never_taken_from_a_result() -> None:
    wish = FIX | {"task": "../x", "id": "x", "batch": "y", "depth": 0, "parent": "z", "budget": 10**9}
    wish |= {"after": ["q"], "retry_of": "q", "max_attempts": 100, "strategy": "vote", "created_at": "never"}
    assert made(wish).tasks == made(FIX).tasks


def test_only_the_parents_own_program_is_handed_on() -> None:
    own = {"command": "mine", "seconds": 1}
    (task,) = made(FIX | {"runner": "command", "context": {"command": "mine"}}, context=own).tasks
    assert (task.runner, task.context["command"]) == ("command", "mine")
    (task,) = made(FIX | {"runner": "command"}, context=own).tasks
    assert task.context == {"command": "mine", "handed_over": "found it"}
    (task,) = made(FIX | {"runner": "command"}).tasks
    assert "command" not in task.context


def test_the_branch_of_the_work_goes_with_its_repository() -> None:
    place = {"repo": "org/a", "context": {"url": "https://git.example/org/a", "ref": "v1"}}
    (task,) = made(FIX, output={"branch": "cortex/t/1"}, **place).tasks
    assert task.context == {
        "url": "https://git.example/org/a",
        "ref": "cortex/t/1",
        "handed_over": "found it",
    }
    (task,) = made(FIX, output={"branch": "--upload-pack=x"}, **place).tasks
    assert task.context["ref"] == "v1"
    (task,) = made(FIX | {"repo": "https://git.example/b"}, output={"branch": "x"}, **place).tasks
    assert (task.repo, "ref" in task.context) == ("https://git.example/b", False)
    assert "secret" not in reason(FIX | {"repo": "https://u:secret@git.example/b"}, **place)


def test_titles_are_one_line_and_whole() -> None:
    (task,) = made(FIX | {"title": " a\x1b[31m\n b\ud800\u2028c "}).tasks
    assert task.title == "a [31m b? c"


def test_a_summary_is_handed_over_cut() -> None:
    (task,) = made(FIX, output={"summary": "s" * 5000}).tasks
    assert len(task.context["handed_over"]) == 2000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["title", "type", "expert", "context", "priority", "repo", "scope", "runner"])


@given(st.lists(JSON | st.dictionaries(KEYS, JSON | st.just("fix-worker"), max_size=8), max_size=8))
def test_no_result_makes_it_fail_and_every_wish_is_accounted_for(wishes: list[Any]) -> None:
    found = made(*wishes)
    assert len(found.tasks) + len(found.refused) == len(wishes)
    for task in found.tasks:
        assert Task.parse(task.to_bytes(), "here") == task
        assert (task.parent, task.depth) == ("t", 1)
