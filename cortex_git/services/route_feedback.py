"""What this host knows of its router's decisions: what people said of them, and what came of the tasks.

Owns the table `feedback`. It is this host's own and never shared: whoever can push may end a task, but can
bring the router no sentence and no expert that was not decided on or given here.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.models import Result, Task, derived_name
from cortex_git.routing import Request
from cortex_git.routing.experts import Expert, experts_of
from cortex_git.routing.feedback import Said, Source, key
from cortex_git.routing.given import Naming
from cortex_git.runners import OF_WORKER_TYPE, split_name
from cortex_git.state import now, transaction
from cortex_git.store import index, indexing
from cortex_git.store.coordination import Coordination
from cortex_git.store.repository import Repository
from cortex_git.store.results import read_results

_TEXT = "text:"
"""Begins the key of a text that is no task's."""
MOST_TEXT = 4000
"""Characters of a text that can be given."""
_UNMETERED = ("command", "scan")
"""Runners that do real work without tokens; another's attempt without any was a trial."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person said of a text."""

    task: str | None
    text: str
    experts: tuple[str, ...]
    chosen: tuple[str, ...]
    """Whom the router had chosen; empty where it was not asked, or is not known here."""
    layer: str
    at: str

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "text": self.text,
            "experts": list(self.experts),
            "chosen": list(self.chosen),
            "layer": self.layer,
            "at": self.at,
        }


def feedback_on(
    coordination: Coordination, task: str | None, text: str | None, experts: Sequence[str]
) -> Feedback:
    """What is to be kept: that the task's title, or the text, is for these experts.

    Raises BadInput where there is no such task or expert, or not exactly one of task and text.
    """
    known = experts_of(coordination.repository.settings)
    chosen = _known(experts, known)
    if (task is None) == (text is None):
        raise BadInput("give a task or --text, and not both", "as in `route feedback TASK --expert security`")
    if task is None:
        words = " ".join((text or "").split())
        if not 0 < len(words) <= MOST_TEXT:
            raise BadInput(f"a text of {len(words):,} characters", f"give 1 to {MOST_TEXT:,}")
        return Feedback(None, _bare(words, known), chosen, (), "", now())
    found = _whole(coordination, _found(coordination, task))
    routing = found.routing or {}
    return Feedback(
        found.task, _bare(found.title, known), chosen, _chosen(routing), str(routing.get("layer", "")), now()
    )


def keep(coordination: Coordination, given: Feedback) -> None:
    """Keep it, in the place of what was said of the same task or text before."""
    with transaction(coordination.repository.durable_state) as state:
        _put(state.execute, given.task or _text_key(given.text), given, "person")


def forget(coordination: Coordination, task: str | None, text: str | None) -> bool:
    """Take back what a person said of it; whether there was anything."""
    if task is not None:
        known = index.find_task(coordination.repository.state, task)
        name = _whole(coordination, known).task if known is not None else task
    else:
        words = " ".join((text or "").split())
        name = _text_key(_bare(words, experts_of(coordination.repository.settings)))
    with transaction(coordination.repository.durable_state) as state:
        done = state.execute("DELETE FROM feedback WHERE task = ? AND source = 'person'", (name,))
        return done.rowcount > 0


def listed_feedback(repository: Repository) -> list[Feedback]:
    """What people said here, the newest first."""
    return [found for found, source in _rows(repository) if source == "person"]


def note_routed(repository: Repository, tasks: Iterable[Task]) -> None:
    """The router chose for these here: their outcomes may be learned from."""
    routed = [task for task in tasks if task.routing is not None]
    if not routed:
        return
    known = experts_of(repository.settings)
    with transaction(repository.state) as state:
        for task in routed:
            routing = task.routing or {}
            text = _bare(task.title, known)
            layer = str(routing.get("layer", ""))
            _put(
                state.execute,
                task.task,
                Feedback(task.task, text, (), _chosen(routing), layer, now()),
                "outcome",
            )


def said(repository: Repository) -> list[Said]:
    """Everything that can be learned from here, by the results of the last pull."""
    rows = _rows(repository)
    people = [Said(one.text, one.experts, "person", one.at) for one, source in rows if source == "person"]
    return people + _outcomes(repository, [one for one, source in rows if source == "outcome"])


