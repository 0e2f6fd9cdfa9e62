"""Follow-up tasks: what a result may ask for, and the task documents that come of it.

Owns the limits. Must never let a result choose an id, a program of a host, or for any one task more tokens
than its own had left. Reads and writes nothing: the same task and result make the same documents.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cortex_git.config import Settings
from cortex_git.errors import BadInput
from cortex_git.models import WORKER_TYPES, Result, Task, derived_name
from cortex_git.routing.experts import Expert

ASKS = "follow_ups"
"""The field of an output that asks for tasks."""
REFUSED = "follow_ups_refused"
"""The field that says which were not made, and why."""
MOST_TITLE = 500
MOST_SCOPE = 20_000
"""Characters of a follow-up's details."""
MOST_CONTEXT = 16 * 1024
"""Characters of the JSON of its context."""
MOST_LEVELS = 8
MOST_HANDED_OVER = 2000
"""Characters of the parent's own summary that a follow-up gets."""
MOST_REFUSED = 20
"""Refusals that are told one by one."""
_TOLD = 80
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_SUMMARIES = ("summary", "text")


class Refused(ValueError):
    """A follow-up that is not made; the text says why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The task and the result that ask, and what bounds them."""

    task: Task
    result: Result
    batch: str
    """Where its follow-ups belong."""
    settings: Settings
    experts: Mapping[str, Expert]
    metered: Callable[[Task], bool]
    """Whether a task would need tokens."""

    @property
    def tokens_left(self) -> int:
        """What the task was allowed and did not use."""
        allowed = self.settings.limits_for(self.task.type, self.task.budget, None).tokens
        return max(0, allowed - self.result.tokens_used)


@dataclass(frozen=True, slots=True)
class Refusal:
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class FollowUps:
    """What came of all that a result asked for."""

    tasks: tuple[Task, ...]
    refused: tuple[Refusal, ...]


def follow_ups(origin: Origin) -> FollowUps:
    """The tasks that the result's `follow_ups` ask for, and those that it may not have."""
    wishes = origin.result.output.get(ASKS)
    if not isinstance(wishes, list):
        return FollowUps((), (Refusal("", f"{ASKS} is not a list"),))
    tasks: list[Task] = []
    refused: list[Refusal] = []
    for wish in wishes:
        try:
            _check_limits(origin, len(tasks))
            tasks.append(_task(origin, wish, len(tasks) + 1))
        except Refused as error:
            title = wish.get("title") if isinstance(wish, dict) else wish
            refused.append(Refusal(_told(title), str(error)))
    return FollowUps(tuple(tasks), tuple(refused))


def told(refused: Sequence[Refusal]) -> list[dict[str, str]]:
    """Refusals as a result keeps them: the first ones, and how many more there are."""
    lines = [{"title": one.title, "reason": one.reason} for one in refused[:MOST_REFUSED]]
    more = len(refused) - MOST_REFUSED
    return [*lines, {"title": "", "reason": f"{more} more are refused"}] if more > 0 else lines


def _check_limits(origin: Origin, made: int) -> None:
    routing = origin.settings.routing
    if origin.task.depth + 1 > routing.max_depth:
        raise Refused(f"no more than {routing.max_depth} hand-offs in a row (routing.max_depth)")
    if made >= routing.most_follow_ups:
        raise Refused(f"no more than {routing.most_follow_ups} for one result (routing.most_follow_ups)")


def _task(origin: Origin, wish: Any, number: int) -> Task:
    """The document of one follow-up. Raises Refused."""
    if not isinstance(wish, dict):
        raise Refused("it is not an object")
    parent = origin.task
    kind, expert = _who(origin, wish)
    usual = expert.budget if expert is not None else None
    budget = origin.settings.limits_of(kind).tokens if usual is None else usual
    repo, place = _place(origin, wish)
    values = {
        "task": derived_name(parent.task, f"f{number}"),
        "batch": origin.batch,
        "title": _title(wish),
        "type": kind,
        "master": expert.master if expert is not None else "",
        "runner": _runner(origin, wish, expert),
        "priority": wish.get("priority") or parent.priority,
        "repo": repo,
        "budget": min(budget, origin.tokens_left),
        "scope": _scope(wish),
        "context": _context(origin, wish) | place,
        "created_at": origin.result.completed_at,
        "parent": parent.task,
        "depth": parent.depth + 1,
        "sensitive": parent.sensitive or wish.get("sensitive") is True,
    }
    try:
        task = Task.model_validate(values)
        task.to_bytes()
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]) from error
    except (ValueError, RecursionError) as error:
        raise Refused("it cannot be stored") from error
    if task.budget == 0 and origin.metered(task):
        raise Refused("no tokens are left of its parent's budget")
    return task


