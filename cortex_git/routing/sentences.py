"""Labelled sentences in files of one JSON object a line: those in the package, and a person's own.

Owns their form: `{"text": …, "experts": [first, …], "hard": true}`. Changes none.
"""

import json
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

from cortex_git.errors import BadInput
from cortex_git.routing.judging import Case

HELD_OUT = "heldout.jsonl"
"""The packaged file that nothing learns from."""
_MOST_TEXT = 20_000
_MOST_BYTES = 64 * 1024 * 1024


def packaged(known: Collection[str]) -> list[Case]:
    """Every packaged sentence but those that are held out."""
    folder = files("cortex_git.routing") / "training"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".jsonl"))
    return [
        case
        for name in names
        if name != HELD_OUT
        for case in parsed((folder / name).read_text(encoding="utf-8"), name, known)
    ]


def held_out(known: Collection[str]) -> list[Case]:
    """The packaged sentences that a layer is judged by."""
    file = files("cortex_git.routing") / "training" / HELD_OUT
    return parsed(file.read_text(encoding="utf-8"), HELD_OUT, known)


def read(path: Path, known: Collection[str]) -> list[Case]:
    """The sentences in a file. Raises BadInput that names the line at fault."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput(f"{path} has over {_MOST_BYTES // 2**20} MiB", "give a smaller file")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}", "give a file of one JSON object a line"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8: {error}", "give a file of one JSON object a line") from error
    found = parsed(text, str(path), known)
    if not found:
        raise BadInput(
            f"{path} has no sentences", 'write {"text": "…", "experts": ["security"]} in each line'
        )
    return found


def parsed(text: str, where: str, known: Collection[str]) -> list[Case]:
    """The sentences in `text`, which is the content of `where`. Raises BadInput."""
    return [
        _case(line, f"{where}:{number}", known)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]


def _case(line: str, where: str, known: Collection[str]) -> Case:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: not valid JSON: {error}", "write one object a line") from error
    text = value.get("text") if isinstance(value, dict) else None
    experts = value.get("experts") if isinstance(value, dict) else None
    if not isinstance(text, str) or not text.strip() or len(text) > _MOST_TEXT:
        raise BadInput(
            f"{where}: no text of 1 to {_MOST_TEXT:,} characters", 'write {"text": "…", "experts": […]}'
        )
    if not isinstance(experts, list) or not experts or not all(isinstance(name, str) for name in experts):
        raise BadInput(f"{where}: experts is no list of names", 'write "experts": ["security"]')
    if unknown := [name for name in experts if name not in known]:
        raise BadInput(f"{where}: there is no expert {unknown[0]!r}", f"use {', '.join(known)}")
    return Case(text, tuple(dict.fromkeys(experts)), hard=value.get("hard") is True)