def _outcomes(repository: Repository, routed: Sequence[Feedback]) -> list[Said]:
    """What came of the tasks that were routed here.

    Completed work speaks, weakly, for the expert whose it was. Work that failed, ran out or was cancelled
    says nothing: of a wrong expert it says no more than of a hard task, a broken build or a small budget.
    """
    indexing.refresh(repository)
    parts = {one.task: [derived_name(one.task, name) for name in one.chosen] for one in routed if one.task}
    names = [name for task, several in parts.items() for name in (task, *several)]
    results = {result.task: result for result in read_results(repository, names)}
    found: list[Said] = []
    for one in routed:
        task = index.find_task(repository.state, one.task or "")
        if task is not None and (experts := _confirmed(repository, task, one.chosen, results)):
            source: Source = "given" if one.layer == "given" else "outcome"
            found.append(Said(one.text, experts, source, one.at))
    return found


def _confirmed(
    repository: Repository, task: Task, chosen: Sequence[str], results: Mapping[str, Result]
) -> tuple[str, ...]:
    """Of the chosen experts those whose work was completed; none without the first's, or if they disagree."""
    whole = results.get(task.task)
    if whole is None or not chosen:
        return ()
    if not task.is_aggregate:
        return tuple(chosen[:1]) if _is_work(task, whole) else ()
    if whole.output.get("contradictions"):
        return ()
    done = []
    for expert in chosen:
        name = derived_name(task.task, expert)
        part, result = index.find_task(repository.state, name), results.get(name)
        if part is not None and result is not None and _is_work(part, result):
            done.append(expert)
    return tuple(done) if done[:1] == list(chosen[:1]) else ()


def _is_work(task: Task, result: Result) -> bool:
    """Whether it was completed, and by more than a trial's runner, which completes anything."""
    runner = split_name(task.runner)[0] or OF_WORKER_TYPE.get(task.type, "")
    real = result.tokens_used > 0 or runner in _UNMETERED
    return result.status == "completed" and real


def _found(coordination: Coordination, task: str) -> Task:
    indexing.refresh(coordination.repository)
    found = index.known_task(coordination.repository, task)
    if found is None:
        coordination.pull()
        found = index.task_of(coordination.repository, task)
    return found


def _whole(coordination: Coordination, task: Task) -> Task:
    """The task that was routed, where this is an expert's part of it."""
    parent = index.known_task(coordination.repository, task.parent) if task.parent else None
    return parent if parent is not None and task.task in parent.after else task


def _known(experts: Sequence[str], known: Mapping[str, Expert]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().lower() for name in experts))
    if not names:
        raise BadInput("no expert is named", f"give --expert {'|'.join(known)}")
    if unknown := [name for name in names if name not in known]:
        raise BadInput(f"there is no expert {unknown[0]!r}", f"use one of {', '.join(known)}")
    return names


def _bare(text: str, known: Mapping[str, Expert]) -> str:
    """The text without a prefix that names its expert, from which nothing else could be learned."""
    given = Naming(known).given(Request(text))
    return given.rest if given is not None else text


def _chosen(routing: Mapping[str, Any]) -> tuple[str, ...]:
    """Whom the decision in a task's document names. Anybody may have written it."""
    secondary = routing.get("secondary")
    every = [routing.get("primary"), *(secondary if isinstance(secondary, list) else [])]
    names = [one.get("expert") for one in every if isinstance(one, dict)]
    return tuple(name for name in names if isinstance(name, str))


def _text_key(text: str) -> str:
    return _TEXT + hashlib.sha256(key(text).encode("utf-8", "replace")).hexdigest()[:32]


def _put(execute: Any, name: str, given: Feedback, source: str) -> None:
    execute(
        "INSERT OR REPLACE INTO feedback (task, text, experts, chosen, layer, source, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            name,
            given.text,
            json.dumps(given.experts),
            json.dumps(given.chosen),
            given.layer,
            source,
            given.at,
        ),
    )


def _rows(repository: Repository) -> list[tuple[Feedback, str]]:
    rows = repository.state.execute(
        "SELECT task, text, experts, chosen, layer, source, at FROM feedback ORDER BY at DESC, task"
    ).fetchall()
    found = []
    for task, text, experts, chosen, layer, source, at in rows:
        name = None if task.startswith(_TEXT) else task
        given = Feedback(name, text, tuple(json.loads(experts)), tuple(json.loads(chosen)), layer, at)
        found.append((given, source))
    return found
