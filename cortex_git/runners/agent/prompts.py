"""What a model is told: the system prompt of its worker type, and the task with all that came with it.

Owns the marking of data. Text of repositories, programs and whoever wrote a task stands between tags with
a random number of this attempt, which it cannot know and so cannot close. The system prompt holds nothing
of the attempt: it is the same for all attempts of a type, and so cached by the provider.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from secrets import token_hex
from typing import Any

from cortex_git.runners.agent.answers import FORMS

_FALLBACK = "analysis-worker"
"""What a worker type that is not ours gets to be told: it may change nothing."""
MOST_CONTEXT = 6000
"""Bytes of any one piece of material in the first message."""
_OURS = frozenset({"complexity", "findings", "url"})
"""Keys of a task's context that are not for the model, or reach it in another form."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@cache
def system_prompt(worker_type: str) -> str:
    """The rules that hold for every agent, then what this worker type does."""
    folder = files("cortex_git.runners.agent") / "roles"
    role = worker_type if worker_type in FORMS else _FALLBACK
    parts = [(folder / f"{name}.md").read_text(encoding="utf-8").strip() for name in ("common", role)]
    return "\n\n".join(parts)


def cut(text: str, most: int) -> str:
    """`text` in at most about `most` bytes: its beginning and its end, saying how much is missing between."""
    data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return data.decode()
    head, tail = most * 2 // 3, most // 3
    missing = len(data) - head - tail
    return (
        data[:head].decode("utf-8", "ignore")
        + f"\n[… {missing} bytes left out …]\n"
        + data[len(data) - tail :].decode("utf-8", "ignore")
    )


class Marks:
    """The tags of one attempt."""

    def __init__(self, number: str | None = None) -> None:
        """`number` is made up where none is given."""
        self.number = number or token_hex(4)

    @property
    def opening(self) -> str:
        return f"<data-{self.number}>"

    def data(self, text: str) -> str:
        """`text` as data. Our number, which a file that a model wrote may hold, is taken out."""
        return f"{self.opening}\n{text.replace(self.number, '…')}\n</data-{self.number}>"


def first_message(
    task: Mapping[str, Any],
    marks: Marks,
    *,
    tokens: int,
    minutes: float,
    material: Sequence[tuple[str, str]] = (),
) -> str:
    """The task as the conversation's first message; `material` are further texts, each with what it is."""
    title = _CONTROL.sub(" ", str(task.get("title") or task.get("task"))).strip()
    lines = [
        f"Task: {title.replace(marks.number, '…')}",
        f"You have {tokens:,} tokens and {minutes:.0f} minutes for all of it."
        f" Data stands between {marks.opening} and its end.",
    ]
    for what, text in [*_details(task), *material]:
        lines += [f"{what}:", marks.data(cut(text, MOST_CONTEXT))] if text else [f"{what}."]
    return "\n".join(lines)


def _details(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if scope := str(task.get("scope") or "").strip():
        found.append(("Its details, from whoever wrote the task", scope))
    context = {key: value for key, value in (task.get("context") or {}).items() if key not in _OURS}
    if context:
        found.append(("Its context", json.dumps(context, ensure_ascii=False, separators=(",", ":"))))
    return found


def earlier_work(earlier: Mapping[str, Any]) -> str:
    """What an earlier attempt left, for the model that goes on from it; empty where it left nothing."""
    resume = earlier.get("resume")
    resume = resume if isinstance(resume, Mapping) else {}
    lines: list[str] = []
    if summary := earlier.get("summary"):
        lines.append(f"Summary: {summary}")
    for what, key in (("Not done", "remaining"), ("Steps", "notes")):
        values = resume.get(key)
        if isinstance(values, list) and values:
            lines += [f"{what}:", *(f"- {value}" for value in values)]
    if diffstat := earlier.get("diffstat"):
        lines += ["Changed so far (it is in the folder):", str(diffstat)]
    return "\n".join(lines)


CONTINUED = "An earlier attempt ran out and left this; go on from it, don't begin anew"
CUT_OFF = "Your answer was cut off at its limit. Go on in smaller steps: shorter edits, fewer tools at once."
ASK_FOR_RESULT = "Hand in your result with `submit` now. What is not done belongs in `remaining`."
NOT_OF_ITS_FORM = "The result could not be read: {why}. Hand it in once more."
LAST_TURN = "No tokens are left for another turn: do all you still can in this one, with `submit` in it."
