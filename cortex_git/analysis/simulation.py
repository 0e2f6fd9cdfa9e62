"""What a batch would do on machines that are not there: hosts, workers and one remote, event by event.

Owns what goes in and what comes out, and which wall binds; `simulated_host` has the parts of a host: the loop
that hands out tasks and records results, the claimer that claims ahead, the committer that publishes, and the
gate of the token limit. What an operation costs is measured (`bench simulation`). Left out: failures,
takeovers, recycling, tasks that differ in tokens.
"""

import importlib.util
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, cast

from cortex_git.errors import BadInput, EnvironmentProblem

if TYPE_CHECKING:
    from cortex_git.analysis.simulated_host import SimulatedHost

MOST_A_HOST = 64
"""Workers that one host may have."""
MOST_TASK_S = 1e9
"""Seconds that no task takes: who says more is not believed."""
LOSSES = ("memory", "bounds", "rate", "remote", "host", "tasks")
"""What keeps wanted workers from working, see `Simulated.shares`."""
_NOT_STARTED = ("memory", "bounds")
BINDS_FROM = 0.10
"""A loss of a smaller part of the started workers' time binds nothing."""
_SLICES = 20
_COUNTED = ("turn", "record", "look", "claim", "push", "fold")
_MEASURE = "measure them with `cortex-git bench simulation --format json`"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of an operation by the number of things in it."""

    fixed_s: float
    each_s: float = 0.0

    def of(self, count: float) -> float:
        return self.fixed_s + self.each_s * count


@dataclass(frozen=True, slots=True)
class Costs:
    """What a host and the remote need for each thing they do, in seconds, on the machine it is from."""

    start_s: float
    """From a batch's start to its claimer's first look."""
    turn: Cost
    """To hand one task to one of so many workers, and take it back."""
    record: Cost
    """To enter so many results into the outbox."""
    look: Cost
    """To fetch what is new, of so many results."""
    claim: Cost
    """To claim so many tasks in one push, and look again."""
    push: Cost
    """To publish so many results."""
    fold: Cost
    """To fold so many results into the branch."""
    remote_at_once: int
    """Operations that the remote carries out at a time; the others wait."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, found: object) -> "Costs":
        """Of what `to_json` gave. Raises BadInput where that is not it."""
        try:
            parts = dict(cast(Mapping[str, Any], found))
            turn, record, look, claim, push, fold = (Cost(**parts.pop(name)) for name in _COUNTED)
            made = cls(turn=turn, record=record, look=look, claim=claim, push=push, fold=fold, **parts)
            seconds = [
                made.start_s,
                *(value for name in _COUNTED for value in asdict(getattr(made, name)).values()),
            ]
            right = all(0 <= float(value) < 1e6 for value in seconds)
        except (TypeError, KeyError, ValueError) as error:
            raise BadInput(f"these are no costs of operations: {error}", _MEASURE) from None
        if not right or not isinstance(made.remote_at_once, int) or made.remote_at_once < 1:
            raise BadInput("costs of operations must be seconds from 0 up", _MEASURE)
        return made


TYPICAL = Costs(
    start_s=0.02,
    turn=Cost(0.006, 0.00005),
    record=Cost(0.002, 0.001),
    look=Cost(0.03),
    claim=Cost(0.064, 0.0003),
    push=Cost(0.040, 0.0004),
    fold=Cost(0.05, 0.0003),
    remote_at_once=2,
)
"""Rounded from this project's published measurements (2 cores, local bare remote): 7,784 no-ops a minute on
1 worker and 6,126 on 40; a claim in 64 ms and 100 in 93; 20 results published in 70 ms and 200 in 316; 400
folded in 180. To go by only where this machine's own were not measured."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is simulated: so many workers in all, on so many hosts alike, before one remote."""

    workers: int
    hosts: int = 1
    memory_workers: int | None = None
    """Workers that a host's memory holds; None: no matter how many."""
    most_a_host: int = MOST_A_HOST
    tokens_per_min: int | None = None
    """Of the account, for all hosts together; each has an equal part."""
    tokens_per_task: int = 0
    round_trip_s: float = 0.0
    """To the remote and back, on top of what its operations cost."""
    fold_every_s: float = 10.0
    heartbeat_s: float = 20.0

    def started(self) -> list[int]:
        """Workers of each host, after its memory and its bounds."""
        share, more = divmod(self.workers, self.hosts)
        most = min(self.most_a_host, self.memory_workers or self.most_a_host)
        return [min(share + (number < more), most) for number in range(self.hosts)]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time and what bound most in it: one of `LOSSES`, or `workers`."""

    from_s: float
    to_s: float
    wall: str


@dataclass(frozen=True, slots=True)
class Simulated:
    """How one setup did. Times are seconds of virtual time, from the batch's start."""

    setup: Setup
    started: int
    tasks: int
    makespan_s: float
    """To the last result that the remote acknowledged."""
    ideal_s: float
    """The tasks' own time divided by the workers started; nothing can be faster."""
    pushes: int
    wall: str
    """What binds over the whole: what the started workers lose most by, if that is `BINDS_FROM` of their time
    or more; else `memory` or `bounds` where some were not started; else `workers`: more would do more."""
    shares: dict[str, float]
    """Parts of the time of all workers wanted: `busy`, and each of `LOSSES`; they add up to 1.

    memory, bounds: not started for want of memory, or because a host may have no more. rate: waiting for
    tokens. remote: idle, and tasks are still to be claimed, or all have ended and are still to be published.
    host: idle with a claim at hand, while the host's loop is at something else. tasks: idle, nothing left to
    claim.
    """
    when: tuple[Phase, ...]

    @property
    def tasks_per_min(self) -> float:
        return 60 * self.tasks / self.makespan_s

    def to_json(self) -> dict[str, Any]:
        return {
            "hosts": self.setup.hosts,
            "workers": self.setup.workers,
            "started": self.started,
            "tasks": self.tasks,
            "tasks_per_min": round(self.tasks_per_min, 2),
            "makespan_s": round(self.makespan_s, 3),
            "ideal_s": round(self.ideal_s, 3),
            "pushes": self.pushes,
            "wall": self.wall,
            "shares": {name: round(share, 4) for name, share in self.shares.items()},
            "when": [
                asdict(phase) | {"from_s": round(phase.from_s, 3), "to_s": round(phase.to_s, 3)}
                for phase in self.when
            ],
        }


