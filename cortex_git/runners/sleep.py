"""The `sleep` runner: takes `context.seconds` and does nothing, for trials and measurements."""

import time
from collections.abc import Mapping
from typing import Any

from cortex_git.runners import RunContext, RunOutcome

DEFAULT_S = 1.0


def preload() -> None:
    """Nothing to import."""


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Sleep for `context.seconds` of the task (1 when unset)."""
    try:
        seconds = float(task.get("context", {}).get("seconds", DEFAULT_S))
    except (TypeError, ValueError):
        return RunOutcome("failed", error="context.seconds is not a number")
    if not 0 <= seconds <= 86_400:
        return RunOutcome("failed", error="context.seconds is not between 0 and 86400")
    time.sleep(seconds)
    return RunOutcome("completed", {"slept_s": seconds})
