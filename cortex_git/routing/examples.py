"""An expert known by a few example sentences alone: how like them a text is.

Owns the likeness and its chances. No code and no training run is needed for such an expert; a thousand
sentences that are for others say how like a text is by accident.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cortex_git.routing.classifier import Model, chance
from cortex_git.routing.experts import OUR_NAMES
from cortex_git.routing.sentences import packaged

_OTHERS = 400
"""Sentences for others that examples are held against."""
_ACCIDENT = 0.99
"""So many of these are less like the examples than a text whose chance is one half."""
_UNLIKE = 0.05
"""The chance of a text that is not like them at all."""
_LEAST = 0.02
"""Least likeness that can be told from none."""
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
        """Examples held against sentences for others.

        Not against each other: a few good ones have little in common, and the curve would fall.
        """
        vectors = tuple(model.vector(text) for text in dict.fromkeys(examples))
        others = sorted(likeness(model.vector(text), vectors) for text in _others())
        accident = max(others[int(len(others) * _ACCIDENT)], _LEAST)
        slope = math.log(1 / _UNLIKE - 1) / accident
        return cls(vectors, slope, -slope * accident)

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
    cases = packaged(OUR_NAMES)
    return tuple(case.text for case in cases[:: max(1, len(cases) // _OTHERS)])
