"""What an attempt has done until now, kept where it survives being cut off.

Owns the form of an agent's output. It is current after every step: the worker publishes the same
dictionary when the attempt is ended from outside. Must never hold text of files or programs: summaries,
names and figures only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cortex_git.config import Model
from cortex_git.llm import Usage

MOST_NOTES = 40
"""Steps that are kept, the last ones."""
_MOST_NOTE = 160
"""Characters of a step."""
_MOST_SUMMARY = 8000
_MOST_TITLE = 200
"""Characters of a follow-up's title; where there are more, all of them are its details."""
_TELLING = ("path", "file", "command", "argv", "pattern", "query", "name")
"""Arguments of a tool that say what it was used for, the first that is there."""


class Record:
    """The output of one attempt, in `so_far`, as its worker sees it too."""

    def __init__(self, so_far: dict[str, Any], *, provider: str, model: Model, complexity: int) -> None:
        self.so_far = so_far
        self._model = model
        self._usage = Usage()
        self._notes: list[str] = []
        so_far.update(
            summary="", answer=None, provider=provider, model=model.name, complexity=complexity, turns=0
        )
        so_far.update(usage=_kinds(self._usage, 0), cost_usd=0.0, tests=[], files=[])
        so_far["resume"] = {"branch": None, "commit": None, "notes": self._notes, "remaining": []}

    @property
    def turns(self) -> int:
        return int(self.so_far["turns"])

    @property
    def resume(self) -> dict[str, Any]:
        """What another attempt needs to go on from this one."""
        found: dict[str, Any] = self.so_far["resume"]
        return found

    def answered(self, usage: Usage, said: str) -> None:
        """The model has answered once more."""
        self._usage = Usage(
            self._usage.input + usage.input,
            self._usage.output + usage.output,
            self._usage.cache_write + usage.cache_write,
            self._usage.cache_read + usage.cache_read,
        )
        self.so_far["turns"] += 1
        if said:
            self.so_far["summary"] = said[:_MOST_SUMMARY]
        self.spent(0)

    def spent(self, unknown: int) -> None:
        """Say what it cost; `unknown` are tokens of calls that brought no answer but may be billed."""
        self.so_far["usage"] = _kinds(self._usage, unknown)
        self.so_far["cost_usd"] = round(cost_usd(self._usage, self._model, unknown), 6)

    def used(self, tool: str, arguments: object, *, failed: bool) -> None:
        """The model has used a tool."""
        self.note(f"{tool}{_about(arguments)}{' (failed)' if failed else ''}")

    def note(self, text: str) -> None:
        """One more step."""
        line = " ".join(text.split())
        self._notes.append(line if len(line) <= _MOST_NOTE else line[: _MOST_NOTE - 1] + "…")
        del self._notes[:-MOST_NOTES]

    def worked(self, programs: Sequence[Mapping[str, Any]], changed: Sequence[str]) -> None:
        """Programs run, of which tests are kept with their exit status, and the files changed."""
        self.so_far["tests"] = [
            {"command": one["command"], "status": one["status"], "seconds": one["seconds"]}
            for one in programs
            if one["tests"]
        ]
        self.so_far["files"] = list(changed)

    def handed_in(self, answer: Mapping[str, Any]) -> None:
        """The model's result."""
        self.so_far["summary"] = answer["summary"]
        self.so_far["answer"] = {
            key: value for key, value in answer.items() if key not in ("summary", "remaining", "follow_ups")
        }
        if asked := answer.get("follow_ups"):
            self.so_far["follow_ups"] = [_follow_up(one) for one in asked]
        self.resume["remaining"] = list(answer["remaining"])

    def published(self, branch: str, commit: str, diffstat: str) -> None:
        """The work is on a branch of the task's repository."""
        self.so_far.update(branch=branch, commit=commit, diffstat=diffstat)
        self.resume.update(branch=branch, commit=commit)


def _follow_up(text: str) -> dict[str, str]:
    """A task that the model asks for as `worker-type: what to do`; whether it may is not decided here."""
    kind, _, work = text.partition(":")
    title = " ".join((work or text).split())
    said = {"type": kind.strip().strip("`").lower(), "title": title}
    return said if len(title) <= _MOST_TITLE else said | {"title": title[:_MOST_TITLE], "scope": work.strip()}


def cost_usd(usage: Usage, model: Model, unknown: int = 0) -> float:
    """US dollars for that usage; unknown tokens count as the dearest kind."""
    dearest = max(model.input, model.output, model.cache_write, model.cache_read)
    return (
        usage.input * model.input
        + usage.output * model.output
        + usage.cache_write * model.cache_write
        + usage.cache_read * model.cache_read
        + unknown * dearest
    ) / 1_000_000


def _kinds(usage: Usage, unknown: int) -> dict[str, int]:
    found = {
        "input": usage.input,
        "output": usage.output,
        "cache_write": usage.cache_write,
        "cache_read": usage.cache_read,
    }
    return {**found, "unknown": unknown} if unknown else found


def _about(arguments: object) -> str:
    if not isinstance(arguments, Mapping):
        return ""
    for key in _TELLING:
        value = arguments.get(key)
        if isinstance(value, list):
            value = " ".join(map(str, value))
        if isinstance(value, str) and value:
            return f" {value}"
    return ""
