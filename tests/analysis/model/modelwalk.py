"""The model's steps taken by the code: real clones of a real remote, one operation on it at a time.

Every claim and every flush runs in a thread of its own, which stands still before each operation on the
remote until the walk's next step lets it go on, with an answer, without one, or to its death.
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gitworld import git, result_for

from cortex_git.analysis.model.world import CANCELLED, RUNNING, Case, Kept, State, Step, Token
from cortex_git.gitio import Git
from cortex_git.models import Task
from cortex_git.state import now
from cortex_git.store import archivable, archiving, cancelling, commits, folding, index, locks, publishing
from cortex_git.store import claims as claims_module
from cortex_git.store.claims import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.outbox import Entry, Outbox
from cortex_git.store.pulling import pull
from cortex_git.store.refs import Outcome, RemoteRefs, Update
from cortex_git.store.tasks import added_documents, new_batch

_LONG = 1e9
"""Seconds for which every claim and heartbeat was seen: the model says who is suspected."""
_HERE = threading.local()


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


@dataclass
class World:
    """A remote and its clones, moved along a walk of the model."""

    case: Case
    folder: Path
    tasks: list[Task] = field(default_factory=list)
    actors: dict[int, Actor] = field(default_factory=dict)
    dead: set[tuple[int, float, str]] = field(default_factory=set)
    flushes: dict[int, Activity] = field(default_factory=dict)
    """By clone."""
    clock: int = 1_700_000_000
    """Of commits, in seconds: two pushes of the same results in one second are the same commit."""
    air: list["Sent"] = field(default_factory=list)

    _results: dict[str, set[tuple[object, ...]]] = field(default_factory=dict)
    _observers: dict[int, Coordination] = field(default_factory=dict)

    @cached_property
    def remote(self) -> Git:
        return Git(self.bare)

    def observer(self, number: int) -> Coordination:
        """A look into a clone that takes no part."""
        if number not in self._observers:
            self._observers[number] = Coordination.open(self.clone(number))
        return self._observers[number]

    def results_in(self, commit: str) -> set[tuple[object, ...]]:
        """(task, epoch, attempt, worker) of each result in a commit's tree."""
        if commit not in self._results:
            listing = self.remote.text(
                "ls-tree", "-r", commit, "coordination/results", "coordination/archive"
            )
            files = {line.split()[3]: line.split()[2] for line in listing.splitlines()}
            stones = self.remote.blobs(oid for path, oid in files.items() if "/archive/" in path)
            kept = [oids[1] for body in stones.values() for oids in json.loads(body)["tasks"].values()]
            there = [oid for path, oid in files.items() if "/results/" in path]
            read = [json.loads(body) for body in self.remote.blobs([*there, *kept]).values()]
            self._results[commit] = {
                (number_of(r["task"]), r["epoch"], r["attempt"], r["worker"]) for r in read
            }
        return self._results[commit]

    @property
    def bare(self) -> Path:
        return self.folder / "remote.git"

    def clone(self, number: int) -> Path:
        return self.folder / f"clone-{number}"

    def build(self) -> None:
        """Make the remote and the clones, with the tasks on the branch."""
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.bare)], check=True)
        create(self.clone(0), str(self.bare))
        first = Coordination.open(self.clone(0))
        for number in range(self.case.tasks - len(self.case.later)):
            fields = {"task": f"t{number + 1}", "batch": f"b{number + 1}", "title": "trial", "runner": "echo"}
            task = Task.model_validate({**fields, "created_at": now(), "max_attempts": self.case.attempts})
            first.add_batch(new_batch(task.batch, 1, "somebody"), [task])
            self.tasks.append(task)
        first.fold()
        for number in range(1, self.case.hosts):
            git(self.folder, "clone", "-q", str(self.bare), str(self.clone(number)))

    def copy(self, folder: Path) -> "World":
        """The same elsewhere; the clones take ids of their own there when they are opened."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copy = World(self.case, folder, list(self.tasks))
        for number in range(self.case.hosts):
            git(copy.clone(number), "remote", "set-url", "origin", str(copy.bare))
        return copy

    def start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every process of every clone is there, and has seen the tasks."""
        self._patch(monkeypatch)
        for number, clone in enumerate(self.case.owners):
            if clone < self.case.hosts:
                self.begin(number, 0)
                self.actors[number].coordination.pull()

    def begin(self, number: int, life: int) -> None:
        clone = self.case.owners[number]
        self.actors[number] = Actor(number, life, clone, self.clone(clone))

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who a process is and whether it lives is the walk's business, as is when the remote is asked."""
        for module in (claims_module, locks):
            monkeypatch.setattr(module, "own_process", lambda: _HERE.actor.identity)
            monkeypatch.setattr(module, "process_alive", self._is_alive)
        monkeypatch.setattr(claims_module, "process_gone", lambda *who: who in self.dead)
        monkeypatch.setattr(claims_module, "boot_id", lambda: _HERE.actor.identity[2])
        for module in (claims_module, cancelling):
            monkeypatch.setattr(module, "seen_for", lambda *_: _LONG)
        monkeypatch.setattr(commits, "time", SimpleNamespace(time=lambda: self.clock))
        monkeypatch.setattr(publishing, "time", SimpleNamespace(sleep=lambda _s: None))
        for module in (claims_module, publishing):
            monkeypatch.setattr(module, "pull", _gated_pull)
        real_push, real_read, real_waiting = RemoteRefs.transaction, RemoteRefs.read_back, Outbox.waiting

        def push(refs: RemoteRefs, updates: list[Update], *, atomic: bool) -> list[Outcome]:
            activity = _activity()
            if activity is None or not updates:
                return real_push(refs, updates, atomic=atomic)
            answer = activity.stand("push")
            if answer == "air":
                self.air.append(Sent(activity.kind, activity.actor, refs, list(updates)))
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

    def _is_alive(self, *who: object) -> bool:
        ours = who[2] == _HERE.actor.identity[2]  # of another boot nobody knows
        return ours and who in {actor.identity for actor in self.actors.values()}

    def take(self, step: Step, before: State, after: State) -> None:
        """Do what the step says, and what follows from it without anybody else."""
        actor = self.actors.get(step.who)
        if step.kind == "copy":
            self._copy(step)
        elif step.kind == "restart":
            self.begin(step.who, after.processes[step.who].life)
        elif step.kind == "arrives":
            self._arrive(step, before, after)
        elif step.kind == "crash":
            assert actor is not None
            self._crash(actor, step, before)
        elif step.kind in ("publish", "publish again", "settle", "look late", "leave", "search"):
            assert actor is not None
            self._flush(actor, step)
        else:
            assert actor is not None
            with acting(actor):
                _STEPS[step.kind](self, actor, step)
            self._follow(actor)
        self._settle_locks()

    def _follow(self, actor: Actor) -> None:
        """What a process does by itself when its claim was won or lost."""
        activity = actor.activity
        if activity is None or activity.at is not None:
            return
        actor.activity = None
        if activity.kind == "cancel":
            return  # its result, if any, is in the outbox
        won = activity.result[0] if isinstance(activity.result, list) and activity.result else activity.result
        actor.claim = won if isinstance(won, Claim) else None
        if actor.claim is not None and actor.claim.record.attempt > self.case.attempts:
            self.enter(actor, "failed")

    def enter(self, actor: Actor, status: str) -> None:
        """The result of the claim in hand is in the outbox."""
        claim = actor.claim
        assert claim is not None
        attempt = min(claim.record.attempt, self.case.attempts)
        result = result_for(actor.coordination, claim, status=status, attempt=attempt)
        actor.coordination.record([(claim, result, {})])
        actor.entered[result.nonce] = claim.task.task
        actor.claim = None

    def _settle_locks(self) -> None:
        for actor in self.actors.values():
            states = actor.coordination.outbox.states(list(actor.entered))
            for nonce, state in states.items():
                if state != "queued":
                    actor.coordination.locks.release(actor.entered.pop(nonce))

    def _crash(self, actor: Actor, step: Step, before: State) -> None:
        if step.how == "run":
            assert actor.claim is not None
            actor.coordination.claims.started(actor.claim)
        publishing_now = before.clone(actor.clone).publishing
        flush = self.flushes.get(actor.clone)
        if flush is not None and flush.actor is actor:
            del self.flushes[actor.clone]
            _kill(flush)
        assert publishing_now is None or publishing_now.process != actor.number or flush is not None
        _kill(actor.activity)
        self.dead.add(actor.identity)
        del self.actors[actor.number]

    def _arrive(self, step: Step, before: State, after: State) -> None:
        """The push that the walk says lands; the remote must take it."""
        if step.token is not None:
            who, tasks = step.token.process, {step.token.task}
            mine = [one for one in self.air if (one.actor.number, one.tasks) == (who, tasks)]
        else:
            (tip,) = set(after.tips) - set(before.tips)
            assert tip is not None
            tasks = {
                token.task for token in after.landed - before.landed if token.state in (RUNNING, CANCELLED)
            }
            mine = [one for one in self.air if (one.actor.clone, one.tasks) == (tip.clone, tasks)]
            mine = [one for one in mine if one.kind == "flush"]
        for one in mine:
            if set(one.refs.transaction(one.updates, atomic=one.kind == "flush")) == {Outcome.APPLIED}:
                self.air.remove(one)
                return
        raise AssertionError(f"none of {len(mine)} pushes on their way lands")

    def _copy(self, step: Step) -> None:
        target = self.clone(step.who)
        shutil.copytree(self.clone(0), target, symlinks=True)
        if step.how == "image":
            path = target / ".git" / "cortex" / "host.json"
            marks = path.parent.stat()
            kept = json.loads(path.read_text()) | {"device": marks.st_dev, "inode": marks.st_ino}
            path.write_text(json.dumps(kept))
        self.begin(self.case.of_clone[step.who][0], 0)

    def _flush(self, actor: Actor, step: Step) -> None:
        flush = self.flushes.get(actor.clone)
        if flush is None or flush.at is None:
            flush = self.flushes[actor.clone] = Activity(actor, "flush", actor.coordination.flush)
        if step.kind in ("publish", "publish again"):
            self.clock += step.kind == "publish"
            flush.go("batch")
            flush.go("push", step.how if step.how in ("lost", "air") else "")
        else:
            flush.go({"settle": "read", "look late": "read", "leave": "fetch", "search": "fetch"}[step.kind])
        while flush.at is not None and not _has_queued(flush) and flush.at in ("batch", "push"):
            flush.go(flush.at)  # nothing more waits but results to be kept as fenced

    def task(self, number: int) -> Task:
        while number >= len(self.tasks):
            first = self.tasks[0]
            self.tasks.append(
                first.model_copy(
                    update={"task": f"{first.task}-r1", "batch": "tasks", "retry_of": first.task}
                )
            )
        return self.tasks[number]


