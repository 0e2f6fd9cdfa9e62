"""What the model knows of the world: the remote, the clones, their processes, and the faults that are left.

Owns the states, which are hashable and hold nothing of how they came about, and the cases: how many of
everything. A state never changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from cortex_git.analysis.model.promises import Wrong

RUNNING, RELEASED, CANCELLED, ADDED = "running", "released", "cancelled", "added"
"""States of a claim; what is `added` is no claim, but the document of a task that does another again."""
IDLE, UNSURE, CHECK, DROP, READY, FAILED, ORPHAN, DEAD = (
    "idle", "unsure", "check", "drop", "ready", "failed", "orphan", "dead"
)  # fmt: skip
"""Stages of a process. `unsure`: its claim had no answer; `check`: acknowledged, and to be looked at;
`drop`: to be given back, as the task is finished; `ready`: in hand; `failed`: the attempt failed and the
claim is to be released; `orphan`: its worker died."""


class Token(NamedTuple):
    """One claim object, and the nonce of the result that is made under it."""

    task: int
    process: int
    life: int
    """Of the process: how often it had died before."""
    state: str
    epoch: int
    attempt: int
    nonce: int
    """The smallest number by which no other token of the state has the same fields."""
    revived: bool = False
    """It took the place of a cancelled claim, to run the task. Never but by mutation."""


class Kept(NamedTuple):
    """A result of an archived task, in the batch's tombstone."""

    token: Token


Item = Token | Kept
"""What a tree holds: results, and what tombstones say of results."""


class Tip(NamedTuple):
    """A commit that a host's result ref can point to."""

    host: int
    place: int
    """How many pushes of that host's ref it ends."""
    clone: int
    """Who made it."""
    serial: int
    tree: frozenset[Item]


class Branch(NamedTuple):
    """The branch that results are folded into."""

    tree: frozenset[Item]
    contains: tuple[int, ...]
    """By host id: how many pushes of its ref."""


class Intent(NamedTuple):
    """A push that was about to be made."""

    base: Tip | None
    tip: Tip
    tokens: tuple[Token, ...]


class Flight(NamedTuple):
    """A push whose sender has heard no answer, and which may arrive yet: of a claim, or of results."""

    token: Token | None
    replaces: Token | None
    push: Intent | None = None


class Publishing(NamedTuple):
    """A flush between two operations on the remote; it holds the clone's publish lock."""

    process: int
    stage: str
    """`ask`: no answer came; `stale`: our ref was not what we thought; `leave`: it is not ours; `search`:
    claims were stale."""
    tokens: tuple[Token, ...]


class Fetching(NamedTuple):
    """A fetch that read some refs and not the rest yet; it holds the clone's fetch lock."""

    process: int
    claims: tuple[Token | None, ...]
    tips: tuple[Tip | None, ...]
    branch: Branch
    published: frozenset[Token]
    """What any reader that began here must come to know."""


class Clone(NamedTuple):
    """What survives the processes of a clone: its id, what it saw, its outbox."""

    host: int
    claims: tuple[Token | None, ...]
    known: tuple[Token | None, ...]
    """By task: the result in its index."""
    added: tuple[bool, ...]
    """By task: whether its index has the task."""
    tips: tuple[Tip | None, ...]
    branch: Branch
    waiting: tuple[Token, ...] = ()
    fenced: tuple[Token, ...] = ()
    open: tuple[Intent, ...] = ()
    """Pushes whose outcome nobody has recorded, newest first."""
    given_up: frozenset[Intent] = frozenset()
    tip: Tip | None = None
    publishing: Publishing | None = None
    fetching: Fetching | None = None
    unstarted: frozenset[Token] = frozenset()
    """Claims of dead processes whose lock says that no worker was on the task."""


class Process(NamedTuple):
    stage: str
    token: Token | None = None
    life: int = 0
    disowned: frozenset[Token] = frozenset()
    """Claims that were not there when it looked, and that may arrive yet."""

    @property
    def held(self) -> Token:
        """The claim that it has or tries to have. Raises ValueError where there is none."""
        if self.token is None:
            raise ValueError(f"a process that is {self.stage} holds no claim")
        return self.token


class Left(NamedTuple):
    """Faults and wishes that may still come."""

    crashes: int
    lost: int
    suspicions: int
    failures: int
    drains: int
    cancels: int
    copies: int


