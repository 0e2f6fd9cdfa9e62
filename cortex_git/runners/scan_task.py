"""Scan runner in the runners' protocol."""

from collections.abc import Mapping
from typing import Any

from cortex_git.runners import RunContext, RunOutcome
from cortex_git.runners.scan import preload as preload
from cortex_git.runners.scan import run as scan_row


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Scan the task's repository; a repository that cannot be read fails its own row, with no retry."""
    asked = task.get("context") or {}
    payload = {**context.options, "repo": task.get("repo"), "url": asked.get("url"), "ref": asked.get("ref")}
    row = scan_row(payload)
    if row["status"] == "failed":
        return RunOutcome("failed", row, error=row["error"])
    return RunOutcome("completed", row)
