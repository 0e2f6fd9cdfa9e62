"""Turning what a person wrote (flags, a JSON line) into task documents.

Owns the defaults and the checks; the store owns the ids.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from cortex_git.errors import BadInput
from cortex_git.models import PRIORITIES, WORKER_TYPES, Task, valid_name
from cortex_git.routing import Decision, Request
from cortex_git.routing.sensitivity import sensitive
from cortex_git.runners import READS_REPOSITORIES, runner_name, split_name
from cortex_git.services.activating import activated
from cortex_git.services.added_before import Known, nobody, the_same
from cortex_git.state import now
from cortex_git.store.tasks import new_id

if TYPE_CHECKING:
    from cortex_git.routing.experts import Expert

KEYS = (
    "title", "type", "priority", "repo", "runner", "budget", "deadline", "scope", "context", "id", "master",
    "batch", "max_attempts", "labels", "sensitive", "after",
)  # fmt: skip
"""What a line of `task add --file` may have."""
_CHUNK = 500
"""Lines that are routed together."""


class Routes(Protocol):
    """The router, as far as it is needed here."""

    experts: "Mapping[str, Expert]"

    def decide_all(self, requests: list[Request]) -> list[Decision]: ...


def make_tasks(
    many: Sequence[Mapping[str, Any]], batch: str, router: Callable[[], Routes], known: Known = nobody
) -> list[list[Task]]:
    """For each of the flag values its tasks, the one that was asked for last: several where experts share it.

    What has a title and no worker type is routed; `router` is only asked for where something is. Under an id
    that is `known` with the same content it is what is there. Raises BadInput, of the first that is wrong.
    """

    def make(values: Mapping[str, Any]) -> Task:
        return make_task(values, batch)

    made: dict[int, list[Task]] = {}
    waiting: list[int] = []
    for number, values in enumerate(many):
        if not _is_to_route(values):
            made[number] = [make(values)]
            continue
        before = known(str(values["id"])) if values.get("id") is not None else ()
        if the_same(before, values, make):
            made[number] = list(before)
        else:
            waiting.append(number)
    if waiting:
        routes = router()
        answers = routes.decide_all([_request(many[number], batch) for number in waiting])
        for number, decision in zip(waiting, answers, strict=True):
            made[number] = activated(many[number], decision, routes.experts, make)
    return [made[number] for number in range(len(many))]


def _is_to_route(values: Mapping[str, Any]) -> bool:
    title = values.get("title")
    return values.get("type") is None and isinstance(title, str) and bool(title.strip())


def _request(values: Mapping[str, Any], batch: str) -> Request:
    """What the router is asked, of values that make a task whatever it answers."""
    checked = make_task({**values, "type": "implementation-worker"}, batch)
    by_title = values.get("sensitive") is None and (not checked.sensitive or sensitive(checked.title))
    labels = values.get("labels") or ()
    if not isinstance(labels, list | tuple) or not all(isinstance(label, str) for label in labels):
        raise BadInput("labels: not a list of texts", 'write ["docs"]')
    return Request(
        checked.title,
        tuple(labels),
        repo=checked.repo is not None,
        sensitive=None if by_title else checked.sensitive,
    )


def make_task(values: Mapping[str, Any], batch: str) -> Task:
    """A task from flag values (keys of `KEYS`, None for unset). Raises BadInput with the key at fault.

    Without a worker type it is a scan worker's.
    """
    given = {key: value for key, value in values.items() if value is not None}
    kind = str(given.get("type", "scan-worker"))
    if kind not in WORKER_TYPES:
        raise BadInput(f"no worker type {kind!r}", f"use one of {', '.join(WORKER_TYPES)}")
    priority = given.get("priority", "medium")
    if not isinstance(priority, str) or priority not in PRIORITIES:
        raise BadInput(f"no priority {priority!r}", f"use one of {', '.join(PRIORITIES)}")
    context = given.get("context", {})
    if not isinstance(context, dict) or not _plain_json(context):
        raise BadInput("context: not a JSON object of plain values", 'write {"key": "value"}')
    repo = given.get("repo")
    runner = split_name(given.get("runner") or runner_name("", kind))[0]
    if not str(given.get("title") or "").strip() and (repo is None or runner != "scan"):
        raise BadInput("a task needs a title", "give it one, or a repository to scan")
    if repo is not None and runner in READS_REPOSITORIES:
        repo, context = _source(str(repo), context)
    name = given.get("id")
    try:
        return Task(
            task=valid_name(str(name), "task id") if name is not None else new_id("task"),
            batch=valid_name(str(given.get("batch", batch)), "batch"),
            title=given.get("title") or (f"Scan {repo}" if repo else ""),
            type=kind,
            master=given.get("master", ""),
            runner=given.get("runner", ""),
            priority=priority,
            repo=repo,
            budget=given.get("budget"),
            deadline=given.get("deadline"),
            scope=given.get("scope"),
            context=context,
            max_attempts=given.get("max_attempts", 3),
            sensitive=given.get("sensitive", sensitive(_told(given)) is not None),
            after=_once(given.get("after", ())),
            created_at=now(),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", "correct that value") from error


def _once(names: Any) -> Any:
    """Each of the names once, where they are a list at all; the document's model says what else is wrong."""
    plain = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return tuple(dict.fromkeys(names)) if plain else names