class State(NamedTuple):
    claims: tuple[Token | None, ...]
    tips: tuple[Tip | None, ...]
    """By host id."""
    branch: Branch
    landed: frozenset[Token]
    """Everything that was ever published."""
    air: frozenset[Flight]
    clones: tuple[Clone | None, ...]
    processes: tuple[Process, ...]
    left: Left
    runs: frozenset[tuple[int, int, int]]
    """(task, epoch, attempt) of every run."""
    failed: tuple[int, ...]
    """By task: runs that ended as a failed attempt."""
    acted: int = 0
    """Clones that have done anything: alike as they are, they begin in their order."""

    def clone(self, index: int) -> Clone:
        """A clone that is there. Raises ValueError where it is none yet."""
        found = self.clones[index]
        if found is None:
            raise ValueError(f"clone {index} is not there yet")
        return found

    def with_clone(self, index: int, clone: Clone) -> "State":
        """The same with another value for one clone."""
        return self._replace(clones=put(self.clones, index, clone))


class Step(NamedTuple):
    """What happened between two states: `who` is a process or, for `copy`, a clone."""

    kind: str
    who: int
    task: int = -1
    how: str = ""
    """How the remote's answer went: empty as it should, else `lost` or `air`; or a variant of the step."""
    token: Token | None = None


class Next(NamedTuple):
    step: Step
    state: State
    fault: bool = False
    """Nothing that must happen for work to go on."""
    wrong: Wrong | None = None
    """The promise that is broken by it, and how."""


@dataclass(frozen=True)
class Case:
    """How many of everything, and which parts of the protocol are taken out."""

    name: str
    about: str = ""
    hosts: int = 2
    processes: tuple[int, ...] = ()
    """Of each clone; one where it says nothing."""
    tasks: int = 1
    attempts: int = 2
    """The most attempts of a task."""
    crashes: int = 0
    lost: int = 0
    suspicions: int = 0
    failures: int = 0
    drains: int = 0
    cancels: int = 0
    copies: int = 0
    folds: bool = False
    archives: bool = False
    slow_fetch: bool = False
    """A fetch is two steps, so that others act in its midst."""
    retries: bool = False
    """The last task is no task until somebody adds it, to do the first one again."""
    without: frozenset[str] = field(default=frozenset())

    @cached_property
    def owners(self) -> tuple[int, ...]:
        """By process, its clone. A copy has one process."""
        counts = [self.processes[n] if n < len(self.processes) else 1 for n in range(self.hosts)]
        counts += [1] * self.copies
        return tuple(clone for clone, count in enumerate(counts) for _ in range(count))

    @cached_property
    def of_clone(self) -> tuple[tuple[int, ...], ...]:
        """By clone, its processes."""
        clones = range(self.hosts + self.copies)
        return tuple(tuple(p for p, c in enumerate(self.owners) if c == clone) for clone in clones)

    @cached_property
    def later(self) -> frozenset[int]:
        """The tasks that are not there from the beginning."""
        return frozenset({self.tasks - 1} if self.retries else ())

    @cached_property
    def calm(self) -> bool:
        """Whether every task must run exactly once: nobody dies, is suspected, or is told to stop."""
        return not (self.crashes or self.suspicions or self.cancels or self.copies)

    @cached_property
    def first(self) -> State:
        """Nothing has happened: the tasks are there, and everybody knows them."""
        nobody: tuple[None, ...] = (None,) * self.tasks
        clones = self.hosts + self.copies
        tips: tuple[None, ...] = (None,) * (2 * clones)  # each clone may take one more id
        branch = Branch(frozenset(), (0,) * (2 * clones))
        added = tuple(task not in self.later for task in range(self.tasks))
        made: list[Clone | None] = [Clone(n, nobody, nobody, added, tips, branch) for n in range(self.hosts)]
        left = Left(
            self.crashes, self.lost, self.suspicions, self.failures, self.drains, self.cancels, self.copies
        )
        return State(
            nobody, tips, branch, frozenset(), frozenset(), (*made, *[None] * self.copies),
            (Process(IDLE),) * len(self.owners), left, frozenset(), (0,) * self.tasks,
        )  # fmt: skip


def alive(state: State, token: Token) -> bool:
    """Whether the process that made the claim lives."""
    process = state.processes[token.process]
    return process.life == token.life and process.stage != DEAD


def tokens_of(state: State) -> Iterator[Token | None]:
    """Every token that a state mentions, some more than once."""
    yield from state.claims
    yield from state.landed
    for flight in state.air:
        yield flight.token
        yield flight.replaces
    for process in state.processes:
        yield process.token
        yield from process.disowned
    for clone in state.clones:
        if clone is not None:
            yield from clone.claims
            yield from clone.waiting
            yield from clone.fenced
            yield from clone.unstarted
            if clone.fetching:
                yield from clone.fetching.claims


def fresh(state: State, token: Token) -> Token:
    """The token with a nonce that no other has."""
    taken = {other for other in tokens_of(state) if other is not None and other.task == token.task}
    while token in taken:
        token = token._replace(nonce=token.nonce + 1)
    return token


def put(values: tuple, index: int, value: object) -> tuple:  # type: ignore[type-arg]
    """The tuple with another value at one place."""
    return (*values[:index], value, *values[index + 1 :])
