"""How much each source counts, and which of several values wins.

Owns the order of sides. Weights are exact whole numbers, so that no order of adding changes a last bit.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cortex_git.results.aggregation import Side, Voice
from cortex_git.results.aggregation.canonical import canonical

Said = tuple[str, Any]
"""A task and its value."""


@dataclass(frozen=True, slots=True)
class Group:
    """Those who say the same."""

    value: Any
    text: str
    """Of the value, canonical."""
    tasks: tuple[str, ...]
    """Sorted."""


def confidence_of(value: float) -> float:
    """A confidence within 0 and 100; what is no number counts nothing."""
    return min(max(float(value), 0.0), 100.0) if math.isfinite(value) else 0.0


class Scales:
    """The weights of an aggregate's sources under one strategy."""

    def __init__(self, strategy: str, voices: Sequence[Voice]) -> None:
        self.strategy = strategy
        exact = {voice.task: Fraction(voice.confidence) for voice in voices}
        self._unit = max((one.denominator for one in exact.values()), default=1)
        self._weights = {task: int(one * self._unit) for task, one in exact.items()}

    def weight(self, tasks: Iterable[str]) -> int:
        """Of these together, comparable with others of the same scales."""
        return sum(self._weights[task] for task in tasks)

    def confidence(self, tasks: Iterable[str]) -> float:
        """Of these together."""
        return float(Fraction(self.weight(tasks), self._unit))

    def groups(self, said: Iterable[Said]) -> list[Group]:
        """Who says the same, the winner first."""
        values: dict[str, Any] = {}
        tasks: dict[str, set[str]] = {}
        for task, value in said:
            text = canonical(value)
            values.setdefault(text, value)
            tasks.setdefault(text, set()).add(task)
        found = [Group(values[text], text, tuple(sorted(names))) for text, names in tasks.items()]
        return sorted(found, key=self.rank)

    def rank(self, group: Group) -> tuple[int, int, str]:
        """Sort key of what wins: most sources for `vote`, most weight for the others; no two are equal."""
        weight, count = self.weight(group.tasks), len(group.tasks)
        first, second = (count, weight) if self.strategy == "vote" else (weight, count)
        return (-first, -second, group.text)

    def side(self, group: Group) -> Side:
        return Side(group.value, group.tasks, self.confidence(group.tasks))

    def reason(self, groups: Sequence[Group]) -> str:
        """Why the first of the groups was chosen before the second."""
        one, other = groups[0], groups[1]
        counts = len(one.tasks), len(other.tasks)
        weights = self.weight(one.tasks), self.weight(other.tasks)
        more = f"more sources say so: {counts[0]} against {counts[1]}"
        surer = (
            f"its sources are surer together: {self.confidence(one.tasks):g} "
            f"against {self.confidence(other.tasks):g}"
        )
        if self.strategy == "vote" and counts[0] != counts[1]:
            return more
        if weights[0] != weights[1]:
            return f"as many say so, and {surer}" if self.strategy == "vote" else surer
        if counts[0] != counts[1]:
            return f"the confidence is equal, and {more}"
        return "confidence and number of sources are equal: the first in the order of their JSON"

    def mean(self, groups: Sequence[Group]) -> int | float:
        """The weighted mean of numbers; of whole numbers the nearest whole one, of two the even one.

        Exact until it is rounded once, and never below the least or above the greatest.
        """
        exact = self.exact_mean(groups)
        values: list[int | float] = [group.value for group in groups]
        if all(isinstance(value, int) for value in values):
            return round(exact)
        try:
            mean: int | float = float(exact)
        except OverflowError:
            mean = round(exact)
        lowest, highest = min(values), max(values)  # whole ones may have no float, and rounding pass them
        return lowest if mean < lowest else min(mean, highest)

    def exact_mean(self, groups: Sequence[Group]) -> Fraction:
        """Where no source has any weight, all count alike."""
        weights = [self.weight(group.tasks) for group in groups]
        if not any(weights):
            weights = [len(group.tasks) for group in groups]
        total = sum(
            (Fraction(group.value) * weight for group, weight in zip(groups, weights, strict=True)),
            start=Fraction(0),
        )
        return total / sum(weights)
