"""What a decision becomes: one task, or a part for each expert and the task itself for what they found."""

from collections.abc import Mapping
from typing import Any

import pytest

from cortex_git.config import ExpertSettings, Settings
from cortex_git.errors import BadInput
from cortex_git.models import Task
from cortex_git.results.aggregation import Source
from cortex_git.results.aggregation.strategies import aggregate
from cortex_git.routing import Decision, Request, Scored, StrategyName
from cortex_git.routing.experts import Expert, experts_of
from cortex_git.runners import RunContext, echo
from cortex_git.services.submitting import make_tasks

LEGAL = ExpertSettings(
    worker_types=["review-worker"],
    runner="echo",
    budget=700,
    examples=["May we ship this as it is licensed?"],
)


class Said:
    """A router that was told its answers; what routing itself says is tested elsewhere."""

    experts: Mapping[str, Expert] = experts_of(Settings(experts={"legal": LEGAL}))

    def __init__(self, *scores: tuple[str, float, str], sensitive: bool = False) -> None:
        self.asked: list[Request] = []
        self._scores = scores
        self._sensitive = sensitive

    def decide_all(self, requests: list[Request]) -> list[Decision]:
        self.asked += requests
        primary, *rest = (Scored(name, score) for name, score, _ in self._scores)
        kinds = tuple(kind for _, _, kind in self._scores)
        strategy: StrategyName = "multi_expert_parallel" if rest else "single_expert"
        return [
            Decision(one.text, strategy, primary, tuple(rest), "semantic", kinds, 6, "m", self._sensitive)
            for one in requests
        ]


THREE = (
    ("security", 80.0, "fix-worker"),
    ("development", 60.0, "implementation-worker"),
    ("documentation", 60.0, "documentation-worker"),
)


def made(router: Said, **values: Any) -> list[Task]:
    return make_tasks([{"title": "Fix CVE and document the patch"} | values], "b", lambda: router)[0]


def test_one_expert_is_one_task() -> None:
    (task,) = made(Said(("inventory", 91.0, "analysis-worker")), id="t", budget=50)
    assert (task.task, task.type, task.master, task.budget) == (
        "t",
        "analysis-worker",
        "inventory-master",
        50,
    )
    assert task.context["complexity"] == 6
    assert task.routing is not None
    assert task.routing["primary"] == {"expert": "inventory", "score": 91.0}
    assert (task.after, task.strategy, task.confidence) == ((), None, None)


def test_three_experts_are_three_parts_and_the_task_itself() -> None:
    *parts, whole = made(Said(*THREE), id="t", priority="high", context={"a": 1})
    assert [part.task for part in parts] == ["t-security", "t-development", "t-documentation"]
    assert [part.type for part in parts] == [kind for _, _, kind in THREE]
    assert [part.confidence for part in parts] == [80.0, 60.0, 60.0]
    assert {(part.parent, part.priority, part.title) for part in parts} == {("t", "high", whole.title)}
    assert parts[1].context == {"a": 1, "complexity": 6, "part": "development",
                                "others": ["security", "documentation"]}  # fmt: skip
    assert (whole.task, whole.after, whole.strategy) == ("t", tuple(p.task for p in parts), "weighted")
    assert whole.is_aggregate
    assert whole.master == "security-master"


def test_a_budget_for_the_whole_is_shared_out_to_the_token() -> None:
    *parts, whole = made(Said(*THREE), budget=1001)
    assert [part.budget for part in parts] == [401, 300, 300]
    assert whole.budget is None


def test_what_a_person_says_comes_before_what_the_expert_has() -> None:
    usual = made(Said(("legal", 90.0, "review-worker")))[0]
    assert (usual.master, usual.runner, usual.budget) == ("legal-master", "echo", 700)
    said = made(Said(("legal", 90.0, "review-worker")), master="m", runner="sleep", budget=1)[0]
    assert (said.master, said.runner, said.budget) == ("m", "sleep", 1)


def test_the_parts_of_a_sensitive_task_are_sensitive() -> None:
    assert [task.sensitive for task in made(Said(*THREE, sensitive=True))] == [True] * 4


def test_the_longest_id_still_gives_parts_their_own() -> None:
    *parts, whole = made(Said(*THREE), id="x" * 100)
    assert whole.task == "x" * 100
    assert len({part.task for part in parts}) == 3
    assert all(len(part.task) == 100 for part in parts)