def _has_queued(flush: Activity) -> bool:
    query = "SELECT 1 FROM outbox WHERE state = 'queued'"
    return flush.actor.coordination.repository.state.execute(query).fetchone() is not None


def _gated_pull(repository: Any, *, not_before: float | None = None) -> index.View:
    if (activity := _activity()) is not None:
        activity.stand("fetch")
    return pull(repository)


def _kill(activity: Activity | None) -> None:
    if activity is not None and activity.at is not None:
        activity.go(activity.at, "die")
        assert isinstance(activity.error, Killed), activity.error


def _claim(world: World, actor: Actor, step: Step) -> None:
    if actor.claim is not None:  # of its own whose worker died
        claim, actor.claim = actor.claim, None
        actor.activity = Activity(actor, "claim", lambda: actor.coordination.claims.take_over(claim))
    else:
        view = index.refresh(actor.coordination.repository)
        task = world.task(step.task)
        actor.activity = Activity(
            actor, "claim", lambda: actor.coordination.claims.claim([task], view, lambda _: actor.name)
        )
    actor.activity.go("push", step.how if step.how in ("lost", "air") else "")
    if step.how == "refused":
        actor.activity.go("read")


def _cancel(world: World, actor: Actor, step: Step) -> None:
    view = index.refresh(actor.coordination.repository)
    task = world.task(step.task)
    actor.activity = Activity(actor, "cancel", lambda: actor.coordination._canceller._enter([task], view))
    actor.activity.go("push", step.how)


