"""Processes of the walk, and what they do: claims and flushes that stand still before each remote operation.

Each runs in a thread of its own, until the walk's next step lets it go on: with an answer, without one, or
to its death.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cortex_git.store import archiving, cancelling, commits, index, indexing, judging, locks, publishing
from cortex_git.store import claims as claims_module
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.outbox import Entry, Outbox
from cortex_git.store.pulling import pull
from cortex_git.store.refs import Outcome, RemoteRefs, Update

_LONG = 1e9
"""Seconds for which every claim and heartbeat was seen: the model says who is suspected."""
_HERE = threading.local()


def number_of(task: str) -> int:
    return 1 if task.endswith("-r1") else int(task[1:]) - 1


class Killed(BaseException):
    """The process died here."""


class Actor:
    """One process of a clone, in one of its lives."""

    def __init__(self, number: int, life: int, clone: int, folder: Path) -> None:
        self.number, self.life, self.clone = number, life, clone
        self.coordination = Coordination.open(folder)
        self.claim: Claim | None = None
        """What it has in hand."""
        self.entered: dict[str, str] = {}
        """Tasks whose result it put into the outbox and whose lock it has still, by nonce."""
        self.activity: Activity | None = None

    @property
    def identity(self) -> tuple[int, float, str]:
        return 1_000_000 + self.number * 100 + self.life, float(self.life), f"boot of {self.clone}"

    @property
    def name(self) -> str:
        return f"p{self.number}-{self.life}"


class Activity:
    """A claim or a flush on its way."""

    def __init__(self, actor: Actor, kind: str, work: Callable[[], Any]) -> None:
        self.actor, self.kind = actor, kind
        self.at: str | None = None
        """Before which operation it stands; None when it has ended."""
        self.updates: list[Update] = []
        self.result: Any = None
        self.error: BaseException | None = None
        self._turn = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._answer = ""
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        self._back.acquire()
        self._check()

    def _run(self, work: Callable[[], Any]) -> None:
        _HERE.actor, _HERE.activity = self.actor, self
        try:
            self.result = work()
        except BaseException as error:
            self.error = error
        self.at = None
        self._back.release()

    def stand(self, at: str) -> str:
        """Called by the activity: stand before an operation until told how to go on."""
        self.at = at
        self._back.release()
        self._turn.acquire()
        if self._answer == "die":
            raise Killed
        return self._answer

    def go(self, expected: str, answer: str = "") -> None:
        """Called by the walk: carry out the operation, up to the next one or the end."""
        assert self.at == expected, f"{self.kind} stands before {self.at}, not before {expected}"
        self._answer = answer
        self._turn.release()
        self._back.acquire()
        if answer != "die":
            self._check()

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """What this thread does within the block, the actor does."""
    _HERE.actor, _HERE.activity = actor, None
    try:
        yield
    finally:
        _HERE.actor = None


def _activity() -> Activity | None:
    return getattr(_HERE, "activity", None)


@dataclass(eq=False)
class Sent:
    """A push without answer that has not landed."""

    kind: str
    actor: Actor
    refs: RemoteRefs
    updates: list[Update]

    @property
    def tasks(self) -> set[int]:
        """Those whose claims it is about."""
        names = (update.ref.rpartition("/") for update in self.updates)
        return {number_of(name) for space, _, name in names if space.endswith("/claims")}


def kill(activity: Activity | None) -> None:
    if activity is not None and activity.at is not None:
        activity.go(activity.at, "die")
        assert isinstance(activity.error, Killed), activity.error


def _gated_pull(repository: Any, *, not_before: float | None = None) -> index.View:
    if (activity := _activity()) is not None:
        activity.stand("fetch")
    return pull(repository)


@dataclass
class People:
    """Who lives, who died, and what they have sent without an answer."""

    actors: dict[int, Actor] = field(default_factory=dict)
    dead: set[tuple[int, float, str]] = field(default_factory=set)
    air: list[Sent] = field(default_factory=list)
    clock: int = 1_700_000_000
    """Of commits, in seconds: two pushes of the same results in one second are the same commit."""

    def is_alive(self, *who: object) -> bool:
        ours = who[2] == _HERE.actor.identity[2]  # of another boot nobody knows
        return ours and who in {actor.identity for actor in self.actors.values()}


def _say_who_lives(monkeypatch: pytest.MonkeyPatch, people: People) -> None:
    for module in (claims_module, locks):
        monkeypatch.setattr(module, "own_process", lambda: _HERE.actor.identity)
    for module in (judging, locks):
        monkeypatch.setattr(module, "process_alive", people.is_alive)
    monkeypatch.setattr(judging, "process_gone", lambda *who: who in people.dead)
    for module in (claims_module, judging):
        monkeypatch.setattr(module, "boot_id", lambda: _HERE.actor.identity[2])
    for module in (judging, cancelling):
        monkeypatch.setattr(module, "seen_for", lambda *_: _LONG)


def stand_still(monkeypatch: pytest.MonkeyPatch, people: People) -> None:
    """Who a process is and whether it lives is the walk's business, as is when the remote is asked."""
    _say_who_lives(monkeypatch, people)
    monkeypatch.setattr(commits, "time", SimpleNamespace(time=lambda: people.clock))
    monkeypatch.setattr(publishing, "time", SimpleNamespace(sleep=lambda _s: None))
    for module in (claims_module, publishing):
        monkeypatch.setattr(module, "pull", _gated_pull)
    # Looks and folds are steps of their own.
    monkeypatch.setattr(archiving, "pull", indexing.refresh)
    monkeypatch.setattr(archiving, "fold", lambda _repository: None)
    real_push, real_read, real_waiting = RemoteRefs.transaction, RemoteRefs.read_back, Outbox.waiting

    def push(refs: RemoteRefs, updates: list[Update], *, atomic: bool) -> list[Outcome]:
        activity = _activity()
        if activity is None or not updates:
            return real_push(refs, updates, atomic=atomic)
        answer = activity.stand("push")
        if answer == "air":
            people.air.append(Sent(activity.kind, activity.actor, refs, list(updates)))
            return [Outcome.UNKNOWN] * len(updates)
        outcomes = real_push(refs, updates, atomic=atomic)
        return [Outcome.UNKNOWN] * len(updates) if answer == "lost" else outcomes

    def read(refs: RemoteRefs, names: list[str]) -> dict[str, str]:
        if (activity := _activity()) is not None:
            activity.stand("read")
        return real_read(refs, names)

    def waiting(outbox: Outbox, state: str = "queued", limit: int = -1) -> list[Entry]:
        activity = _activity()
        if activity is not None and activity.kind == "flush" and state == "queued":
            activity.stand("batch")
        return real_waiting(outbox, state, limit)

    monkeypatch.setattr(RemoteRefs, "transaction", push)
    monkeypatch.setattr(RemoteRefs, "read_back", read)
    monkeypatch.setattr(Outbox, "waiting", waiting)
