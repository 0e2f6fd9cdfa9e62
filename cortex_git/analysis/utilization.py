"""How much a host's pools were used: average, peak, light and heavy hours, efficiency, from their samples.

Pure functions over sample rows. Time without a sample is time without a pool: it is left out, not counted
as idle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

LIGHT_MOST = 5
MEDIUM_MOST = 15
"""Active workers up to which time is light and medium; more is heavy."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of one pool. It speaks for the `interval_s` seconds that end at `at`."""

    pool: str
    """Names one pool process; samples of one pool never overlap, those of several add up."""
    at: float
    """Seconds since 1970."""
    interval_s: float
    live: float
    """Worker processes, on average over the interval."""
    busy: float
    """Those of them on a task."""
    peak: int
    """The most that were busy at one look."""


@dataclass(frozen=True, slots=True)
class Utilization:
    """One period. Shares are fractions of `covered_s`; figures without a basis are None."""

    covered_s: float
    """Seconds in which a pool ran."""
    average_active: float | None
    peak_active: int
    light: float | None
    """Share of time with 0 to 5 active workers, rounded to whole ones."""
    medium: float | None
    """6 to 15."""
    heavy: float | None
    """16 and more."""
    efficiency: float | None
    """Busy worker-seconds divided by live worker-seconds."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Span:
    start: float
    end: float
    live: float
    busy: float
    peak: int


@dataclass(frozen=True, slots=True)
class Use:
    """How pools were used, in seconds and worker-seconds: what shares are made of."""

    light_s: float
    """Seconds with 0 to 5 active workers, rounded to whole ones."""
    medium_s: float
    """6 to 15."""
    heavy_s: float
    """16 and more."""
    busy_s: float
    """Worker-seconds on a task."""
    live_s: float
    """Worker-seconds in all."""
    peak_active: int

    @property
    def covered_s(self) -> float:
        """Seconds in which a pool ran."""
        return self.light_s + self.medium_s + self.heavy_s


def utilization(samples: Iterable[Sample], since: float, until: float) -> Utilization:
    """The pools together from `since` to `until`, in seconds since 1970."""
    return shares(use(samples, since, until))


def use(samples: Iterable[Sample], since: float, until: float) -> Use:
    """The same in seconds."""
    spans = _clipped(samples, since, until)
    busy_s = live_s = 0.0
    bands = [0.0, 0.0, 0.0]
    for seconds, live, busy in _levels(spans):
        busy_s += seconds * busy
        live_s += seconds * live
        whole = int(busy + 0.5)
        bands[(whole > LIGHT_MOST) + (whole > MEDIUM_MOST)] += seconds
    light_s, medium_s, heavy_s = bands
    return Use(light_s, medium_s, heavy_s, busy_s, live_s, _peak(spans))


def shares(use: Use) -> Utilization:
    """What parts of the covered time are."""
    covered = use.covered_s
    bands = (use.light_s, use.medium_s, use.heavy_s)
    light, medium, heavy = (band / covered if covered else None for band in bands)
    return Utilization(
        covered_s=covered,
        average_active=use.busy_s / covered if covered else None,
        peak_active=use.peak_active,
        light=light,
        medium=medium,
        heavy=heavy,
        efficiency=use.busy_s / use.live_s if use.live_s else None,
    )


def _clipped(samples: Iterable[Sample], since: float, until: float) -> list[_Span]:
    """What each sample speaks for within the period.

    Where the clock was set back, the samples of one pool would overlap: the later one gives way.
    """
    spans: list[_Span] = []
    ends: dict[str, float] = {}
    for s in sorted(samples, key=lambda sample: sample.at):
        start = max(s.at - s.interval_s, ends.get(s.pool, since), since)
        end = min(s.at, until)
        ends[s.pool] = max(s.at, ends.get(s.pool, s.at))
        if end > start:
            spans.append(_Span(start, end, s.live, s.busy, s.peak))
    return spans


def _levels(spans: Sequence[_Span]) -> Iterable[tuple[float, float, float]]:
    """(seconds, live, busy) of each stretch in which the same samples hold, in the order of time."""
    changes: dict[float, list[tuple[_Span, int]]] = {}
    for span in spans:
        changes.setdefault(span.start, []).append((span, 1))
        changes.setdefault(span.end, []).append((span, -1))
    now: dict[int, _Span] = {}
    for (at, happened), (following, _) in pairwise([*sorted(changes.items()), (0.0, [])]):
        for span, sign in happened:
            if sign > 0:
                now[id(span)] = span
            else:
                now.pop(id(span), None)
        if now:
            # Added up anew, not carried along: rounding would leave workers where there are none.
            yield following - at, sum(s.live for s in now.values()), sum(s.busy for s in now.values())


def _peak(spans: Sequence[_Span]) -> int:
    """The most workers at once; of pools that ran at once, the sum of what each had at its own peak."""
    changes = sorted(
        [(s.end, 0, -s.peak) for s in spans] + [(s.start, 1, s.peak) for s in spans]
    )  # an end comes before a start at the same moment
    most = current = 0
    for _, _, change in changes:
        current += change
        most = max(most, current)
    return most