def _go(operation: str) -> Callable[[World, Actor, Step], None]:
    def go(_world: World, actor: Actor, _step: Step) -> None:
        assert actor.activity is not None
        actor.activity.go(operation)

    return go


def _run(world: World, actor: Actor, _step: Step) -> None:
    assert actor.claim is not None
    actor.coordination.claims.started(actor.claim)
    world.enter(actor, "completed")


def _fail(world: World, actor: Actor, _step: Step) -> None:
    assert actor.claim is not None
    actor.coordination.claims.started(actor.claim)
    if actor.claim.record.attempt >= world.case.attempts:
        world.enter(actor, "failed")


def _worker_dies(_world: World, actor: Actor, _step: Step) -> None:
    assert actor.claim is not None
    actor.coordination.claims.started(actor.claim)


def _put_off(_world: World, actor: Actor, _step: Step) -> None:
    assert actor.claim is not None
    actor.coordination.claims.put_off(actor.claim)
    actor.claim = None


def _give_back(_world: World, actor: Actor, _step: Step) -> None:
    assert actor.claim is not None
    actor.coordination.claims.release([actor.claim])
    actor.claim = None


def _tidy(_world: World, actor: Actor, _step: Step) -> None:
    actor.coordination.claims.drop_left(index.refresh(actor.coordination.repository))


