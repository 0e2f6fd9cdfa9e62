"""Flags and lines become tasks: defaults, the context's two forms, and scans of repositories."""

from pathlib import Path
from typing import Any

import pytest

from cortex_git.errors import BadInput
from cortex_git.services.submitting import make_task, parse_context


def made(**values: Any) -> Any:
    return make_task({"title": "x"} | values, "b")


def test_defaults() -> None:
    task = made()
    assert (task.batch, task.type, task.priority, task.max_attempts) == ("b", "scan-worker", "medium", 3)
    assert task.task.startswith("task-")
    assert task.created_at.endswith("Z")
    assert made().task != task.task


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("a=1", {"a": 1}),
        ("a=1,b=x y,c=", {"a": 1, "b": "x y", "c": ""}),
        (" a = true , b=null", {"a": True, "b": "null"}),
        ("a=[1]", {"a": "[1]"}),
        ("url=https://h/?q=1", {"url": "https://h/?q=1"}),
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("{}", {}),
    ],
)
def test_context(text: str | None, value: dict[str, Any] | None) -> None:
    assert parse_context(text) == value


def test_a_blank_title_is_none() -> None:
    with pytest.raises(BadInput, match="title"):
        made(title="  ")


@pytest.mark.parametrize("text", ["", ",", "a", "=1", "a=1,b", "{", "{a=1}", "[1]"])
def test_context_that_is_neither(text: str) -> None:
    with pytest.raises(BadInput, match="--context"):
        parse_context(text)


def test_a_scan_keeps_where_the_repository_is_beside_the_rest() -> None:
    task = made(title=None, repo="https://h.example/x@v1", context={"a": 1})
    assert (task.title, task.repo) == ("Scan https://h.example/x", "https://h.example/x")
    assert task.context == {"a": 1, "url": "https://h.example/x", "ref": "v1"}


def test_another_runner_gets_the_repository_as_it_was_written() -> None:
    task = made(repo="anything at all", runner="command")
    assert (task.repo, task.context) == ("anything at all", {})


def test_an_agent_keeps_where_the_repository_is_whatever_folder_it_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = made(repo="./x", type="fix-worker")
    assert task.context == {"url": str(tmp_path / "x")}


def test_only_a_scan_can_do_without_a_title() -> None:
    with pytest.raises(BadInput, match="title"):
        made(title=None, repo="./x", type="fix-worker")
