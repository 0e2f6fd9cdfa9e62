"""What a batch would do on machines that are not there: hosts, workers and one remote, event by event.

Owns what comes out, and which wall binds; `simulation_setup` has what goes in, `simulated_host` the parts of
a host: the loop that hands out tasks and records results, the claimer that claims ahead, the committer that
publishes, and the gate of the token limit. What an operation costs is measured (`bench simulation`). Left
out: failures, takeovers, recycling, tasks that differ in tokens.
"""

import importlib.util
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from cortex_git.analysis.simulation_setup import Costs, Setup
from cortex_git.errors import BadInput, EnvironmentProblem

if TYPE_CHECKING:
    from cortex_git.analysis.simulated_host import SimulatedHost

MOST_TASK_S = 1e9
"""Seconds that no task takes: who says more is not believed."""
LOSSES = ("memory", "bounds", "rate", "remote", "host", "tasks")
"""What keeps wanted workers from working, see `Simulated.shares`."""
_NOT_STARTED = ("memory", "bounds")
BINDS_FROM = 0.10
"""A loss of a smaller part of the started workers' time binds nothing."""
_SLICES = 20


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
