"""The model's steps taken by the code: real clones of a real remote, one operation on it at a time."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest
from activities import Activity, Actor, People, acting, kill, number_of, stand_still
from gitworld import git, result_for

from cortex_git.analysis.model.world import CANCELLED, RUNNING, Case, State, Step
from cortex_git.gitio import Git
from cortex_git.models import Task
from cortex_git.state import now
from cortex_git.store import archiving, folding, indexing
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.refs import Outcome
from cortex_git.store.tasks import added_documents, new_batch


@dataclass
class World:
    """A remote and its clones, moved along a walk of the model."""

    case: Case
    folder: Path
    tasks: list[Task] = field(default_factory=list)
    people: People = field(default_factory=People)
    flushes: dict[int, Activity] = field(default_factory=dict)
    """By clone."""
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
        stand_still(monkeypatch, self.people)
        for number, clone in enumerate(self.case.owners):
            if clone < self.case.hosts:
                self.begin(number, 0)
                self.people.actors[number].coordination.pull()

    def begin(self, number: int, life: int) -> None:
        clone = self.case.owners[number]
        self.people.actors[number] = Actor(number, life, clone, self.clone(clone))

    def take(self, step: Step, before: State, after: State) -> None:
        """Do what the step says, and what follows from it without anybody else."""
        actor = self.people.actors.get(step.who)
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
        for actor in self.people.actors.values():
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
            kill(flush)
        assert publishing_now is None or publishing_now.process != actor.number or flush is not None
        kill(actor.activity)
        self.people.dead.add(actor.identity)
        del self.people.actors[actor.number]

    def _arrive(self, step: Step, before: State, after: State) -> None:
        """The push that the walk says lands; the remote must take it."""
        if step.token is not None:
            who, tasks = step.token.process, {step.token.task}
            mine = [one for one in self.people.air if (one.actor.number, one.tasks) == (who, tasks)]
        else:
            (tip,) = set(after.tips) - set(before.tips)
            assert tip is not None
            tasks = {
                token.task for token in after.landed - before.landed if token.state in (RUNNING, CANCELLED)
            }
            mine = [one for one in self.people.air if (one.actor.clone, one.tasks) == (tip.clone, tasks)]
            mine = [one for one in mine if one.kind == "flush"]
        for one in mine:
            if set(one.refs.transaction(one.updates, atomic=one.kind == "flush")) == {Outcome.APPLIED}:
                self.people.air.remove(one)
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
            self.people.clock += step.kind == "publish"
            flush.go("batch")
            flush.go("push", step.how if step.how in ("lost", "air") else "")
        else:
            flush.go({"settle": "read", "look late": "read", "leave": "fetch", "search": "fetch"}[step.kind])
        # What it came for is decided: results that are to be kept as fenced are no step of the model. A push
        # that no batch came before is theirs, whatever was entered meanwhile and waits for the next flush.
        while flush.at == "push" or (flush.at == "batch" and not _has_queued(flush)):
            flush.go(flush.at)

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


def _claim(world: World, actor: Actor, step: Step) -> None:
    if actor.claim is not None:  # of its own whose worker died
        claim, actor.claim = actor.claim, None
        actor.activity = Activity(actor, "claim", lambda: actor.coordination.claims.take_over(claim))
    else:
        view = indexing.refresh(actor.coordination.repository)
        task = world.task(step.task)
        actor.activity = Activity(
            actor, "claim", lambda: actor.coordination.claims.claim([task], view, lambda _: actor.name)
        )
    actor.activity.go("push", step.how if step.how in ("lost", "air") else "")
    if step.how == "refused":
        actor.activity.go("read")


def _cancel(world: World, actor: Actor, step: Step) -> None:
    view = indexing.refresh(actor.coordination.repository)
    task = world.task(step.task)
    actor.activity = Activity(actor, "cancel", lambda: actor.coordination._canceller._enter([task], view))
    actor.activity.go("push", step.how)


def _go(operation: str) -> Callable[[World, Actor, Step], None]:
    def go(_world: World, actor: Actor, _step: Step) -> None:
        assert actor.activity is not None
        actor.activity.go(operation)

    return go


def _fetch(_world: World, actor: Actor, _step: Step) -> None:
    actor.coordination.pull()


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
    actor.coordination.claims.drop_left(indexing.refresh(actor.coordination.repository))


def _give_back_late(_world: World, actor: Actor, _step: Step) -> None:
    actor.coordination.claims.claim([], indexing.refresh(actor.coordination.repository), lambda _: actor.name)


def _fold(_world: World, actor: Actor, _step: Step) -> None:
    repository = actor.coordination.repository
    assert folding.fold(repository, indexing.refresh(repository)) is not None


def _archive(world: World, actor: Actor, step: Step) -> None:
    batch = world.task(step.task).batch
    report = archiving.archive(actor.coordination.repository, 0.0, [batch])
    assert [one.stone.batch for one in report.done] == [batch]


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
    "fetch": _fetch,
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
