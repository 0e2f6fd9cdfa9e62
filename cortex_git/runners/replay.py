"""The `replay` runner: an agent whose model's answers are a recording's, for demos and tests.

Owns which recording. It is named on this host only (`--runner replay=FILE`, or `CORTEX_REPLAY`), never by a
task. Tools, budget and branch are real; nothing is sent to any provider.
"""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.runners import RunContext, RunOutcome

VARIABLE = "CORTEX_REPLAY"


def preload() -> None:
    """Import what an attempt needs."""
    for name in ("cortex_git.llm.recording", "cortex_git.runners.agent.attempt"):
        import_module(name)


def recording(given: str) -> Path:
    """The recording that is meant. Raises BadInput where none is named, or it is not there."""
    name = given or os.environ.get(VARIABLE, "")
    if not name:
        raise BadInput("replay needs a recording", f"use --runner replay=FILE, or set {VARIABLE}")
    path = Path(name).expanduser()
    if not path.is_file():
        raise BadInput(f"there is no recording {path}", "make one with CORTEX_RECORD=FILE")
    return path.resolve()


def ready(given: str = "") -> None:
    """Raises BadInput where there is no recording, or it cannot be read."""
    from cortex_git.llm.recording import replies

    replies(recording(given))


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Carry out the task with the recorded answers. Raises BadInput."""
    from cortex_git.llm.recording import Replay
    from cortex_git.runners.agent import attempt

    return attempt.run(Replay(recording(str(context.options.get("replay", "")))), task, context)
