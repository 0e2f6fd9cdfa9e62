"""How many workers a pool means to have from one second to the next: clamps, hysteresis, cool-down, alert.

Owns the decision and the little that it must remember. Must never look at the machine or a clock: what
is seen comes in as a `Demand`, and the time with it.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cortex_git.config import Bounds, PoolSettings, Window
from cortex_git.errors import BadInput
from cortex_git.workers.activation import Policy, target, tree_workers
from cortex_git.workers.forecasting import Forecaster, arrival_forecaster
from cortex_git.workers.prediction import Prediction, Seen

ALERT_TIMES = 2
"""A queue of so many times the maximum raises the alert, whatever its tasks take."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What the pool's loop sees at one moment. None is what it does not know."""

    queue: int
    """Tasks that wait or run here."""
    live: int = 0
    """Workers, those included that start."""
    busy: int = 0
    arrived: int = 0
    """Tasks seen to arrive since the pool began; never goes down."""
    task_s: float | None = None
    """Mean seconds of a task lately."""
    free_mib: float | None = None
    """Memory still free on this machine and in this process' control group, in MiB."""
    rss_mib: float | None = None
    """Resident memory of a worker as measured, in MiB."""
    rate_workers: int | None = None
    """Workers that the provider's rate limit feeds."""
    tokens_left: int | None = None
    tokens_per_task: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """How many workers to have, and why."""

    workers: int
    """The policy's answer."""
    target: int
    """What is left of it after the clamps, the hysteresis and the cool-down."""
    changed: bool
    """Whether `target` is another than at the decision before."""
    reasons: tuple[str, ...]
    alert: str | None = None
    """Why the backlog is beyond what the maximum can clear; None where it is not."""
    ceiling: int = 0
    """The most that may be started now: `target` can be above it for the rest of a cool-down."""


@dataclass(frozen=True, slots=True)
class Wall:
    """A most number of workers that something outside the pool allows."""

    most: int
    why: str
    absolute: bool = True
    """False for one that leaves a first worker in any case."""


class Sizer:
    """Decides for one pool. A target goes up at once, and down when fewer were enough for `settle_s`;
    either way at most once per `cooldown_s`, whatever happens.

    `bounds` that differ from the settings' own (a worker type's, or given by hand) are only narrowed by a
    window of the schedule; the settings' own are replaced by it. Raises BadInput for `fixed` without a
    number, EnvironmentProblem for `predictive` where no forecaster is given and none is installed.
    """

    def __init__(
        self,
        settings: PoolSettings,
        *,
        policy: Policy,
        bounds: Bounds,
        fixed: int | None = None,
        forecaster: Forecaster | None = None,
    ) -> None:
        if policy == "fixed" and fixed is None:
            raise BadInput("policy fixed needs a number of workers", "give --workers")
        self._settings = settings
        self._policy = policy
        self._bounds = bounds
        self._fixed = fixed
        self._prediction: Prediction | None = None
        if policy == "predictive":
            forecaster = forecaster or arrival_forecaster(settings.cooldown_s)
            self._prediction = Prediction(forecaster, settings.cooldown_s)
        self._target: int | None = None
        self._changed_at = -math.inf
        self._wishes: deque[tuple[float, int]] = deque()
        """The policy's answers of the last `settle_s`: since when each held, and the answer."""

    def decide(self, demand: Demand, *, now_s: float, clock: datetime) -> Decision:
        """The decision at `now_s` (seconds, monotonic), which is `clock` by this host's local time."""
        bounds, window = in_force(self._settings, self._bounds, clock)
        workers, reasons = self._answer(demand, bounds, now_s)

        def clamp(wish: int) -> tuple[int, list[str]]:
            return clamped(wish, demand, bounds)

        self._remember(workers, now_s)
        wanted, clamps = clamp(workers)
        settled, _ = clamp(max(wish for _, wish in self._wishes))
        before = self._target
        self._target, held = self._moved(wanted, settled, now_s)
        if self._target > wanted and not held:
            held = [self._settling(clamp, wanted, self._target, now_s)]
        return Decision(
            workers=workers,
            target=self._target,
            changed=before is not None and self._target != before,
            reasons=(*reasons, *window, *clamps, *held),
            alert=backlog_alert(demand, bounds.max, self._settings.clear_s, self._policy),
            ceiling=clamp(bounds.max)[0],
        )

    def _answer(self, demand: Demand, bounds: Bounds, now_s: float) -> tuple[int, list[str]]:
        """The policy's own answer, and why."""
        if self._prediction is not None:
            seen = Seen(
                demand.queue, demand.arrived, demand.task_s, now_s, self._settings.capacity, bounds.min
            )
            return self._prediction.answer(seen)
        answer = target(
            demand.queue, policy=self._policy, capacity=self._settings.capacity, fixed=self._fixed
        )
        return answer.workers, [answer.reasons[0]]

    def _remember(self, workers: int, now_s: float) -> None:
        """An answer holds until the next one, so the last of before the `settle_s` still counts."""
        if not self._wishes or self._wishes[-1][1] != workers:
            self._wishes.append((now_s, workers))
        while len(self._wishes) > 1 and self._wishes[1][0] <= now_s - self._settings.settle_s:
            self._wishes.popleft()

    def _moved(self, wanted: int, settled: int, now_s: float) -> tuple[int, list[str]]:
        """The new target, and why it is not where it should go."""
        current = self._target
        if current is None:
            return wanted, []
        goal = wanted if wanted > current else min(settled, current)
        if goal == current:
            return current, []
        left = self._settings.cooldown_s - (now_s - self._changed_at)
        if left > 0:
            seconds = math.ceil(left)
            return current, [f"{goal} wanted, held at {current} for {seconds} s more by the cool-down"]
        self._changed_at = now_s
        return goal, []

    def _settling(
        self, clamp: Callable[[int], tuple[int, list[str]]], wanted: int, current: int, now_s: float
    ) -> str:
        """Why the target stays above what is wanted: more was wanted not long ago."""
        lower_since = now_s
        for since, wish in reversed(self._wishes):
            if clamp(wish)[0] >= current:
                break
            lower_since = since
        left = math.ceil(lower_since + self._settings.settle_s - now_s)
        return (
            f"{wanted} wanted, kept at {current} until fewer have been enough"
            f" for {self._settings.settle_s:g} s ({left} s more)"
        )


