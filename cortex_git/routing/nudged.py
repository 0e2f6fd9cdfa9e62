"""A layer whose scores are moved a little by the words of layer 1, which knows names that no sentence has.

Owns by how much. A word such as `clickjacking` may be in the data file and in none of the sentences.
"""

import math

from cortex_git.routing import Layer, LayerName, Opinion
from cortex_git.routing.decision import ranked
from cortex_git.routing.keywords import Keywords

PULL = 0.2
"""Logits for a weight of 1. From 0.1 to 0.4 it is about the same: of 100 held-out texts 1 more is right."""
_LEAST = 1e-4
"""No chance is taken to be nearer to 0 or 1."""


class Nudged:
    """Another layer with keywords beside it. Satisfies Layer."""

    def __init__(self, keywords: Keywords, layer: Layer) -> None:
        self.name: LayerName = layer.name
        self._keywords = keywords
        self._layer = layer

    def opinions(self, texts: list[str]) -> list[Opinion]:
        """The layer's own, moved."""
        own = self._layer.opinions(texts)
        return [self._moved(text, opinion) for text, opinion in zip(texts, own, strict=True)]

    def _moved(self, text: str, opinion: Opinion) -> Opinion:
        if not opinion.scores:
            return opinion
        weights, _ = self._keywords.raw(text)
        mean = sum(weights.values()) / len(weights)
        scores = {
            one.expert: _moved(one.score, PULL * (weights.get(one.expert, mean) - mean))
            for one in opinion.scores
        }
        by_words = [name for name in weights if name not in scores]
        if by_words:  # an expert of the settings that has keywords and no examples
            counted = {one.expert: one.score for one in self._keywords.opinions([text])[0].scores}
            scores |= {name: counted[name] for name in by_words}
        return Opinion(ranked(scores), opinion.reasons)


def _moved(score: float, by: float) -> float:
    chance = min(max(score / 100, _LEAST), 1 - _LEAST)
    return 100 / (1 + math.exp(-math.log(chance / (1 - chance)) - by))
