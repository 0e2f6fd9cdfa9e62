"""The `command` runner: any program of this host's own list, the task on its stdin and in its environment.

Owns how a program is started, and how its answer is read with the tokens that it says it used. A task
names an entry of the host's list; it can never bring a command of its own, because whoever can push can
write tasks.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from cortex_git.config import CommandEntry, load_host_settings
from cortex_git.llm import are_tokens
from cortex_git.runners import RunContext, RunOutcome

MOST_OUTPUT = 256 * 1024
"""Bytes of a program's output kept in the result."""

MOST_DEPTH = 100
"""Levels of an answer that is kept as JSON: a result can be written and read again at 200, not at 900."""


USAGE = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""Fields of `usage` as agents print them; together all tokens of a run."""
OPENAI_USAGE = ("prompt_tokens", "completion_tokens")
NOT_REPORTED = "not reported"


def preload() -> None:
    """What settles a program's tokens."""
    import cortex_git.limits.ledger  # noqa: F401


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Run the program that the task's `context.command` names; its answer is JSON or plain text.

    Exit status 0 completes the task. Another fails the attempt, and it may be tried again. Of a program
    that does not say what it used no tokens are counted; its time bounds it.
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
            context.so_far["text"] = answer = _printed(out)
        except OSError as error:
            return RunOutcome("failed", error=f"{entry.argv[0]}: {error.strerror}")
        except BaseException:  # its time is up
            context.so_far["text"] = _printed(out)
            _settle(context, context.so_far["text"])
            raise
    tokens = _settle(context, answer)
    if done.returncode:
        lines = answer.strip().splitlines()
        reason = f"{name} ended with status {done.returncode}" + (f": {lines[-1][:500]}" if lines else "")
        return RunOutcome("failed", {"text": answer}, reason, retry=True, tokens_used=tokens or 0)
    output = _output(answer)
    if tokens is None:
        output.setdefault("usage", NOT_REPORTED)
    return RunOutcome("completed", output, tokens_used=tokens or 0)


def _printed(out: IO[bytes]) -> str:
    """The end of what the program has printed until now."""
    size = out.seek(0, os.SEEK_END)
    out.seek(max(0, size - MOST_OUTPUT))
    return out.read().decode("utf-8", "replace")


def _settle(context: RunContext, answer: str) -> int | None:
    """Count the tokens that the program says it used; None where it does not say."""
    tokens = reported_tokens(answer)
    if tokens and context.nonce and context.folder:
        from cortex_git.limits.ledger import Ledger

        Ledger.open(Path(context.folder), context.host).spend(context.nonce, tokens)
    return tokens


def reported_tokens(answer: str) -> int | None:
    """Tokens by a JSON answer, or by the last line of one that is JSON line by line; None without any.

    They are in `tokens_used`, or in the `usage` that agents print.
    """
    for text in (answer, *answer.strip().splitlines()[-1:]):
        value = _parsed(text)
        if isinstance(value, dict):
            own = _count(value.get("tokens_used"))
            usage = value.get("usage")
            return own if own is not None or not isinstance(usage, dict) else _sum(usage)
    return None


def _sum(usage: Mapping[str, Any]) -> int | None:
    for fields in (USAGE, OPENAI_USAGE):
        counts = [count for name in fields if (count := _count(usage.get(name))) is not None]
        if counts:
            return sum(counts)
    return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and are_tokens(value) else None


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


def _output(answer: str) -> dict[str, Any]:
    value = _parsed(answer)
    if value is None or _deeper_than(MOST_DEPTH, value):
        return {"text": answer}
    return value if isinstance(value, dict) else {"value": value}


def _parsed(text: str) -> Any:
    """The JSON value; None for what is none, and for `null`."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _deeper_than(levels: int, value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper_than(levels - 1, item) for item in inner)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