def _who(origin: Origin, wish: Mapping[str, Any]) -> tuple[str, Expert | None]:
    """The worker type, and the expert where one is named."""
    name, kind = wish.get("expert"), wish.get("type")
    if kind is not None and (not isinstance(kind, str) or kind not in WORKER_TYPES):
        raise Refused(f"there is no worker type {_told(kind)!r}")
    if name is None:
        if kind is None:
            raise Refused("it names neither an expert nor a worker type")
        return kind, None
    expert = origin.experts.get(name) if isinstance(name, str) else None
    if expert is None:
        raise Refused(f"there is no expert {_told(name)!r}")
    if kind is not None and kind not in expert.worker_types:
        raise Refused(f"{kind} does not work for {expert.name}")
    return kind or expert.worker_types[0], expert


def _title(wish: Mapping[str, Any]) -> str:
    title = wish.get("title")
    text = _one_line(title) if isinstance(title, str) else ""
    if not text:
        raise Refused("it has no title")
    if len(text) > MOST_TITLE:
        raise Refused(f"its title is longer than {MOST_TITLE} characters")
    return text


def _scope(wish: Mapping[str, Any]) -> str | None:
    scope = wish.get("scope")
    if scope is None:
        return None
    if not isinstance(scope, str) or len(scope) > MOST_SCOPE:
        raise Refused(f"its scope is not a text of up to {MOST_SCOPE} characters")
    return _whole(scope).replace("\0", "")


def _runner(origin: Origin, wish: Mapping[str, Any], expert: Expert | None) -> str:
    """Empty mostly, so that each host's own settings decide."""
    runner = wish.get("runner") or ""
    if runner and runner != origin.task.runner:
        raise Refused("it may name no runner but its parent's own")
    return str(runner) or (expert.runner if expert is not None else "")


def _context(origin: Origin, wish: Mapping[str, Any]) -> dict[str, Any]:
    """What the result gives along, with its own summary. A program is never chosen by a result."""
    given = wish.get("context")
    given = {} if given is None else given
    if not isinstance(given, dict) or _deeper_than(MOST_LEVELS, given):
        raise Refused(f"its context is not an object of at most {MOST_LEVELS} levels")
    own = origin.task.context
    for key in ("command", "url"):
        if key in given and given[key] != own.get(key):
            raise Refused(f"its context may not choose {key!r}")
    try:
        text = json.dumps(given, allow_nan=False)
    except ValueError as error:
        raise Refused("its context is not plain JSON") from error
    if len(text) > MOST_CONTEXT:
        raise Refused(f"its context is longer than {MOST_CONTEXT} characters")
    kept = {"command": own["command"]} if "command" in own else {}
    summary = _summary(origin.result.output)
    return {**given, **kept, **({"handed_over": summary} if summary else {})}


def _place(origin: Origin, wish: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The repository, and what the context has to say of it.

    Of the parent's own it is the branch that the work is on; another one has to have an address of its own,
    because a path would be read on whatever host takes the task.
    """
    parent, repo = origin.task, wish.get("repo")
    if repo is None or repo == parent.repo:
        kept = {key: value for key, value in parent.context.items() if key in ("url", "ref")}
        branch = origin.result.output.get("branch")
        if parent.repo and isinstance(branch, str) and _BRANCH.fullmatch(branch) and ".." not in branch:
            kept["ref"] = branch
        return parent.repo, kept
    from cortex_git.scan.sources import parse_source

    try:
        source = parse_source(repo if isinstance(repo, str) else "")
    except BadInput as error:
        raise Refused(f"its repository cannot be used: {_told(error.message)}") from error
    if source.local:
        raise Refused("another repository has to be named by a URL")
    return source.repo, dict(source.context)


def _summary(output: Mapping[str, Any]) -> str:
    """The parent's result in short, for whoever goes on from it."""
    texts = (output.get(key) for key in _SUMMARIES)
    text = next((one.strip() for one in texts if isinstance(one, str) and one.strip()), "")
    return _whole(text if len(text) <= MOST_HANDED_OVER else text[: MOST_HANDED_OVER - 1] + "…")


def _deeper_than(levels: int, value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper_than(levels - 1, item) for item in inner)


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", _whole(text)).split())


def _whole(text: str) -> str:
    """Without halves of characters, which no document can hold."""
    return text.encode("utf-8", "replace").decode()


def _told(value: object) -> str:
    """A little of what a result said, on one line."""
    text = value if isinstance(value, str) else "" if value is None else f"({type(value).__name__})"
    line = _one_line(text[: 4 * _TOLD])
    return line if len(line) <= _TOLD else line[: _TOLD - 1] + "…"
