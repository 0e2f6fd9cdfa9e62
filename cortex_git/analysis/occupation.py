"""How long hosts were occupied by tasks, and by how many at once.

Pure functions over when tasks ran. A host's times are compared with its own alone: clocks of two hosts are
never held against each other.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

MOST_S = 366 * 86_400.0
"""A longer run is no credible one, and is left out."""


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt."""

    host: str
    end_s: float | None
    """Seconds since 1970 by the host's clock; None: its result does not say."""
    duration_s: float

    @property
    def timed(self) -> bool:
        return self.end_s is not None and 0 <= self.duration_s <= MOST_S


@dataclass(frozen=True, slots=True)
class Occupation:
    """One host."""

    host: str
    tasks: int
    worker_s: float
    """Seconds of all its attempts together."""
    busy_s: float
    """Seconds in which at least one ran: idle time between them is not in it."""
    span_s: float
    """Seconds from the start of its first to the end of its last."""
    peak: int
    """The most that ran at once."""


def occupations(runs: Iterable[Run]) -> tuple[list[Occupation], int]:
    """One for each host, by name, and the number of runs left out because their times say nothing."""
    by_host: dict[str, list[tuple[float, float]]] = {}
    untimed = 0
    for run in runs:
        if run.end_s is None or not run.timed:
            untimed += 1
        else:
            by_host.setdefault(run.host, []).append((run.end_s - run.duration_s, run.end_s))
    return [_occupation(host, spans) for host, spans in sorted(by_host.items())], untimed


def _occupation(host: str, spans: list[tuple[float, float]]) -> Occupation:
    spans.sort()
    running: list[float] = []
    """When those that run end, as a heap."""
    covered, peak = 0.0, 0
    last = spans[0][0]
    for start, end in spans:
        covered += max(end - max(start, last), 0.0)
        last = max(last, end)
        while running and running[0] <= start:
            heapq.heappop(running)
        heapq.heappush(running, end)
        peak = max(peak, len(running))
    worker_s = sum(end - start for start, end in spans)
    return Occupation(host, len(spans), worker_s, covered, last - spans[0][0], peak)
