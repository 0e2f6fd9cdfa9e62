"""Layer 2: a classifier over words, pairs of words and runs of letters, trained on sentences of our own.

Owns the opinions; needs no network, no key and no library. Words that it never met count by their letters.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cortex_git.routing import LayerName, Opinion, features
from cortex_git.routing.classifier import PACKAGED, Model, read
from cortex_git.routing.decision import ranked
from cortex_git.routing.examples import Alike

_ENOUGH = 2
"""Words that the sentences have, from which on an opinion is worth what it says."""
_MOST_TOLD = 3
"""Words that an opinion names."""


class Semantic:
    """One model, with experts by examples beside it. Satisfies Layer."""

    name: LayerName = "semantic"

    def __init__(self, model: Model, alike: Alike | None = None) -> None:
        self.model = model
        self._alike = alike

    @classmethod
    def load(cls, path: Path | None = None) -> "Semantic":
        """The model at `path`, or the packaged one. Raises BadInput where it cannot be read."""
        return cls(read(path or PACKAGED))

    def with_experts(self, examples: Mapping[str, Sequence[str]]) -> "Semantic":
        """The same with experts that are known by examples alone, or by more of them than the model has."""
        return Semantic(self.model, Alike(self.model, examples))

    def opinions(self, texts: list[str]) -> list[Opinion]:
        """An opinion on each of the texts."""
        return [self._opinion(text) for text in texts]

    def _opinion(self, text: str) -> Opinion:
        vector = self.model.vector(text)
        words = features.words(features.plain(text))
        chances = self._doubted(self.model.chances(vector), words)
        if self._alike is not None:
            for name, likely in self._alike.chances(vector).items():
                chances[name] = max(chances.get(name, 0.0), likely)
        scores = ranked({name: 100 * chance for name, chance in chances.items()})
        return Opinion(scores, self._reasons(words, scores[0].expert, vector))

    def _doubted(self, chances: dict[str, float], words: Sequence[str]) -> dict[str, float]:
        """Drawn to their mean where the text has hardly a word that was ever heard: letters prove little."""
        known = sum(self.model.knows(word) for word in set(words))
        trust = min(1.0, (1 + known) / (1 + _ENOUGH))
        mean = 1 / len(chances)
        return {name: mean + trust * (chance - mean) for name, chance in chances.items()}

    def _reasons(self, words: Sequence[str], expert: str, vector: Mapping[int, float]) -> tuple[str, ...]:
        """The words of the text that speak most for the expert."""
        place = next((n for n, head in enumerate(self.model.heads) if head.expert == expert), None)
        if place is None:
            return (f"{expert}: like its examples",)
        said: dict[str, float] = {}
        for word in words:
            number = features.bucket(word)
            said[word] = vector.get(number, 0.0) * self.model.weight(number, place)
        told = sorted((word for word in said if said[word] > 0), key=lambda word: (-said[word], word))
        return (f"{expert}: {', '.join(told[:_MOST_TOLD])}",) if told else ()
