"""An expert known by a few example sentences alone: how like them a text is.

Owns the likeness and its chances. No code and no training run is needed for such an expert; a thousand
sentences that are for others say how like a text is by accident.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cortex_git.routing.classifier import Model, chance
from cortex_git.routing.sentences import packaged

_OTHERS = 400
"""Sentences for others that examples are held against."""
_ROUNDS = 25
_HELD = 0.05
"""Holds the curve down where few examples would make it a step."""
_MOST = 0.95
"""No chance by likeness alone is higher."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Examples as vectors, and the curve from likeness to chance."""

    examples: tuple[dict[int, float], ...]
    slope: float
    offset: float

    @classmethod
    def of(cls, model: Model, examples: Sequence[str]) -> "Alike":
        """Examples held against each other, and against sentences for others."""
        vectors = tuple(model.vector(text) for text in dict.fromkeys(examples))
        alone = [likeness(one, [other for other in vectors if other is not one]) for one in vectors]
        others = [likeness(model.vector(text), vectors) for text in _others()]
        return cls(vectors, *_curve(alone if len(vectors) > 1 else [0.5], others))

    def chance(self, vector: dict[int, float]) -> float:
        """How likely a text is for this expert, 0 to 1."""
        return min(_MOST, chance(self.slope * likeness(vector, self.examples) + self.offset))


def likeness(vector: dict[int, float], examples: Sequence[dict[int, float]]) -> float:
    """Cosine to the nearest example and, half as much, to the next two."""
    near = sorted((_cosine(vector, one) for one in examples), reverse=True)[:3]
    return sum(value / (1 + (place > 0)) for place, value in enumerate(near)) / 2 if near else 0.0


def _cosine(one: dict[int, float], other: dict[int, float]) -> float:
    """Both have a length of the root of 2: words and letters of 1 each."""
    few, many = (one, other) if len(one) < len(other) else (other, one)
    return sum(value * many[number] for number, value in few.items() if number in many) / 2


@cache
def _others() -> tuple[str, ...]:
    cases = packaged(("security", "development", "inventory", "documentation"))
    return tuple(case.text for case in cases[:: max(1, len(cases) // _OTHERS)])


def _curve(ours: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """Logistic regression on one number by Newton's method, both sides counting the same."""
    rows = [(x, 1.0, 0.5 / len(ours)) for x in ours] + [(x, 0.0, 0.5 / len(others)) for x in others]
    slope, offset = 1.0, 0.0
    for _ in range(_ROUNDS):
        gradient = [_HELD * 0.01 * slope, 0.0]
        a, b, c = _HELD * 0.01, 0.0, 1e-9
        for x, y, weight in rows:
            p = chance(slope * x + offset)
            gradient[0] += weight * (p - y) * x
            gradient[1] += weight * (p - y)
            bend = weight * p * (1 - p)
            a, b, c = a + bend * x * x, b + bend * x, c + bend
        det = a * c - b * b
        if not det or not math.isfinite(det):
            break
        slope -= (c * gradient[0] - b * gradient[1]) / det
        offset -= (a * gradient[1] - b * gradient[0]) / det
    return slope, offset
