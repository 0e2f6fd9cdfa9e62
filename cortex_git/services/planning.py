"""`plan`: where adding workers stops paying on this host and account, and what to change about it.

Owns which figures go into the walls and the curve; `plan_sources` finds them, `analysis.scaling` and
`analysis.usl` judge. Starts nothing but the measurements that were asked for.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cortex_git.analysis.binding import RateShare
from cortex_git.analysis.scaling import Wall, coordination_wall, memory_wall, nearest, rate_wall
from cortex_git.analysis.simulation import Simulated, drawn, simulate
from cortex_git.analysis.simulation_setup import TYPICAL, Costs, Setup
from cortex_git.analysis.usl import LEVEL, Point, Usl, fit
from cortex_git.errors import CortexError
from cortex_git.services.plan_sources import Input, Sources, Throughput, Wishes
from cortex_git.store.coordination import Coordination

MEASURED_AT = (1, 5, 10, 20, 40, 64)
_SHOWN = (1, 2, 5, 10, 20, 30, 40, 50, 64, 80, 100, 128)
"""Numbers of workers at which the curve is told, as far as it is followed."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The curve for tasks as long as these, and what it was made of."""

    curve: Usl
    measured: Usl
    """The same for the tasks that were measured."""
    source: str

    def to_json(self) -> dict[str, Any]:
        sweet = self.curve.sweet_spot()
        return {
            "source": self.source,
            "task_s": _rounded(self.curve.task_s),
            "measured_task_s": _rounded(self.measured.task_s),
            "lambda": _rounded(self.curve.rate_of_one),
            "sigma": _rounded(self.curve.sigma),
            "kappa": _rounded(self.curve.kappa),
            "r2": _rounded(self.curve.r2),
            "confidence": LEVEL,
            "measured_most": self.curve.measured_most,
            "peak_workers": self.curve.peak(),
            "sweet_spot": asdict(sweet),
            "points": [
                {"workers": one.workers, "tasks_per_min": _rounded(one.tasks_per_min)}
                for one in self.measured.points
            ],
            "curve": [self._at(workers) for workers in self._shown(sweet.workers)],
        }

    def _shown(self, sweet: int) -> list[int]:
        measured = [one.workers for one in self.curve.points]
        more = [*_SHOWN, *measured, sweet, self.curve.peak() or 1]
        return sorted({workers for workers in more if workers <= self.curve.most})

    def _at(self, workers: int) -> dict[str, Any]:
        low, high = self.curve.band(workers)
        found = self.curve.per_min(workers)
        return {
            "workers": workers,
            "tasks_per_min": _rounded(found),
            "low": _rounded(low),
            "high": _rounded(high),
            "overhead": _rounded(1 - found / (workers * self.curve.rate_of_one)),
            "extrapolated": workers > self.curve.measured_most,
        }