def _give_back_late(_world: World, actor: Actor, _step: Step) -> None:
    actor.coordination.claims.claim([], index.refresh(actor.coordination.repository), lambda _: actor.name)


def _fold(_world: World, actor: Actor, _step: Step) -> None:
    repository = actor.coordination.repository
    assert folding.fold(repository, index.refresh(repository)) is not None


def _archive(world: World, actor: Actor, step: Step) -> None:
    repository = actor.coordination.repository
    view = index.refresh(repository)
    base, others = folding.parents(repository, view)
    assert others == []
    due, kept = archivable.look(repository, view, base, 0.0, [world.task(step.task).batch])
    assert kept == []
    held = archiving._hold(repository, base, due)
    assert held and archiving._move(repository, view, base, held)


def _retry(world: World, actor: Actor, step: Step) -> None:
    entry = added_documents(actor.coordination.repository, [world.task(step.task)])
    assert entry is not None
    actor.coordination.outbox.add([entry])


_STEPS: dict[str, Callable[[World, Actor, Step], None]] = {
    "claim": _claim,
    "reclaim": _claim,
    "take over": _claim,
    "cancel": _cancel,
    "end cancel": _cancel,
    "read back": _go("read"),
    "check": _go("fetch"),
    "drop": _go("push"),
    "fetch": lambda _world, actor, _step: actor.coordination.pull() and None,
    "run": _run,
    "fail": _fail,
    "worker dies": _worker_dies,
    "release": _put_off,
    "give back": _give_back,
    "tidy": _tidy,
    "give back late": _give_back_late,
    "fold": _fold,
    "archive": _archive,
    "retry": _retry,
}


def told(token: Token, case: Case, *, ended: bool = False) -> tuple[object, ...]:
    """What the remote can tell of a claim, or of a result that ended one."""
    who = "canceller" if token.state == CANCELLED else f"p{token.process}-{token.life}"
    if ended:
        return token.task, token.epoch, min(token.attempt, case.attempts), who
    return token.task, token.state, token.epoch, token.attempt, who


def expected(case: Case, state: State) -> dict[str, object]:
    """What the model says is on the remote and in the clones."""
    seen = {item for tip in state.tips if tip for item in tip.tree} | state.branch.tree
    results = {item.token if isinstance(item, Kept) else item for item in seen}
    return {
        "claims": {told(token, case) for token in state.claims if token},
        "results": {
            told(token, case, ended=True) for token in results if token.state in (RUNNING, CANCELLED)
        },
        "waiting": [len(clone.waiting) for clone in state.clones if clone],
        "fenced": [len(clone.fenced) for clone in state.clones if clone],
        "known": [[token is not None for token in clone.known] for clone in state.clones if clone],
    }


def found(world: World, state: State) -> dict[str, object]:
    """The same as it is."""
    case, remote = world.case, world.remote
    refs = remote.refs("refs/cortex/claims/", "refs/cortex/results/", "refs/heads/main")
    bodies = remote.blobs(f"{oid}:claim.json" for ref, oid in refs.items() if "/claims/" in ref)
    claims = [json.loads(body) for body in bodies.values()]
    results: set[tuple[object, ...]] = set()
    for oid in {oid for ref, oid in refs.items() if "/claims/" not in ref}:
        results |= world.results_in(oid)
    clones = [world.observer(number) for number, clone in enumerate(state.clones) if clone is not None]
    names = [f"t{n + 1}" if n not in case.later else "t1-r1" for n in range(case.tasks)]
    known = [index.with_result(clone.repository, names) for clone in clones]
    return {
        "claims": {(number_of(c["task"]), c["state"], c["epoch"], c["attempt"], c["worker"]) for c in claims},
        "results": results,
        "waiting": [len(clone.outbox.waiting()) for clone in clones],
        "fenced": [
            len([*clone.outbox.waiting("fencing"), *clone.outbox.waiting("fenced")]) for clone in clones
        ],
        "known": [[name in finished for name in names] for finished in known],
    }


def number_of(task: str) -> int:
    return 1 if task.endswith("-r1") else int(task[1:]) - 1