def _told(given: Mapping[str, Any]) -> str:
    """All that a provider of models would read of a task."""
    words = [given.get("title"), given.get("scope"), given.get("context")]
    return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in words if one)


def _plain_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _source(repo: str, context: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The repository's name, and the context with its address: a path counts from where it was written."""
    from cortex_git.scan.sources import parse_source

    source = parse_source(repo)
    return source.repo, {**context, **source.context}


def parse_context(text: str | None) -> dict[str, Any] | None:
    """`--context`: a JSON object, or `key=value` pairs separated by commas."""
    if text is None:
        return None
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(
                f"--context is not valid JSON: {error}", 'write {"key": "value"} or key=value'
            ) from error
        if isinstance(value, dict):
            return value
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not pairs or not all(equals and key.strip() for key, equals, _ in pairs):
        raise BadInput(
            f"--context {text!r} is not key=value", 'write {"key": "value"} or key=value,key=value'
        )
    return {key.strip(): _plain(value.strip()) for key, _, value in pairs}


def _plain(text: str) -> str | float | int | bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | float | int | bool) else text


def read_tasks(
    path: str, batch: str, router: Callable[[], Routes], known: Known = nobody
) -> list[list[Task]]:
    """Tasks from a file of one JSON object a line (`-`: stdin), as `make_tasks`. Errors name the line."""
    lines = list(_lines(path))
    if not lines:
        raise BadInput(f"{path} has no tasks", "write one JSON object a line")
    made: list[list[Task]] = []
    seen: dict[str, Task] = {}
    routes = cache(router)
    for start in range(0, len(lines), _CHUNK):
        chunk = lines[start : start + _CHUNK]
        try:
            found = make_tasks([values for _, values in chunk], batch, routes, known)
        except BadInput:
            found = [_made(path, number, values, batch, routes, known) for number, values in chunk]
        for (number, _), tasks in zip(chunk, found, strict=True):
            with _naming(path, number):
                for task in tasks:
                    _refuse_another(seen.setdefault(task.task, task), task)
        made += found
    return made


def _made(
    path: str,
    number: int,
    values: Mapping[str, Any],
    batch: str,
    router: Callable[[], Routes],
    known: Known,
) -> list[Task]:
    """One line alone, so that its error has its number."""
    with _naming(path, number):
        return make_tasks([values], batch, router, known)[0]


def _lines(path: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects in a file, with the numbers of their lines."""
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        with _naming(path, number):
            value = json.loads(line)
            if not isinstance(value, dict):
                raise BadInput("not a JSON object", "write one object a line")
            unknown = sorted(set(value) - set(KEYS))
            if unknown:
                raise BadInput(f"unknown key {unknown[0]!r}", f"use {', '.join(KEYS)}")
        yield number, value


@contextmanager
def _naming(path: str, number: int) -> Iterator[None]:
    """Errors within the block name the line."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{path}:{number}: {error.message}", error.hint) from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}:{number}: not valid JSON: {error}", "write one object a line") from error


def _text(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}", "give a file of one JSON object a line"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8: {error}", "give a file of one JSON object a line") from error


def _refuse_another(first: Task, task: Task) -> None:
    if first.model_copy(update={"created_at": task.created_at}) != task:
        raise BadInput(f"task {task.task!r} has another content in a line before", "choose another id")
