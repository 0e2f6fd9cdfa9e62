"""What `top` saw of a pool while it ran: rates and their sparklines.

Owns the samples in memory. Counters belong to one process: another pool begins a new history.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from cortex_git.workers.snapshot import PoolSnapshot

WINDOW_S = 60.0
"""A rate is what came in this last minute."""
BAR_S = 5.0
"""Seconds that one bar of a sparkline stands for."""
_MOST_SAMPLES = 3600
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters of a pool at one moment."""

    at_s: float
    """On the monotonic clock."""
    results: int
    tokens: int


class History:
    """Samples of the pool that runs now, about one a second and for about an hour."""

    def __init__(self) -> None:
        self._pool: int | None = None
        self._samples: deque[Sample] = deque(maxlen=_MOST_SAMPLES)

    def add(self, at_s: float, pool: PoolSnapshot | None) -> None:
        """Remember what was seen at `at_s`; None where no pool ran."""
        if pool is None or pool.pid != self._pool:
            self._samples.clear()
            self._pool = pool.pid if pool else None
        if pool is not None:
            self._samples.append(Sample(at_s, pool.completed + pool.failed, pool.tokens_used))

    def results_per_minute(self) -> float:
        """Results of the last minute, or of the shorter time since `top` looks, as a rate."""
        first, last = self._ends()
        return _rate(last.results - first.results, last.at_s - first.at_s)

    def tokens_per_minute(self) -> float:
        """Tokens settled in the last minute, likewise."""
        first, last = self._ends()
        return _rate(last.tokens - first.tokens, last.at_s - first.at_s)

    def bars(self, count: int) -> tuple[list[int], list[int]]:
        """Results and tokens of the last `count` periods of `BAR_S` seconds, oldest first.

        Fewer where `top` has not looked for so long. Periods end at fixed times, so that bars move left and
        only the last one grows.
        """
        if not self._samples:
            return [], []
        results: dict[int, int] = {}
        tokens: dict[int, int] = {}
        before = self._samples[0]
        for sample in self._samples:
            period = int(sample.at_s // BAR_S)
            results[period] = results.get(period, 0) + sample.results - before.results
            tokens[period] = tokens.get(period, 0) + sample.tokens - before.tokens
            before = sample
        last = int(before.at_s // BAR_S)
        periods = range(max(min(results), last - count + 1), last + 1)
        return [results.get(p, 0) for p in periods], [tokens.get(p, 0) for p in periods]

    def _ends(self) -> tuple[Sample, Sample]:
        if not self._samples:
            nothing = Sample(0.0, 0, 0)
            return nothing, nothing
        last = self._samples[-1]
        return next(s for s in self._samples if s.at_s >= last.at_s - WINDOW_S), last


def sparkline(values: Sequence[int]) -> str:
    """One character a value, in proportion to the largest; nothing at all is the lowest bar."""
    most = max(values, default=0)
    if most <= 0:
        return _BARS[0] * len(values)
    top = len(_BARS) - 1
    return "".join(_BARS[-(-value * top // most) if value > 0 else 0] for value in values)


def _rate(count: int, seconds: float) -> float:
    return count / seconds * 60 if seconds > 0 else 0.0
