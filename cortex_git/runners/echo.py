"""The `echo` runner: answers with the task itself, for trials and measurements."""

from collections.abc import Mapping
from typing import Any

from cortex_git.runners import RunContext, RunOutcome


def preload() -> None:
    """Nothing to import."""


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Answer at once with the task's title and context."""
    return RunOutcome("completed", {"title": task["title"], "context": task.get("context", {})})