def in_force(settings: PoolSettings, bounds: Bounds, clock: datetime) -> tuple[Bounds, list[str]]:
    """The bounds at that local time, and the window of the schedule that they come from, in words.

    Of windows that overlap, the first that is written counts.
    """
    for name, window in settings.schedule.items():
        if not contains(window, clock):
            continue
        if (bounds.min, bounds.max) == (settings.min, settings.max):
            within = Bounds(min=window.min, max=window.max)
        else:
            within = Bounds(min=min(bounds.min, window.max), max=min(bounds.max, window.max))
        hours = f"{window.start:%H:%M} to {window.end:%H:%M}"
        return within, [f"schedule {name} ({hours}) bounds it to {within.min} to {within.max} workers"]
    return bounds, []


def contains(window: Window, clock: datetime) -> bool:
    """Whether the window holds that local time: its start belongs to it, its end does not.

    One that ends before it starts goes past midnight; one that ends as it starts is the whole day.
    """
    now = clock.time()
    if window.start < window.end:
        return window.start <= now < window.end
    return now >= window.start or now < window.end


def walls(demand: Demand) -> list[Wall]:
    """What bounds the workers from outside, as far as it is known: memory, rate limit, tokens."""
    found = []
    if demand.free_mib is not None and demand.rss_mib:
        most = max(0, demand.live + math.floor(demand.free_mib / demand.rss_mib))
        why = (
            f"memory wall: {demand.free_mib:.0f} MiB free at {demand.rss_mib:.0f} MiB a worker"
            f" beside {demand.live} live"
        )
        found.append(Wall(most, why, absolute=False))
    if demand.rate_workers is not None:
        most = max(0, demand.rate_workers)
        found.append(Wall(most, f"rate-limit wall: the provider's limit feeds {most} workers"))
    if demand.tokens_left is not None and demand.tokens_per_task:
        most = max(0, demand.tokens_left // demand.tokens_per_task)
        why = f"tokens wall: {demand.tokens_left} tokens left at {demand.tokens_per_task} a task"
        found.append(Wall(most, why))
    return found


def clamped(wish: int, demand: Demand, bounds: Bounds) -> tuple[int, list[str]]:
    """`wish` within the bounds and the walls, and what changed it; the walls win over the minimum.

    Never below 1 while there is work, unless the rate limit or the tokens say so.
    """
    chosen = min(max(wish, bounds.min), bounds.max)
    why = f"minimum of {bounds.min}" if chosen > wish else f"maximum of {bounds.max}"
    reasons = [f"{wish} is changed to {chosen} by the {why}"] if chosen != wish else []
    least = 1 if demand.queue > 0 else 0
    for wall in walls(demand):
        most = wall.most if wall.absolute else max(wall.most, least)
        if chosen > most:
            reasons.append(f"{chosen} is changed to {most} by the {wall.why}")
            chosen = most
            least = min(least, most)
    if chosen < least:
        reasons.append(f"{chosen} is changed to {least}: there is work")
        chosen = least
    return chosen, reasons


def backlog_alert(demand: Demand, most: int, clear_s: float, policy: Policy) -> str | None:
    """Why the backlog is beyond what `most` workers can clear in `clear_s` seconds; None where it is not."""
    queue, found = demand.queue, []
    if policy == "tree" and tree_workers(queue)[1]:
        found.append(f"a queue of {queue} is beyond the auto-scaling tree, which ends at 39")
    if queue >= ALERT_TIMES * most:
        found.append(f"a queue of {queue} is {queue / most:.1f} times the maximum of {most} workers")
    if demand.task_s is not None and queue * demand.task_s / most > clear_s:
        found.append(
            f"{queue} tasks of {demand.task_s:.1f} s take {most} workers"
            f" {queue * demand.task_s / most:.0f} s, more than {clear_s:g} s"
        )
    return "; ".join(found) or None