@dataclass(frozen=True, slots=True)
class Capacity:
    """What simulations answer."""

    seed: int
    repositories: int
    costs: Costs
    costs_source: str
    times_source: str
    rows: tuple[Simulated, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "repositories": self.repositories,
            "costs": self.costs.to_json(),
            "costs_source": self.costs_source,
            "times_source": self.times_source,
            "rows": [row.to_json() for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The walls, the nearest, and how many workers that leaves."""

    inputs: tuple[Input, ...]
    walls: tuple[Wall, ...]
    unknown: tuple[str, ...]
    """Why a wall is not known, one line each."""
    workers_max: int
    scaling: Scaling | None
    capacity: Capacity | None

    @property
    def nearest(self) -> Wall | None:
        return nearest(self.walls)

    @property
    def next(self) -> Wall | None:
        """The wall that is met where the nearest has been moved."""
        return nearest(wall for wall in self.walls if wall is not self.nearest)

    @property
    def recommended(self) -> int:
        """Workers for this host: the nearest wall, at most `workers_max`, at least one."""
        wall = self.nearest
        most = self.workers_max if wall is None or wall.workers is None else wall.workers
        return max(min(most, self.workers_max), 1)

    def to_json(self) -> dict[str, Any]:
        """The document of `plan --format json`, without its schema number."""
        return {
            "inputs": [asdict(one) for one in self.inputs],
            "walls": [asdict(wall) | {"tasks_per_min": _rounded(wall.tasks_per_min)} for wall in self.walls],
            "unknown": list(self.unknown),
            "nearest": self.nearest.wall if self.nearest else None,
            "next": self.next.wall if self.next else None,
            "workers_max": self.workers_max,
            "recommended": self.recommended,
            "scaling": self.scaling.to_json() if self.scaling else None,
            "simulation": self.capacity.to_json() if self.capacity else None,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


class Planning:
    """One plan in the making: its sources, and the throughput that is known."""

    def __init__(
        self, coordination: Coordination | None, wishes: Wishes, throughput: Throughput | None
    ) -> None:
        """`throughput`: of a document, or measured just now; None: what samples of this clone say."""
        self._wishes = wishes
        self._sources = Sources(coordination, wishes)
        self._throughput = throughput or self._sources.sampled()
        self._costs = throughput.costs if throughput else None
        self._task = self._sources.task_seconds()
        self._free, self._each = self._sources.free_memory(), self._sources.worker_memory()
        self._memory = memory_wall(self._free.value or 0.0, self._each.value or 1.0, self._sources.live())
        self._rates = self._rate_walls()

    def _rate_walls(self) -> list[tuple[Wall, RateShare, str, Input]]:
        """Every provider's wall with what it is made of, the tightest first."""
        found = []
        for share, source in self._sources.rates():
            tokens = self._sources.tokens_per_task(share.provider)
            wall = rate_wall(share, tokens.value, self._task.value or 0.0)
            if wall is not None:
                found.append((wall, share, source, tokens))
        return sorted(found, key=lambda one: one[0].tasks_per_min or 0.0)

    def plan(self, capacity: Capacity | None = None) -> Plan:
        """The answer. A wall that is not known is told as such, and no error."""
        inputs = [self._free, self._each, self._task]
        walls, unknown = [self._memory], []
        if self._rates:
            wall, share, source, tokens = self._rates[0]
            walls.append(wall)
            inputs += [*_limits(share, source), tokens]
        else:
            unknown.append(f"rate: {self._why_no_rate()}")
        scaling = None
        try:
            scaling = self._scaling()
        except CortexError as error:
            unknown.append(f"coordination: {error}")
        if scaling is not None:
            walls.append(coordination_wall(scaling.curve))
            inputs.append(Input("throughput", len(scaling.curve.points), "rows", scaling.source))
        return Plan(
            inputs=tuple(inputs),
            walls=tuple(walls),
            unknown=tuple(unknown),
            workers_max=self._wishes.workers_max,
            scaling=scaling,
            capacity=capacity,
        )

    def _why_no_rate(self) -> str:
        if self._sources.rates():
            return "no task here uses tokens, as far as is known: give --tokens-per-task"
        return "no limit is known: give --tokens-per-minute, or set tokens_per_minute in rates.claude"

    def _scaling(self) -> Scaling | None:
        """Raises where there is no curve."""
        if self._throughput is None:
            raise CortexError(
                "throughput was not measured here",
                "run with --measure, or --from a document of `bench overhead`",
            )
        found = fit(self._throughput.points, self._throughput.task_s)
        known = not self._task.source.startswith("assumed")
        curve = found.for_task(self._task.value or 0.0) if known else found
        return Scaling(curve, found, self._throughput.source)

    def capacity(
        self,
        repositories: int,
        workers: Sequence[int],
        hosts: Sequence[int],
        *,
        seed: int,
        round_trip_s: float,
        costs: tuple[Costs, str] | None = None,
    ) -> Capacity:
        """Simulate a batch of one task for each repository on every so many workers and hosts.

        `costs`: measured just now. Every host has this one's memory. Raises BadInput for fewer workers than
        hosts, EnvironmentProblem without simpy.
        """
        known, known_source = costs or self._known_costs()
        times, times_source = self._times()
        tasks = drawn(times, repositories, seed)
        setup = Setup(
            workers=1,
            memory_workers=max(self._memory.workers or 1, 1),
            most_a_host=self._wishes.workers_max,
            round_trip_s=round_trip_s,
            **self._tokens(),
        )
        rows = [
            simulate(replace(setup, workers=count, hosts=number), tasks, known, seed)
            for number in hosts
            for count in workers
        ]
        return Capacity(seed, repositories, known, known_source, times_source, tuple(rows))

    def _tokens(self) -> dict[str, int]:
        """The account's limit and a task's tokens, where both are known."""
        for _, share, _, tokens in self._rates:
            if share.tokens is not None and tokens.value:
                return {
                    "tokens_per_min": share.tokens * share.hosts,
                    "tokens_per_task": max(round(tokens.value), 1),
                }
        return {}

    def _known_costs(self) -> tuple[Costs, str]:
        if self._costs is not None and self._throughput is not None:
            return self._costs, self._throughput.source
        return (
            TYPICAL,
            "assumed: as published for a machine of 2 cores; --measure, or --from bench simulation",
        )

    def _times(self) -> tuple[list[float], str]:
        if self._wishes.task_s is None and self._sources.durations:
            count = len(self._sources.durations)
            return self._sources.durations, f"measured: drawn from the last {count} completed results"
        return [self._task.value or 0.0], f"{self._task.source}, all alike"


def _limits(share: RateShare, source: str) -> list[Input]:
    found = [
        ("tokens_per_minute", share.tokens, "tokens"),
        ("requests_per_minute", share.requests, "requests"),
    ]
    part = f", this host's part of {share.hosts}" if share.hosts > 1 else ""
    return [Input(name, most, unit, source + part) for name, most, unit in found if most is not None]


def measure(workers_max: int, say: Any, task_s: float | None = None) -> Throughput:
    """Measure throughput here, with real batches of `sleep` tasks on up to so many workers.

    Some 16 s for each of up to six numbers of workers, or twelve tasks' time where that was given.
    """
    from cortex_git.analysis.bench.overhead import TASK_S, bench_overhead

    each_s = min(task_s or TASK_S, TASK_S)
    counts = measured_at(workers_max)
    rows = bench_overhead(counts, say, each_s)
    points = tuple(Point(len(row.cycles), row.per_min) for row in rows if row.per_min > 0)
    return Throughput(points, each_s, f"measured: just now, with tasks of {each_s:g} s")


def measured_at(workers_max: int) -> list[int]:
    """Numbers of workers up to the most: four or more, where there are so many."""
    usual = [count for count in MEASURED_AT if count < workers_max]
    few = [count for count in (1, 2, 3) if count < workers_max]
    return sorted({*(usual if len(usual) >= 3 else few), workers_max})
