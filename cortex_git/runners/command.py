"""The `command` runner: any program of this host's own list, the task on its stdin and in its environment.

Owns how a program is started and its answer read. A task names an entry of the host's list; it can
never bring a command of its own, because whoever can push can write tasks.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from cortex_git.config import CommandEntry, load_host_settings
from cortex_git.runners import RunContext, RunOutcome

MOST_OUTPUT = 256 * 1024
"""Bytes of a program's output kept in the result."""

MOST_DEPTH = 100
"""Levels of an answer that is kept as JSON: a result can be written and read again at 200, not at 900."""


def preload() -> None:
    """Nothing to import."""


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Run the program that the task's `context.command` names; its answer is JSON or plain text.

    Exit status 0 completes the task. Another fails the attempt, and it may be tried again.
    """
    name = task.get("context", {}).get("command")
    entries = load_host_settings().commands
    if not isinstance(name, str) or name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        return RunOutcome("failed", error=f"no command {name!r} in this host's list (it has: {known})")
    entry = entries[name]
    with tempfile.TemporaryDirectory(prefix="cortex-task-") as scratch, tempfile.TemporaryFile() as out:
        try:
            done = subprocess.run(
                entry.argv,
                input=json.dumps(task).encode(),
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=entry.folder or scratch,
                env=_environment(entry, task, context),
                check=False,
            )
        except OSError as error:
            return RunOutcome("failed", error=f"{entry.argv[0]}: {error.strerror}")
        size = out.tell()
        out.seek(max(0, size - MOST_OUTPUT))
        answer = out.read().decode("utf-8", "replace")
    if done.returncode:
        lines = answer.strip().splitlines()
        reason = f"{name} ended with status {done.returncode}" + (f": {lines[-1][:500]}" if lines else "")
        return RunOutcome("failed", {"text": answer}, reason, retry=True)
    return _outcome(answer)


def _environment(entry: CommandEntry, task: Mapping[str, Any], context: RunContext) -> dict[str, str]:
    own = {
        "CORTEX_TASK": str(task["task"]),
        "CORTEX_BATCH": str(task["batch"]),
        "CORTEX_TITLE": str(task["title"]).replace("\0", ""),
        "CORTEX_TYPE": str(task["type"]),
        "CORTEX_REPO": str(task.get("repo") or "").replace("\0", ""),
        "CORTEX_SCOPE": str(task.get("scope") or "").replace("\0", ""),
        "CORTEX_WORKER": context.worker,
        "CORTEX_ATTEMPT": str(context.attempt),
        "CORTEX_BUDGET": str(context.budget),
        "CORTEX_DEADLINE_S": f"{context.deadline_s:g}",
    }
    return {**os.environ, **entry.environment, **own}


def _outcome(answer: str) -> RunOutcome:
    try:
        value = json.loads(answer, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return RunOutcome("completed", {"text": answer})
    if _deeper_than(MOST_DEPTH, value):
        return RunOutcome("completed", {"text": answer})
    if not isinstance(value, dict):
        return RunOutcome("completed", {"value": value})
    tokens = value.get("tokens_used", 0)
    used = tokens if type(tokens) is int and tokens >= 0 else 0
    return RunOutcome("completed", value, tokens_used=used)


def _deeper_than(levels: int, value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper_than(levels - 1, item) for item in inner)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
