"""`results list` and `results show`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMIT, Command
from gitworld import add_tasks, claim_all, git, result_for

from cortex_git.store.coordination import Coordination

HOSTILE = {"text": "two\nlines \x1b[2J", "list": [1, None], "nested": {"a": "\u202e"}}


@pytest.fixture
def finished(coordinated: Path) -> Coordination:
    """Two batches with a result for each task, of which one failed."""
    host = Coordination.open(coordinated)
    for batch in ("b1", "b2"):
        add_tasks(host, 2, batch)
        outcomes = []
        for claim in claim_all(host, batch=batch):
            bad = claim.task.task == "b2-t001"
            fields = (
                {"status": "failed", "error": "be\ncause"} if bad else {"output": HOSTILE, "tokens_used": 3}
            )
            outcomes.append((claim, result_for(host, claim, **fields), {}))
        host.record(outcomes)
    host.flush()
    return host


def test_list(cortex: Command, finished: Coordination, conforms: Callable[[Any, str], None]) -> None:
    found = cortex("results", "list", "--format", "json").json()
    conforms(found, "results-list")
    assert sorted((row["task"], row["status"], row["tokens_used"]) for row in found["results"]) == [
        ("b1-t000", "completed", 3),
        ("b1-t001", "completed", 3),
        ("b2-t000", "completed", 3),
        ("b2-t001", "failed", 0),
    ]
    stamps = [row["completed_at"] for row in found["results"]]
    assert stamps == sorted(stamps)


def test_list_some(cortex: Command, finished: Coordination) -> None:
    def names(*arguments: str) -> list[str]:
        return [
            row["task"] for row in cortex("results", "list", "--format", "json", *arguments).json()["results"]
        ]

    assert sorted(names("--batch", "b2")) == ["b2-t000", "b2-t001"]
    assert sorted(names("--tasks", "*-t000")) == ["b1-t000", "b2-t000"]
    assert names("--batch", "nope") == []


def test_list_as_table(cortex: Command, finished: Coordination) -> None:
    lines = cortex("results", "list").out.splitlines()
    assert lines[0].split() == [
        "task", "batch", "status", "worker", "host", "attempt", "completed_at", "tokens_used",
    ]  # fmt: skip
    assert len(lines) == 5


def test_nothing_yet(cortex: Command, coordinated: Path) -> None:
    done = cortex("results", "list")
    assert (done.code, done.out, done.err) == (0, "", "no results\n")
    assert cortex("results", "list", "--format", "json").json() == {"schema": 1, "results": []}


def test_show(cortex: Command, finished: Coordination) -> None:
    shown = cortex("results", "show", "b1-t000", "--format", "json").json()["result"]
    assert shown["output"] == HOSTILE
    assert shown["host"] == finished.repository.host


def test_show_as_lines_with_control_characters_made_visible(cortex: Command, finished: Coordination) -> None:
    done = cortex("results", "show", "b1-t000")
    lines = done.out.splitlines()
    assert "status: completed" in lines
    assert "output: {" in lines
    assert '"text": "two\\nlines \\u001b[2J"' in done.out
    assert "\u202e" not in done.out
    failed = cortex("results", "show", "b2-t001").out.splitlines()
    assert failed[failed.index("error: be") + 1] == "cause"


def test_show_what_is_not_there(cortex: Command, finished: Coordination) -> None:
    assert "task list" in cortex("results", "show", "nope").error(2)
    add_tasks(finished, 1, "b3")
    assert "no result yet" in cortex("results", "show", "b3-t000").error(2)


@pytest.mark.usefixtures("finished")
def test_a_result_that_cannot_be_read_leads_to_the_doctor_and_in_no_circle(
    cortex: Command, coordinated: Path
) -> None:
    add_tasks(Coordination.open(coordinated), 1, "b3")
    git(coordinated, "pull", "-q", "origin", "main")
    path = coordinated / "coordination" / "results" / "b3" / "b3-t000.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    git(coordinated, "add", str(path))
    git(coordinated, *COMMIT, "by hand")
    git(coordinated, "push", "-q", "origin", "main")
    for command in (("results", "show"), ("task", "retry")):
        told = cortex(*command, "b3-t000").error(2)
        assert "has ended, and its result cannot be read: run `cortex-git doctor`" in told
    told = cortex("doctor", "--format", "json").json()
    assert str(path.relative_to(coordinated)) in {
        entry["where"] for entry in told["checks"] if entry["id"] == "documents"
    }
