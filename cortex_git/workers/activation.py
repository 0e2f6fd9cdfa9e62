"""How many workers a queue deserves: sparse activation and the auto-scaling tree, as pure functions.

Owns the published thresholds. Must never look at the machine: clamps are applied by whoever asks.
"""

from dataclasses import dataclass, field
from typing import Literal

from cortex_git.errors import BadInput

CAPACITY = 64
"""Workers at full activation."""
RATES: tuple[tuple[float, float], ...] = ((0.20, 0.14), (0.50, 0.35), (0.80, 0.70))
"""(utilization below, activation rate); at 0.80 and above everything is active."""
LEAST_RATE = 0.10
TREE: tuple[tuple[int, int], ...] = ((5, 5), (20, 10), (40, 20))
"""(queue below, workers); at 40 and above it stays at the last and raises an alert."""

Policy = Literal["activation", "tree", "fixed", "predictive"]
POLICIES: tuple[Policy, ...] = ("activation", "tree", "fixed", "predictive")


def checked_policy(text: str) -> Policy:
    """The policy of that name. Raises BadInput where there is none."""
    for policy in POLICIES:
        if policy == text:
            return policy
    raise BadInput(f"no policy {text!r}", f"use one of {', '.join(POLICIES)}")


@dataclass(frozen=True, slots=True)
class Target:
    """A policy's answer: `workers` by the rate, `target` after the clamps, and the reasons in words."""

    queue: int
    capacity: int
    utilization: float
    """queue / capacity."""
    rate: float
    """Share of the capacity kept active, 0.0 to 1.0."""
    workers: int
    policy: Policy
    target: int
    alert: bool = False
    reasons: tuple[str, ...] = field(default=())


def activation_rate(queue: int, capacity: int = CAPACITY) -> float:
    """The share of `capacity` to keep active for `queue` waiting tasks."""
    utilization = queue / capacity
    rate = next((rate for below, rate in RATES if utilization < below), 1.0)
    return max(rate, LEAST_RATE)


def tree_workers(queue: int) -> tuple[int, bool]:
    """Workers for `queue` waiting tasks by the auto-scaling tree, and whether to raise an alert."""
    for below, workers in TREE:
        if queue < below:
            return workers, False
    return TREE[-1][1], True


def target(
    queue: int,
    *,
    policy: Policy = "activation",
    capacity: int = CAPACITY,
    least: int = 0,
    most: int | None = None,
    fixed: int | None = None,
) -> Target:
    """The number of workers for `queue` waiting tasks under `policy`, clamped to [least, most].

    `predictive` answers as `activation` does: one queue is no history to forecast from (that is `sizing`'s).
    Raises BadInput for a negative queue, a capacity below 1, or bounds that cross.
    """
    if queue < 0 or capacity < 1:
        raise BadInput(
            f"queue {queue} with capacity {capacity} makes no sense", "give 0 or more, and 1 or more"
        )
    ceiling = capacity if most is None else most
    if least > ceiling:
        raise BadInput(f"a minimum of {least} workers is above the maximum of {ceiling}", "swap them")
    rate = activation_rate(queue, capacity)
    workers, alert, reason = _answer(queue, policy, capacity, rate, fixed)
    chosen = min(max(workers, least), ceiling)
    reasons = [reason]
    if chosen != workers:
        bound = f"minimum of {least}" if chosen > workers else f"maximum of {ceiling}"
        reasons.append(f"{workers} is changed to {chosen} by the {bound}")
    return Target(
        queue, capacity, queue / capacity, rate, workers, policy, chosen, alert=alert, reasons=tuple(reasons)
    )


def _answer(
    queue: int, policy: Policy, capacity: int, rate: float, fixed: int | None
) -> tuple[int, bool, str]:
    if policy == "tree":
        workers, alert = tree_workers(queue)
        return workers, alert, f"a queue of {queue} asks for {workers} workers by the auto-scaling tree"
    if policy == "fixed":
        if fixed is None:
            raise BadInput("policy fixed needs a number of workers", "give --workers")
        return fixed, False, f"fixed at {fixed} workers"
    workers = round(capacity * rate)
    used = queue / capacity
    return workers, False, f"utilization {used:.2f} activates {rate:.0%} of {capacity}: {workers} workers"
