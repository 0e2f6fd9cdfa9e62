"""Adding up ended tasks: counts, run times, waits, tokens and money of what has something in common.

Pure, and in one pass. What is kept of a task is a few numbers, however long its result was.
"""

from array import array
from collections.abc import Sequence
from decimal import Decimal
from statistics import median

from cortex_git.analysis.preflight import percentile
from cortex_git.analysis.statistics import Fact, Tally
from cortex_git.llm import Usage


class Sum:
    """The sum over some tasks, made one task at a time."""

    def __init__(self) -> None:
        self.tasks = self.completed = self.cancelled = self.tokens = self.unpriced = 0
        self.cost = Decimal(0)
        self.runs = array("d")
        """Seconds of the tasks that a worker ran."""
        self.waits = array("d")
        self.last = 0.0
        """When the last one ended."""
        self._kinds = [0, 0, 0, 0]

    def add(self, fact: Fact) -> None:
        """Count one more."""
        self.tasks += 1
        self.completed += fact.status == "completed"
        self.cancelled += fact.status == "cancelled"
        self.tokens += fact.tokens_used
        if fact.cost_usd is None:
            self.unpriced += fact.tokens_used
        else:
            self.cost += fact.cost_usd
        if fact.ran:
            self.runs.append(fact.duration_s)
        if fact.wait_s is not None:
            self.waits.append(fact.wait_s)
        self.last = max(self.last, fact.completed_at or 0.0)
        kinds = (fact.tokens.input, fact.tokens.output, fact.tokens.cache_write, fact.tokens.cache_read)
        self._kinds = [so_far + more for so_far, more in zip(self._kinds, kinds, strict=True)]

    @property
    def usage(self) -> Usage:
        """The tokens by kind, as far as results tell them."""
        return Usage(*self._kinds)

    def tally(self, name: str) -> Tally:
        """The figures so far."""
        counted = self.tasks - self.cancelled
        return Tally(
            name=name,
            tasks=self.tasks,
            completed=self.completed,
            failed=counted - self.completed,
            cancelled=self.cancelled,
            success_rate=self.completed / counted if counted else None,
            run_s=sum(self.runs),
            run_s_median=_median(self.runs),
            run_s_p90=_p90(self.runs),
            wait_s_median=_median(self.waits),
            wait_s_p90=_p90(self.waits),
            tokens=self.tokens,
            cost_usd=self.cost,
            unpriced_tokens=self.unpriced,
        )


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _p90(values: Sequence[float]) -> float | None:
    return percentile(values, 0.9) if values else None


class Sums:
    """Sums by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Sum] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def add(self, name: str, fact: Fact) -> None:
        """Count one more task under a name."""
        if (found := self._by_name.get(name)) is None:
            found = self._by_name[name] = Sum()
        found.add(fact)

    def of(self, name: str) -> Tally:
        """That of one name, which was counted."""
        return self._by_name[name].tally(name)

    def largest(self, most: int | None = None) -> tuple[Tally, ...]:
        """Those with the most tasks first, at most so many."""
        names = sorted(self._by_name, key=lambda name: (-self._by_name[name].tasks, name))
        return tuple(self._by_name[name].tally(name) for name in names[:most])

    def newest(self, most: int) -> tuple[Tally, ...]:
        """Those in which a task ended last first, at most so many."""
        names = sorted(self._by_name, key=lambda name: (-self._by_name[name].last, name))
        return tuple(self._by_name[name].tally(name) for name in names[:most])
