"""The `command` runner: what a program gets, and how its answer is read."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cortex_git.config import config_folder
from cortex_git.runners import RunContext, RunOutcome
from cortex_git.runners.command import MOST_OUTPUT, reported_tokens, run

CONTEXT = RunContext("worker-fix-001", 2, 90.0, 1234)
TASK = {
    "task": "t", "batch": "b", "title": "two\nlines", "type": "fix-worker", "repo": None, "scope": "src",
    "context": {"command": "x"},
}  # fmt: skip


def listed(*argv: str, **entry: Any) -> None:
    folder = config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"argv = {json.dumps(argv)}", *(f"{key} = {value}" for key, value in entry.items())]
    (folder / "config.toml").write_text("[commands.x]\n" + "\n".join(lines))


def python(code: str, **entry: Any) -> RunOutcome:
    listed(sys.executable, "-c", code, **entry)
    return run(TASK, CONTEXT)


def test_the_task_is_on_stdin_and_in_the_environment() -> None:
    code = "import json, os, sys; print(json.dumps({'task': json.load(sys.stdin), 'env': dict(os.environ)}))"
    outcome = python(code, environment='{ OWN = "1", CORTEX_TASK = "forged" }')
    assert outcome.output["task"] == TASK
    env = outcome.output["env"]
    expected = {
        "OWN": "1", "CORTEX_TASK": "t", "CORTEX_BATCH": "b", "CORTEX_TITLE": "two\nlines",
        "CORTEX_TYPE": "fix-worker", "CORTEX_REPO": "", "CORTEX_SCOPE": "src",
        "CORTEX_WORKER": "worker-fix-001", "CORTEX_ATTEMPT": "2", "CORTEX_BUDGET": "1234",
        "CORTEX_DEADLINE_S": "90",
    }  # fmt: skip
    assert {key: env[key] for key in expected} == expected


def test_it_works_in_an_empty_folder_that_is_gone_afterwards() -> None:
    outcome = python("import json, os; print(json.dumps({'in': os.getcwd(), 'has': os.listdir()}))")
    assert outcome.output["has"] == []
    assert not Path(outcome.output["in"]).exists()


def test_or_in_a_folder_of_its_own(tmp_path: Path) -> None:
    outcome = python("import os; print(os.getcwd())", folder=json.dumps(str(tmp_path)))
    assert outcome.output["text"].strip() == str(tmp_path.resolve())


@pytest.mark.parametrize(
    ("answer", "output", "tokens"),
    [
        ("plain", {"text": "plain"}, None),
        ("", {"text": ""}, None),
        ('{"a": 1, "tokens_used": 5}', {"a": 1, "tokens_used": 5}, 5),
        ('{"tokens_used": -5}', {"tokens_used": -5}, None),
        ('{"tokens_used": "5"}', {"tokens_used": "5"}, None),
        ('{"tokens_used": true}', {"tokens_used": True}, None),
        ("[1, 2]", {"value": [1, 2]}, None),
        ("NaN", {"text": "NaN"}, None),
        ("[" * 900 + "]" * 900, {"text": "[" * 900 + "]" * 900}, None),
        ("[" * 50_000, {"text": "[" * 50_000}, None),
    ],
)
def test_the_answer(tmp_path: Path, answer: str, output: Mapping[str, Any], tokens: int | None) -> None:
    (tmp_path / "answer").write_text(answer)
    listed("cat", str(tmp_path / "answer"))
    unknown = {"usage": "not reported"} if tokens is None else {}
    assert run(TASK, CONTEXT) == RunOutcome("completed", {**output, **unknown}, tokens_used=tokens or 0)


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ('{"result": "x", "usage": {"input_tokens": 3, "output_tokens": 4}}', 7),
        ('{"usage": {"input_tokens": 1, "cache_creation_input_tokens": 20,'
         ' "cache_read_input_tokens": 300, "output_tokens": 4000}}', 4321),
        ('{"usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}}', 11),
        ('{"tokens_used": 8, "usage": {"input_tokens": 1}}', 8),
        ('{"type": "start"}\n{"type": "result", "usage": {"input_tokens": 2, "output_tokens": 2}}\n', 4),
        ('text before\n{"tokens_used": 9}', 9),
        ('{"usage": {"input_tokens": -1}}', None),
        ('{"tokens_used": 1000000000000000000000}', None),
        ('{"usage": "much"}', None),
        ("[5]", None),
    ],
)  # fmt: skip
def test_the_tokens_that_an_agent_reports(answer: str, tokens: int | None) -> None:
    assert reported_tokens(answer) == tokens


def test_a_program_that_fails_has_spent_its_tokens_too() -> None:
    outcome = python("print('{\"tokens_used\": 12}'); raise SystemExit(1)")
    assert (outcome.status, outcome.tokens_used) == ("failed", 12)


def test_only_the_end_of_a_long_answer_is_kept() -> None:
    outcome = python(f"print('a' * {MOST_OUTPUT} + 'z' * 1000, end='')")
    assert len(outcome.output["text"]) == MOST_OUTPUT
    assert outcome.output["text"].endswith("z" * 1000)


def test_a_failure_says_its_last_line_and_may_be_tried_again() -> None:
    outcome = python("import sys; print('out'); sys.exit('because')")
    assert (outcome.status, outcome.retry) == ("failed", True)
    assert outcome.error == "x ended with status 1: because"
    assert outcome.output == {"text": "out\nbecause\n"}


def test_a_program_that_ends_itself() -> None:
    outcome = python("import os; os.kill(os.getpid(), 9)")
    assert (outcome.status, outcome.error) == ("failed", "x ended with status -9")


def test_a_program_that_is_not_there() -> None:
    listed("/nonexistent/program")
    assert run(TASK, CONTEXT) == RunOutcome("failed", error="/nonexistent/program: No such file or directory")


@pytest.mark.parametrize("name", ["y", None, ["x"], "x; rm", ""])
def test_a_task_brings_no_command_of_its_own(name: Any) -> None:
    listed("true")
    outcome = run(TASK | {"context": {"command": name, "argv": ["id"]}}, CONTEXT)
    assert (outcome.status, outcome.retry) == ("failed", False)
    assert "it has: x" in (outcome.error or "")


def test_hostile_text_reaches_the_environment_as_text() -> None:
    listed("sh", "-c", 'printf %s "$CORTEX_TITLE$CORTEX_REPO"')
    outcome = run(TASK | {"title": "$(id)\0`id`", "repo": "'; id"}, CONTEXT)
    assert outcome.output == {"text": "$(id)`id`'; id", "usage": "not reported"}


def test_a_program_that_does_not_read_its_input() -> None:
    listed("true")
    big = TASK | {"scope": "x", "context": {"command": "x", "big": "y" * 1_000_000}}
    assert run(big, CONTEXT).status == "completed"
    assert os.environ.get("CORTEX_TASK") is None
