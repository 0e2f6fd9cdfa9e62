"""An expert known by a few example sentences alone: how like them a text is.

Owns the likeness and its chances. No code and no training run is needed for such an expert; a thousand
sentences that are for others say how like a text is by accident.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
class _Curve:
    """An expert's examples, by their places, and the way from likeness to chance."""

    places: slice
    slope: float = 0.0
    offset: float = 0.0

    def likeness(self, products: Sequence[float]) -> float:
        """Cosine to the nearest example and, half as much, to the next two.

        A vector's length is the root of 2 (words and letters of 1 each), so a product is twice the cosine.
        """
        near = sorted(products[self.places], reverse=True)[:3]
        return sum(value / 2 / (1 + (rank > 0)) for rank, value in enumerate(near)) / 2


class Alike:
    """Experts by name, each with its examples. All are held against a text in one go over its features."""

    def __init__(self, model: Model, examples: Mapping[str, Sequence[str]]) -> None:
        """Examples are held against sentences for others.

        Not against each other: a few good ones have little in common, and the curve would fall.
        """
        self._count = 0
        self._found: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self._curves = {name: self._entered(model, said) for name, said in examples.items() if said}
        if not self._curves:
            return
        others = [self._products(model.vector(text)) for text in _others()]
        for name, curve in self._curves.items():
            likenesses = sorted(curve.likeness(products) for products in others)
            accident = max(likenesses[int(len(others) * _ACCIDENT)], _LEAST)
            slope = math.log(1 / _UNLIKE - 1) / accident
            self._curves[name] = replace(curve, slope=slope, offset=-slope * accident)

    def chances(self, vector: Mapping[int, float]) -> dict[str, float]:
        """How likely a text is for each of the experts, 0 to 1."""
        products = self._products(vector)
        return {
            name: min(_MOST, chance(curve.slope * curve.likeness(products) + curve.offset))
            for name, curve in self._curves.items()
        }

    def _entered(self, model: Model, said: Sequence[str]) -> _Curve:
        first = self._count
        for text in dict.fromkeys(said):
            for number, value in model.vector(text).items():
                self._found[number].append((self._count, value))
            self._count += 1
        return _Curve(slice(first, self._count))

    def _products(self, vector: Mapping[int, float]) -> list[float]:
        """With each of the examples; most share few features with a text."""
        products = [0.0] * self._count
        for number, value in vector.items():
            for place, there in self._found.get(number, ()):
                products[place] += value * there
        return products


@cache
def _others() -> tuple[str, ...]:
    cases = packaged(OUR_NAMES)
    return tuple(case.text for case in cases[:: max(1, len(cases) // _OTHERS)])
