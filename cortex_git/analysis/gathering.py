"""Going through the facts of a period once: everything that a report later says of them.

Pure. Keeps a few numbers of each task, and whole facts only of the one batch that is drawn.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cortex_git.analysis.statistics import (
    Fact,
    ScalingPoint,
    Severities,
    SlowRepository,
)
from cortex_git.analysis.tallies import Sum, Sums
from cortex_git.analysis.timelines import DAY_S, Endings, Run

MOST = 100
"""Repositories, batches, masters and so on that a report lists."""
SLOWEST = 20
_POINTS = 200
_ERRORS = 200
"""Different errors of one status that are counted apart."""
_ERROR_LENGTH = 200


class Failures:
    """Tasks that ended in one way that is no success, and that nobody has done again."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""
        """The id of one of them."""
        self.given_up = 0
        """Those of them that failed in every attempt they had, and had several."""
        self._errors: Counter[str] = Counter()

    def add(self, fact: Fact) -> None:
        """Count one more."""
        self.count += 1
        self.first = min(self.first, fact.task) if self.first else fact.task
        self.given_up += fact.status == "failed" and fact.attempt >= fact.max_attempts > 1
        error = fact.error.strip().partition("\n")[0][:_ERROR_LENGTH]
        if error and (error in self._errors or len(self._errors) < _ERRORS):
            self._errors[error] += 1

    @property
    def usual_error(self) -> str:
        """The first line of the error most of them ended with; empty where none says."""
        return next((error for error, _ in self._errors.most_common(1)), "")


@dataclass(slots=True)
class _Repository:
    longest_s: float = -1.0
    task: str = ""
    scanned_at: float = -1.0
    severities: Severities | None = None


class Gathered:
    """What the facts of a period say together."""

    def __init__(self, drawn: str | None = None) -> None:
        """`drawn` is the batch whose facts are kept to be drawn by worker."""
        self.all = Sum()
        self.by_status: Counter[str] = Counter()
        self.masters, self.types, self.models = Sums(), Sums(), Sums()
        self.repositories, self.batches, self.hosts = Sums(), Sums(), Sums()
        self.days: dict[float, Sum] = {}
        self.endings = Endings()
        self.whole = Run()
        self.failures: dict[str, Failures] = {}
        self.retried = self.mistimed = 0
        self.spawn_s = 0.0
        self.drawn = drawn
        self.of_drawn: list[Fact] = []
        self._runs: dict[str, Run] = {}
        self._of_repository: dict[str, _Repository] = {}

    def add_all(self, facts: Iterable[Fact]) -> None:
        """Go through them, once."""
        for fact in facts:
            self._add(fact)

    def _add(self, fact: Fact) -> None:
        self.all.add(fact)
        self.by_status[fact.status] += 1
        self.retried += fact.attempt > 1
        self.mistimed += fact.mistimed
        self.masters.add(fact.master, fact)
        self.types.add(fact.type, fact)
        self.batches.add(fact.batch, fact)
        self.hosts.add(fact.host, fact)
        if fact.tokens_used:
            self.models.add(fact.model, fact)
        if fact.ran:
            self.spawn_s += fact.spawn_s
        if fact.completed_at is not None:
            day = fact.completed_at // DAY_S * DAY_S
            self.days.setdefault(day, Sum()).add(fact)
        if fact.failed and not fact.redone:
            self.failures.setdefault(fact.status, Failures()).add(fact)
        if fact.repo:
            self._add_repository(fact)
        self.endings.add(fact)
        self.whole.add(fact)
        self._runs.setdefault(fact.batch, Run()).add(fact)
        if fact.batch == self.drawn:
            self.of_drawn.append(fact)

    def _add_repository(self, fact: Fact) -> None:
        self.repositories.add(fact.repo, fact)
        found = self._of_repository.setdefault(fact.repo, _Repository())
        if fact.ran and fact.duration_s > found.longest_s:
            found.longest_s, found.task = fact.duration_s, fact.task
        at = fact.completed_at or 0.0
        if fact.severities is not None and at >= found.scanned_at:
            found.scanned_at = at
            found.severities = Severities(
                repo=fact.repo,
                **{
                    name: fact.severities.get(name, 0)
                    for name in ("critical", "high", "medium", "low", "unknown")
                },
            )

    @property
    def spawn_s_average(self) -> float | None:
        """Seconds from dispatch to the first instruction of a runner; None where no worker ran a task."""
        return self.spawn_s / len(self.all.runs) if self.all.runs else None

    def slowest(self) -> tuple[SlowRepository, ...]:
        """The repositories with the longest tasks."""
        timed = [(name, one) for name, one in self._of_repository.items() if one.longest_s >= 0]
        timed.sort(key=lambda pair: (-pair[1].longest_s, pair[0]))
        found = []
        for name, one in timed[:SLOWEST]:
            tally = self.repositories.of(name)
            median_s = tally.run_s_median or 0.0
            found.append(SlowRepository(name, tally.tasks, one.longest_s, median_s, one.task))
        return tuple(found)

    def scans(self) -> list[Severities]:
        """The findings of every repository with a readable scan, by its newest one; the worst first."""
        found = [one.severities for one in self._of_repository.values() if one.severities is not None]
        return sorted(found, key=lambda s: (-s.critical, -s.high, -s.medium, -s.low, -s.unknown, s.repo))

    def points(self) -> tuple[ScalingPoint, ...]:
        """Pace and overhead of the newest batches that can tell, by workers."""
        newest = sorted(self._runs, key=lambda name: (-self._runs[name].end, name))
        points = (self._runs[name].point(name) for name in newest)
        found = [point for point in points if point is not None][:_POINTS]
        return tuple(sorted(found, key=lambda point: (point.workers, point.batch)))


def added_up(scans: Iterable[Severities]) -> Severities | None:
    """The findings of all repositories together; None where there are none."""
    found = list(scans)
    if not found:
        return None
    return Severities(
        repo="",
        critical=sum(one.critical for one in found),
        high=sum(one.high for one in found),
        medium=sum(one.medium for one in found),
        low=sum(one.low for one in found),
        unknown=sum(one.unknown for one in found),
    )
