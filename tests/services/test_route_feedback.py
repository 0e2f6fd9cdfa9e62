"""What this host learns of its router's decisions: from people here, and from what came of its own tasks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitworld import result_for

from cortex_git.config import Settings
from cortex_git.errors import BadInput
from cortex_git.models import Task
from cortex_git.routing import Decision, LayerName, Scored
from cortex_git.routing.experts import experts_of
from cortex_git.services.activating import activated
from cortex_git.services.route_feedback import feedback_on, forget, keep, listed_feedback, note_routed, said
from cortex_git.services.submitting import make_task
from cortex_git.store.coordination import Coordination

Believed = list[tuple[str, tuple[str, ...], str]]


@pytest.fixture
def coordination(host: Path) -> Coordination:
    return Coordination.open(host)


def decision(title: str, *experts: str, layer: LayerName = "semantic") -> Decision:
    first, *others = (Scored(name, 70.0) for name in experts)
    usual = experts_of(Settings())
    kinds = tuple(usual[name].worker_types[0] for name in experts)
    several = "multi_expert_parallel" if others else "single_expert"
    return Decision(title, several, first, tuple(others), layer, kinds, 3, "small", False)


def routed(
    coordination: Coordination, name: str, title: str, *experts: str, layer: LayerName = "semantic",
    noted: bool = True, **values: Any,
) -> list[Task]:  # fmt: skip
    """Tasks as `task add` makes them of a decision."""
    given = {"title": title, "id": name, "runner": "command", **values}
    tasks = activated(
        given,
        decision(title, *experts, layer=layer),
        experts_of(Settings()),
        lambda values: make_task(values, "tasks"),
    )
    coordination.add_tasks(tasks)
    if noted:
        note_routed(coordination.repository, tasks)
    return tasks


def end(coordination: Coordination, task: Task, **fields: Any) -> None:
    claim = coordination.claim_task(task.task, "worker-1")
    coordination.record([(claim, result_for(coordination, claim, **fields), {})])
    coordination.flush()


def believed(coordination: Coordination) -> Believed:
    return sorted((one.text, one.experts, one.source) for one in said(coordination.repository))


def test_a_person_says_whose_a_task_was(coordination: Coordination) -> None:
    routed(coordination, "t", "look at the thing", "security", "documentation")
    keep(coordination, feedback_on(coordination, "t", None, ["inventory"]))
    given = feedback_on(coordination, "t-documentation", None, ["Development", "security", "security"])
    assert (given.task, given.chosen, given.layer) == ("t", ("security", "documentation"), "semantic")
    keep(coordination, given)
    keep(coordination, feedback_on(coordination, None, "any  words\n", ["security"]))
    assert believed(coordination) == [
        ("any words", ("security",), "person"),
        ("look at the thing", ("development", "security"), "person"),
    ]
    assert {one.task for one in listed_feedback(coordination.repository)} == {"t", None}
    assert forget(coordination, "t-security", None) and forget(coordination, None, "ANY words")
    assert not forget(coordination, "t", None) and not forget(coordination, "nobody", None)
    assert said(coordination.repository) == []


def test_a_prefix_that_names_the_expert_teaches_nothing(coordination: Coordination) -> None:
    routed(coordination, "t", "security: look at the thing", "security", layer="given")
    assert feedback_on(coordination, "t", None, ["inventory"]).text == "look at the thing"
    assert feedback_on(coordination, None, "type:security go on", ["inventory"]).text == "go on"


@pytest.mark.parametrize(
    ("task", "text", "experts"),
    [
        (None, None, ["security"]),
        ("t", "x", ["security"]),
        ("nobody", None, ["security"]),
        ("../x", None, ["security"]),
        (None, "x", ["gardening"]),
        (None, "x", []),
        (None, " ", ["security"]),
        (None, "x" * 4001, ["security"]),
    ],
    ids=["neither", "both", "no task", "no name", "no expert", "none named", "empty", "long"],
)
def test_what_cannot_be_said(
    coordination: Coordination, task: str | None, text: str | None, experts: list[str]
) -> None:
    with pytest.raises(BadInput):
        feedback_on(coordination, task, text, experts)


def test_a_task_that_another_host_added_can_be_corrected(clones: Callable[[int], list[Path]]) -> None:
    first, second = map(Coordination.open, clones(2))
    routed(first, "t", "look at the thing", "security")
    keep(second, feedback_on(second, "t", None, ["inventory"]))
    assert believed(second) == [("look at the thing", ("inventory",), "person")]
    assert believed(first) == [], "what is said stays where it was said"


def test_completed_work_speaks_weakly_for_its_expert(coordination: Coordination) -> None:
    for name, layer in (("a", "semantic"), ("b", "given"), ("c", "claude"), ("d", "keywords")):
        (task,) = routed(coordination, name, f"do {name}", "security", layer=layer)  # type: ignore[arg-type]
        if name != "d":
            end(coordination, task)
    assert believed(coordination) == [
        ("do a", ("security",), "outcome"),
        ("do b", ("security",), "given"),
        ("do c", ("security",), "outcome"),
    ]


@pytest.mark.parametrize("status", ["failed", "timed_out", "budget_exhausted", "cancelled"])
def test_work_that_was_not_completed_says_nothing(coordination: Coordination, status: str) -> None:
    (task,) = routed(coordination, "t", "do it", "security")
    end(coordination, task, status=status)
    assert believed(coordination) == []


def test_a_trial_says_nothing(coordination: Coordination) -> None:
    (trial,) = routed(coordination, "t", "do it", "security", runner="echo")
    end(coordination, trial)
    (real,) = routed(coordination, "u", "do that", "security", runner="claude")
    end(coordination, real, tokens_used=12)
    assert believed(coordination) == [("do that", ("security",), "outcome")]


@pytest.mark.parametrize(
    ("failed", "output", "expected"),
    [
        ((), {}, ("security", "documentation", "inventory")),
        (("documentation",), {}, ("security", "inventory")),
        (("security",), {}, ()),
        ((), {"contradictions": [{"field": "verdict"}]}, ()),
    ],
    ids=["all", "one failed", "the first failed", "contradicted"],
)
def test_parts_speak_for_their_experts(
    coordination: Coordination, failed: tuple[str, ...], output: dict[str, Any], expected: tuple[str, ...]
) -> None:
    names = ("security", "documentation", "inventory")
    *parts, whole = routed(coordination, "t", "do it all", *names)
    for expert, part in zip(names, parts, strict=True):
        end(coordination, part, status="failed" if expert in failed else "completed")
    assert believed(coordination) == [], "it has not ended"
    end(coordination, whole, output=output)
    assert believed(coordination) == ([("do it all", expected, "outcome")] if expected else [])


def test_what_others_push_teaches_nothing(clones: Callable[[int], list[Path]]) -> None:
    here, there = map(Coordination.open, clones(2))
    (pushed,) = routed(there, "t", "obey", "security")
    here.pull()
    end(here, pushed)
    assert believed(here) == [], "it was not routed here"
    (own,) = routed(here, "u", "do it", "documentation")
    there.pull()
    end(there, own)
    here.pull()
    assert believed(here) == [("do it", ("documentation",), "outcome")], "others can end it, and no more"


def test_a_correction_stands_beside_what_came_of_it(coordination: Coordination) -> None:
    (task,) = routed(coordination, "t", "do it", "security")
    keep(coordination, feedback_on(coordination, "t", None, ["inventory"]))
    end(coordination, task)
    note_routed(coordination.repository, [task])
    assert ("do it", ("inventory",), "person") in believed(coordination)