def test_a_type_or_no_title_leaves_the_router_alone() -> None:
    router = Said(*THREE)
    assert made(router, type="test-worker")[0].type == "test-worker"
    scan = make_tasks([{"repo": "https://h.example/x"}], "b", lambda: router)[0]
    assert [task.type for task in scan] == ["scan-worker"]
    assert router.asked == []


def test_labels_and_the_repository_are_told_to_the_router() -> None:
    router = Said(*THREE)
    made(router, labels=["docs"], repo="https://h.example/x", sensitive=True)
    assert router.asked == [Request("Fix CVE and document the patch", ("docs",), repo=True, sensitive=True)]


@pytest.mark.parametrize("labels", ["docs", [1], {"a": 1}])
def test_labels_that_are_none(labels: object) -> None:
    with pytest.raises(BadInput, match="labels"):
        made(Said(*THREE), labels=labels)


ANOTHER = ("documentation", 99.0, "documentation-worker")
GIVEN: dict[str, Any] = {
    "id": "t", "priority": "high", "context": {"a": 1}, "budget": 1001, "labels": ["x"], "deadline": 3.0,
}  # fmt: skip


@pytest.mark.parametrize("experts", [THREE, THREE[:1]], ids=["several", "one"])
@pytest.mark.parametrize("given", [GIVEN, {"id": "t"}], ids=["much", "little"])
def test_the_same_again_is_what_is_there_whatever_the_router_would_say_now(
    experts: tuple[tuple[str, float, str], ...], given: dict[str, Any]
) -> None:
    first = made(Said(*experts), **given)
    router = Said(ANOTHER)
    values = {"title": "Fix CVE and document the patch", **given}
    assert make_tasks([values], "b", lambda: router, {"t": first}.__getitem__) == [first]
    assert router.asked == []


@pytest.mark.parametrize("experts", [THREE, THREE[:1]], ids=["several", "one"])
@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another"}, {"priority": "low"}, {"context": {"a": 2}}, {"context": {}}, {"budget": 1000},
        {"runner": "echo"}, {"master": "m"}, {"deadline": None}, {"sensitive": True},
        {"scope": "src"}, {"after": ["x"]}, {"batch": "c"}, {"max_attempts": 1},
    ],
    ids=lambda change: "-".join(change) if isinstance(change, dict) else None,
)  # fmt: skip
def test_under_an_id_that_is_taken_anything_else_is_routed_for_the_store_to_refuse(
    experts: tuple[tuple[str, float, str], ...], change: dict[str, Any]
) -> None:
    first = made(Said(*experts), **GIVEN)
    router = Said(ANOTHER)
    values = {"title": "Fix CVE and document the patch", **GIVEN, **change}
    assert make_tasks([values], "b", lambda: router, {"t": first}.__getitem__) != [first]
    assert len(router.asked) == 1


def test_what_was_pushed_under_an_id_and_not_made_here_is_not_the_same() -> None:
    *parts, whole = made(Said(*THREE), **GIVEN)
    for found in ([*parts[1:], whole], [whole], [whole.model_copy(update={"routing": {}})]):
        router = Said(ANOTHER)
        values = {"title": "Fix CVE and document the patch", **GIVEN}
        make_tasks([values], "b", lambda router=router: router, {"t": found}.__getitem__)
        assert len(router.asked) == 1


@pytest.mark.parametrize("experts", [THREE, THREE[:1]], ids=["several", "one"])
def test_no_part_has_other_results_to_merge(experts: tuple[tuple[str, float, str], ...]) -> None:
    with pytest.raises(BadInput, match="the runner 'merge' does no work that is routed"):
        made(Said(*experts), runner="merge")
    made(Said(*experts), runner="merge", type="analysis-worker", after=["a"])


def test_trials_of_the_parts_of_one_task_do_not_contradict_each_other() -> None:
    *parts, _ = made(Said(*THREE), context={"a": 1})
    alone = make_tasks([{"title": "x", "type": "fix-worker", "context": {"part": "p"}}], "b", lambda: Said())
    context = RunContext("w", 1, 1.0, 0)
    said = [echo.run(task.for_runner(), context).output for task in (*parts, alone[0][0])]
    assert said[-1]["context"] == {"part": "p"}
    assert said[0]["context"] == {"a": 1, "complexity": 6}
    sources = [Source(part.task, one, "e", 50.0) for part, one in zip(parts, said, strict=False)]
    assert aggregate(sources, "weighted").contradictions == ()
