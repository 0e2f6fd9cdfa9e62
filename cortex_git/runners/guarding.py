"""The last look at what an attempt brings before anybody may publish it: no secrets, no more than a size.

Owns what is withheld and how an output is shortened. Must never put a secret into the outcome that it
returns, nor raise for anything that a runner brought.
"""

import json
import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from cortex_git.errors import EnvironmentProblem
from cortex_git.locating import private_folder
from cortex_git.runners import OutcomeStatus, RunContext, RunOutcome
from cortex_git.scan.secret_detector import Secret, detector, findings

MOST_OUTPUT = 256 * 1024
"""Bytes of an output's JSON that are published."""
MOST_DEPTH = 100
"""Levels of an output; a result can be written and read again at 200, not at 900."""
MOST_ERROR = 4000
"""Characters of an error's text."""
FOLDER = "withheld"
"""Below `.git/cortex`: outputs that were not published, for the person of this host alone."""
_LONGEST_LOOKED_AT = 16 * 1024 * 1024
"""Characters of an outcome that are looked through; a longer one is withheld."""
_NAMED = 5
_MARK = "… [{} characters left out]"
_SIZES = ((65536, 10_000), (16384, 2000), (4096, 500), (1024, 200), (256, 50), (64, 20), (64, 6), (64, 2))
"""Most characters of a text and most items of a list or object, tried in turn until the output fits."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,29}")


def preload() -> None:
    """Load what looks through every outcome: half a second, and several the first time on a host.

    An attempt whose time is up has no time for that: its worker would be ended, its work so far unpublished.
    """
    with suppress(EnvironmentProblem):  # without it no result is published, and the guard says so
        detector()


def guarded(outcome: RunOutcome, context: RunContext, *, task: str) -> RunOutcome:
    """The outcome as it may be published.

    One that looks like it holds a secret, or cannot be checked, fails for good; what it was is kept under
    `.git/cortex/withheld/`.
    """
    try:
        reason = _objection(outcome)
        if reason is None:
            said = None if outcome.error is None else _cut(outcome.error, MOST_ERROR)
            return replace(outcome, output=shortened(outcome.output), error=said)
    except EnvironmentProblem as error:
        reason = f"it cannot be checked for secrets ({error.message})"
    except Exception as error:
        reason = f"it cannot be checked for secrets ({type(error).__name__})"
    where = _kept(outcome, context, task)
    status: OutcomeStatus = "failed" if outcome.status == "completed" else outcome.status
    text = f"the result is withheld: {reason}; {where}"
    return replace(outcome, status=status, output={}, error=text, retry=False)


def _objection(outcome: RunOutcome) -> str | None:
    """Kinds and fields of what looks like a secret; None where there is none."""
    texts = [("error", outcome.error or ""), *_texts(outcome.output, "output", MOST_DEPTH)]
    starts, line = [], 1
    for _, text in texts:
        starts.append(line)
        line += text.count("\n") + 1
    joined = "\n".join(text for _, text in texts)
    if len(joined) > _LONGEST_LOOKED_AT:
        return f"it is longer than {_LONGEST_LOOKED_AT >> 20} MiB"
    found = findings(joined)
    if not found:
        return None
    named = _named(found, [field for field, _ in texts], starts)
    return f"it looks like it holds a secret ({named})"


def _named(found: list[Secret], fields: list[str], starts: list[int]) -> str:
    """Kinds with fields, unless a field's own name holds a secret: those are the runner's words."""
    pairs = dict.fromkeys((one.kind, fields[bisect_right(starts, one.line) - 1]) for one in found)
    named = ", ".join(f"{kind} in {field}" for kind, field in list(pairs)[:_NAMED])
    more = f" and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else ""
    plain = ", ".join(sorted({one.kind for one in found}))
    return plain if findings(named) else named + more


def _texts(value: object, field: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every text in a value, its name before it, as some secrets are told by their names; with its field."""
    if depth < 0:
        yield field, str(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            name = str(key)
            below = f"{field}.{name if _PLAIN_NAME.fullmatch(name) else '…'}"
            if isinstance(item, Mapping | list | tuple):
                yield below, name
                yield from _texts(item, below, depth - 1)
            else:
                yield below, f"{name} = {item}"
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, field, depth - 1)
    else:
        yield field, str(value)


def shortened(output: Mapping[str, Any]) -> dict[str, Any]:
    """The output with its structure, as far as MOST_OUTPUT bytes hold; what was left out is marked."""
    for longest, most in _SIZES:
        small = _smaller(output, longest, most, MOST_DEPTH)
        text = json.dumps(small)
        if len(text) <= MOST_OUTPUT:
            return small if isinstance(small, dict) else {"value": small}
    return {"text": _cut(text, MOST_OUTPUT // 2)}


def _smaller(value: object, longest: int, most: int, depth: int) -> Any:
    if isinstance(value, str):
        return _cut(value, longest)
    if isinstance(value, Mapping | list | tuple):
        if depth <= 0:
            return "[too deep]"
        left_out = len(value) - most
        if isinstance(value, Mapping):
            kept = [pair for pair, _ in zip(value.items(), range(most), strict=False)]
            below = {_cut(str(k), longest): _smaller(v, longest, most, depth - 1) for k, v in kept}
            return below | ({"…": f"[{left_out} more]"} if left_out > 0 else {})
        items = [_smaller(item, longest, most, depth - 1) for item in value[:most]]
        return items + ([f"[{left_out} more]"] if left_out > 0 else [])
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    return _cut(str(value), longest)  # no JSON: not a number, or an object of the runner's


def _cut(text: str, longest: int) -> str:
    text = text.encode("utf-8", "replace").decode()  # half a character has no place in JSON for others
    return text if len(text) <= longest else text[:longest] + _MARK.format(len(text) - longest)


def _kept(outcome: RunOutcome, context: RunContext, task: str) -> str:
    """Keep what is withheld for this host's person; says where."""
    private = private_folder(Path(context.folder)) if context.folder else None
    if private is None:
        return "it was not kept"
    name = f"{re.sub(r'[^A-Za-z0-9._-]', '_', task)[:100]}-{context.nonce or token_hex(8)}.json"
    record = {
        "task": task,
        "worker": context.worker,
        "attempt": context.attempt,
        "status": outcome.status,
        "error": outcome.error,
        "output": outcome.output,
    }
    try:
        folder = private / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        data = json.dumps(record, default=str).encode()[:_LONGEST_LOOKED_AT]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(folder / name, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
    except (OSError, ValueError, RecursionError) as error:
        return f"it could not be kept ({type(error).__name__})"
    return f"it is kept on its host in .git/cortex/{FOLDER}/{name}"