def drawn(quantiles: Sequence[float], count: int, seed: int) -> list[float]:
    """`count` task times in seconds, drawn from an empirical distribution, the same for the same seed.

    `quantiles`: observed seconds, or evenly spaced quantiles of them; between two the distribution is
    taken to be even. Raises BadInput for none, or for times below 0.
    """
    known = sorted(quantiles)
    if not known or not known[0] >= 0 or known[-1] > MOST_TASK_S:
        raise BadInput("task times must be 0 seconds or more, and at least one", "give --task-seconds")
    chance = random.Random(seed)  # noqa: S311 - no secret
    found = []
    for _ in range(count):
        place = chance.random() * (len(known) - 1)
        below = int(place)
        above = min(below + 1, len(known) - 1)
        found.append(known[below] + (known[above] - known[below]) * (place - below))
    return found


def simulate(setup: Setup, tasks: Sequence[float], costs: Costs, seed: int = 1) -> Simulated:
    """Run a batch of tasks that take so many seconds each; the same for the same seed.

    Raises BadInput for a setup without workers or tasks, EnvironmentProblem without simpy.
    """
    if setup.workers < setup.hosts or setup.hosts < 1 or not tasks or setup.most_a_host < 1:
        raise BadInput(
            f"{setup.workers} workers on {setup.hosts} hosts with {len(tasks)} tasks make no batch",
            "give each host a worker, and at least one task",
        )
    if importlib.util.find_spec("simpy") is None:
        raise EnvironmentProblem("a simulation needs simpy", "pip install 'cortex-git[plan]'")
    from cortex_git.analysis.simulated_host import World

    world = World(setup, tasks, costs, seed)
    world.run()
    started = sum(host.size for host in world.hosts)
    makespan_s = max(host.acknowledged_at for host in world.hosts)
    if makespan_s <= 0:
        raise BadInput("tasks and operations that take no time have no throughput", "give --task-seconds")
    slices = _slices(setup, world.hosts, makespan_s)
    total = setup.workers * makespan_s
    shares = {name: sum(one[name] for one in slices) / total for name in ("busy", *LOSSES)}
    return Simulated(
        setup=setup,
        started=started,
        tasks=len(tasks),
        makespan_s=makespan_s,
        ideal_s=sum(tasks) / started,
        pushes=sum(host.pushes for host in world.hosts),
        wall=_binding(shares),
        shares=shares,
        when=tuple(_phases(slices, makespan_s)),
    )


def _binding(spent: dict[str, float]) -> str:
    """What binds, of the worker-seconds of each kind: first what keeps those that were started from working.

    Only where they work may further ones be of use, and what keeps them from being started binds.
    """
    started = sum(seconds for name, seconds in spent.items() if name not in _NOT_STARTED)
    worst = max((name for name in LOSSES if name not in _NOT_STARTED), key=lambda name: spent[name])
    if spent[worst] >= BINDS_FROM * started:
        return worst
    short = max(_NOT_STARTED, key=lambda name: spent[name])
    return short if spent[short] > 0 else "workers"


def _slices(setup: Setup, hosts: "Sequence[SimulatedHost]", makespan_s: float) -> list[dict[str, float]]:
    """Worker-seconds of each kind in each of so many equal parts of the time."""
    width = makespan_s / _SLICES
    found = [dict.fromkeys(("busy", *LOSSES), 0.0) for _ in range(_SLICES)]
    share, more = divmod(setup.workers, setup.hosts)
    for number, host in enumerate(hosts):
        wanted = share + (number < more)
        missing = wanted - host.size
        short = "memory" if setup.memory_workers == host.size else "bounds"
        for part in found:
            part[short] += missing * width
        ends = [*host.history[1:], (makespan_s, (0, 0, 0, 0))]
        for (since, states), (until, _) in zip(host.history, ends, strict=True):
            _spread(found, width, since, min(until, makespan_s), (host.size, *states))
    return found


def _spread(
    slices: list[dict[str, float]], width: float, since: float, until: float, states: tuple[int, ...]
) -> None:
    """Enter what a host's workers did between two moments into the slices that hold them."""
    size, busy, rate, remote, host = states
    counts = {"busy": busy, "rate": rate, "remote": remote, "host": host}
    counts["tasks"] = size - sum(counts.values())
    place = min(int(since / width), _SLICES - 1)
    while since < until:
        end = until if place == _SLICES - 1 else min(until, (place + 1) * width)
        for name, count in counts.items():
            slices[place][name] += count * (end - since)
        since, place = end, min(place + 1, _SLICES - 1)


def _phases(slices: Sequence[dict[str, float]], makespan_s: float) -> list[Phase]:
    """What binds in turn; equal neighbours are one."""
    width = makespan_s / len(slices)
    found: list[Phase] = []
    edges = pairwise(accumulate([0.0, *[width] * len(slices)]))
    for part, (since, until) in zip(slices, edges, strict=True):
        wall = _binding(part)
        if found and found[-1].wall == wall:
            found[-1] = Phase(found[-1].from_s, until, wall)
        else:
            found.append(Phase(since, until, wall))
    return found
