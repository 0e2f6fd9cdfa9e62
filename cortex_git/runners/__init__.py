"""Runners: the code that carries out a task. One Protocol, one explicit dict, and entry points for others'.

Owns how a runner is found. A runner never touches the coordination repository: it gets a task and
returns an outcome.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from cortex_git.errors import BadInput

if TYPE_CHECKING:
    from cortex_git.config import HostSettings

ENTRY_POINTS = "cortex_git.runners"
"""Entry point group under which other packages offer runners."""

OutcomeStatus = Literal["completed", "failed", "timed_out", "budget_exhausted"]


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a runner may know about its attempt."""

    worker: str
    attempt: int
    deadline_s: float
    """Seconds this attempt may take; the pool ends it after that."""
    budget: int
    """Tokens this attempt may use."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the batch command set for all its tasks, from this host only."""
    epoch: int = 1
    host: str = ""
    nonce: str = ""
    """Of the claim; the attempt's allocation in the token ledger goes by it."""
    folder: str = ""
    """The clone of the coordination repository, for what this host keeps in its `.git/cortex`."""
    earlier: Mapping[str, Any] = field(default_factory=dict)
    """The output of the attempt that this one continues."""
    so_far: dict[str, Any] = field(default_factory=dict)
    """What the runner has done until now: the output of an attempt that is cut off."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of one attempt. `retry` says whether another attempt could end differently."""

    status: OutcomeStatus
    output: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    retry: bool = False
    tokens_used: int = 0


class Runner(Protocol):
    """A module or object that carries out tasks; one instance per worker process."""

    def run(self, task: Mapping[str, Any], context: RunContext) -> RunOutcome:
        """Carry out `task` (the JSON of a task document). Exceptions count as a failed attempt."""
        ...

    def preload(self) -> None:
        """Import what every task needs; called once in the process that workers are forked from."""
        ...


RUNNERS: dict[str, str] = {
    "bump": "cortex_git.runners.bump",
    "claude": "cortex_git.runners.claude",
    "command": "cortex_git.runners.command",
    "echo": "cortex_git.runners.echo",
    "openai": "cortex_git.runners.openai",
    "replay": "cortex_git.runners.replay",
    "scan": "cortex_git.runners.scan",
    "sleep": "cortex_git.runners.sleep",
    "trial": "cortex_git.runners.trial",
}
"""Our own runners, each a module with `run` and `preload`."""

METERED = frozenset({"claude", "command", "openai", "replay"})
"""Those of ours whose attempts may spend tokens; others' say so by an attribute `metered`."""

READS_REPOSITORIES = frozenset({"bump", "claude", "openai", "replay", "scan"})
"""Runners that fetch the repository a task names; others may take any word for it."""
HARMLESS = frozenset({"echo", "scan", "sleep", "trial"})
"""Those whose output holds only what they were given or looked up, and is published as it is."""

FOR_MEASUREMENTS = frozenset({"trial"})
"""Those of ours that only a measurement needs ready; no pool imports for them what may take seconds."""

OF_WORKER_TYPE: dict[str, str] = {
    "scan-worker": "scan",
    "implementation-worker": "claude",
    "fix-worker": "claude",
    "analysis-worker": "claude",
    "test-worker": "claude",
    "review-worker": "claude",
    "pr-worker": "claude",
    "documentation-worker": "claude",
}
"""The runner of a worker type where neither the task nor this host names one."""


def load_runner(name: str) -> Runner:
    """The runner called `name`, ours or another package's. Raises BadInput where there is none.

    What follows a `=` in the name is for the runner (`replay=FILE`), and in its `context.options`.
    """
    name = split_name(name)[0]
    module = RUNNERS.get(name)
    if module is not None:
        return cast(Runner, import_module(module))
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINTS, name=name):
        loaded: Callable[[], Runner] | Runner = entry.load()
        return loaded() if isinstance(loaded, type) else cast(Runner, loaded)
    raise BadInput(f"no runner is called {name!r}", f"use one of {', '.join(sorted(RUNNERS))}")


def split_name(name: str) -> tuple[str, str]:
    """`replay=FILE` as the runner's own name and what it is given; the latter is empty for most."""
    own, _, given = name.partition("=")
    return own, given


def metered(name: str) -> bool:
    """Whether an attempt by this runner may spend tokens, and needs them promised first.

    One of another package that cannot be loaded spends none: its attempts fail.
    """
    own = split_name(name)[0]
    return own in METERED if own in RUNNERS else _says_metered(own)


@cache
def _says_metered(name: str) -> bool:
    """Of another package's runner: looking for it reads what every package offers, and a pool asks often."""
    try:
        return bool(getattr(load_runner(name), "metered", False))
    except Exception:
        return False


def ready(name: str) -> None:
    """Raises BadInput where there is no such runner, NoKey or EnvironmentProblem where it cannot work here.

    To be asked before anything is claimed for it.
    """
    check: Callable[[str], None] | None = getattr(load_runner(name), "ready", None)
    if check is not None:
        check(split_name(name)[1])


def names() -> list[str]:
    """Every runner there is here: ours, and those of other packages."""
    from importlib.metadata import entry_points

    return sorted({*RUNNERS, *(entry.name for entry in entry_points(group=ENTRY_POINTS))})


def runner_name(
    task_runner: str, worker_type: str, priority: str = "", host: "HostSettings | None" = None
) -> str:
    """The runner for a task: the one that is named (by --runner or the task), else this host's by worker
    type, else this host's by priority, else the type's default. Raises BadInput where none is.
    """
    own = host.runners if host is not None else {}
    choices = (task_runner, own.get(worker_type), own.get(f"priority:{priority}"))
    name = next(filter(None, choices), None) or OF_WORKER_TYPE.get(worker_type, "")
    if not name:
        raise BadInput(
            f"worker type {worker_type!r} has no runner of its own", "name one with --runner, such as command"
        )
    return name
