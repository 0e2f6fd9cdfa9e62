"""The three walls that adding workers meets: memory, the provider's rate limit, and coordination itself.

Pure functions. A wall is told in workers of one host, so that they can be compared; memory and rate are the
figures of `workers.sizing` and `analysis.binding`, which bound real pools and batches.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor

from cortex_git.analysis.binding import RateShare
from cortex_git.analysis.usl import Usl
from cortex_git.workers.sizing import Demand, walls

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Wall:
    """One wall."""

    wall: str
    """`memory`, `rate` or `coordination`."""
    workers: int | None
    """The most workers of this host that are of use before it; None where it is not known in workers."""
    tasks_per_min: float | None
    """Tasks a minute at it; None where that does not define it."""
    text: str
    move: str
    """What to change to have it further away."""


def memory_wall(free_mib: float, worker_mib: float, live: int = 0) -> Wall:
    """As many workers as fit: those that live, and what is free divided by one worker's memory.

    `worker_mib` above 0, resident. 24,000 at 400 is 60. With both in MB it is the same.
    """
    (found,) = walls(Demand(queue=0, live=live, free_mib=free_mib, rss_mib=worker_mib))
    beside = f" beside {live} that live" if live else ""
    return Wall(
        wall="memory",
        workers=found.most,
        tasks_per_min=None,
        text=f"{free_mib:,.0f} MiB free at {worker_mib:,.0f} MiB a worker{beside}: {_workers(found.most)}",
        move=(
            f"free {worker_mib:,.0f} MiB for each further worker, or let a worker have less (a lower"
            " pool.rss_mib replaces it earlier); each further host brings its own memory"
        ),
    )


def tasks_fed(rate: RateShare, tokens_per_task: float | None) -> float | None:
    """Tasks a minute that the limits of this host's share let through; None where nothing limits them.

    Of `binding.pace`, per task: the slower of tokens and requests. 400,000 tokens at 8,000 a task is 50.
    """
    requests = 1.0
    if tokens_per_task and rate.tokens_per_request:
        requests = max(1.0, tokens_per_task / rate.tokens_per_request)
    fed = []
    if rate.tokens is not None and tokens_per_task:
        fed.append(rate.tokens / tokens_per_task)
    if rate.requests is not None:
        fed.append(rate.requests / requests)
    return min(fed, default=None)


def rate_wall(rate: RateShare, tokens_per_task: float | None, task_s: float) -> Wall | None:
    """The tasks a minute that the provider's limit feeds, and how many workers those keep busy.

    Tasks a minute do not depend on how long a task takes. Workers do: each does 60 / `task_s` tasks a
    minute, so that 50 tasks a minute are 50 workers at 60 s a task, 10 at 12 s, and 250 at 300 s; a part of
    a worker is none, but one is always of use. None where nothing limits.
    """
    fed = tasks_fed(rate, tokens_per_task)
    if fed is None:
        return None
    asked = [
        f"{most:,} {what} a minute"
        for what, most in (("tokens", rate.tokens), ("requests", rate.requests))
        if most is not None
    ]
    each = f" at {tokens_per_task:,.0f} tokens a task" if tokens_per_task else ""
    shared = f" for this host, one of {rate.hosts}," if rate.hosts > 1 else ""
    workers = max(floor(fed * max(task_s, 0.0) / MINUTE_S + 1e-9), 1)
    return Wall(
        wall="rate",
        workers=workers,
        tasks_per_min=fed,
        text=(
            f"{' and '.join(asked)}{shared}{each}: {fed:,.4g} tasks a minute, {_workers(workers)} at"
            f" {task_s:,.4g} s a task"
        ),
        move=(
            "use fewer tokens for a task, take another model or provider with a limit of its own, or have the"
            " account's limit raised; more hosts share the same limit, and more workers only wait for it"
        ),
    )


def coordination_wall(curve: Usl) -> Wall:
    """Where the last worker still adds half of what the first one does, by the fitted curve."""
    found = curve.sweet_spot()
    beyond = "" if curve.task_s is None else f" for tasks of {curve.task_s:,.4g} s"
    if found.capped:
        beyond += f", or more: no more than twice the {curve.measured_most} measured is looked at"
    elif found.extrapolated:
        beyond += f" (extrapolated: measured up to {curve.measured_most})"
    overhead = 1 - curve.per_min(found.workers) / (found.workers * curve.rate_of_one)
    return Wall(
        wall="coordination",
        workers=found.workers,
        tasks_per_min=curve.per_min(found.workers),
        text=(
            f"{_workers(found.workers)}{beyond}: the last one adds half of what the first did, or more;"
            f" {overhead:.0%} of all workers' time is lost to the others there"
        ),
        move=(
            "give each task more to do, since what workers cost each other is a time for each task; spread"
            " the workers over more hosts, each publishes to a ref of its own; bring the remote nearer"
        ),
    )


def _workers(count: int) -> str:
    return f"{count:,} worker{'' if count == 1 else 's'}"


def nearest(found: Iterable[Wall]) -> Wall | None:
    """The wall that is met first as workers are added; None where none is known in workers."""
    known = [wall for wall in found if wall.workers is not None]
    return min(known, key=lambda wall: wall.workers or 0, default=None)
