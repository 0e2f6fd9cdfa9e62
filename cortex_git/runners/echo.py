"""The `echo` runner: answers with the task itself, for trials and measurements."""

from collections.abc import Mapping
from typing import Any

from cortex_git.runners import RunContext, RunOutcome

_OF_THE_PART = ("part", "others")
"""What the context of a part of a task says of that part: no two of one task are equal in it."""


def preload() -> None:
    """Nothing to import."""


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Answer at once with the task's title and context, which those of the parts of one task say alike."""
    apart = _OF_THE_PART if task.get("parent") else ()
    said = {key: value for key, value in task.get("context", {}).items() if key not in apart}
    return RunOutcome("completed", {"title": task["title"], "context": said})
