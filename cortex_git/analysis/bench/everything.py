"""`bench all`: every table that was published for such a system, measured here, in one run.

Owns the list of tables. A part that cannot run here is a part that says why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cortex_git.analysis.bench import measuring
from cortex_git.analysis.bench.measuring import Measured, Sizes
from cortex_git.analysis.bench.tables import Table
from cortex_git.analysis.bench.workspace import Say
from cortex_git.errors import CortexError


@dataclass(frozen=True, slots=True)
class Part:
    """One table to be: how it is measured, and by which command alone."""

    title: str
    measure: Callable[[Sizes, Say], Measured]
    command: str = ""
    """Empty: this command, told to measure that part only."""
    imitated: bool = False


def bench_all(sizes: Sizes, only: Sequence[str], say: Say) -> Iterator[Table]:
    """Each table as soon as it is measured; of those in `only`, or all where it is empty."""
    for key, part in PARTS.items():
        if only and key not in only:
            continue
        say(f"{key}: {part.title}")
        about = (key, part.title, part.command or f"cortex-git bench all --only {key}")
        try:
            figures, document = part.measure(sizes, say)
        except CortexError as error:
            yield Table(*about, (), problem=str(error))
        except Exception as error:  # a bug of one table, or a program that hangs, costs no hour of others
            yield Table(*about, (), problem=f"internal error: {type(error).__name__}: {error}")
        else:
            yield Table(*about, tuple(figures), document, part.imitated)


PARTS: Mapping[str, Part] = {
    "spawn": Part("Starting a worker, cold and warm", measuring.spawn, "cortex-git bench spawn"),
    "queue": Part("No-op tasks a minute, by number of workers", measuring.queue, "cortex-git bench queue"),
    "overhead": Part(
        "Share of workers' time that coordination takes",
        measuring.overhead,
        "cortex-git bench overhead",
        True,
    ),
    "ten-tasks": Part("Ten tasks, one after another and on twenty workers", measuring.ten, imitated=True),
    "audit": Part(
        "Twenty repositories, one after another and on twenty workers", measuring.audit, imitated=True
    ),
    "scan": Part("A real scan of repositories", measuring.scan, "cortex-git bench scan"),
    "limits": Part("Use of a provider's limits, 20 workers", measuring.limits, "cortex-git bench limits"),
    "memory": Part("Memory of a worker", measuring.memory),
    "recycling": Part("Replacing workers while a batch runs", measuring.recycling),
    "peers": Part(
        "The same work by other queues and pools, 8 workers", measuring.peers, "cortex-git bench peers"
    ),
    "utilization": Part("A pool over a day with a peak at noon", measuring.utilization, imitated=True),
    "policies": Part("Ways to size a pool", measuring.policies, "cortex-git bench policies", True),
    "route": Part("The router, without asking a model", measuring.route, "cortex-git bench route"),
}
"""By key what is measured, in this order."""
