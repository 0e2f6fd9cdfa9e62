"""A trainer of the router that counts words, in a moment: for tests of what goes on around one."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from cortex_git.routing import LayerName, Opinion
from cortex_git.routing.decision import ranked
from cortex_git.routing.feedback import Sentence, key

NAMES = ("security", "development", "inventory", "documentation")


PACKAGED = {word: {"documentation": 1.0} for word in ("a", "the", "to", "in", "of", "for", "is", "on", "and")}
"""A model that the package might bring, were it a bad one."""


class Words:
    """A layer that counts in how many sentences of an expert a word was."""

    name: LayerName = "semantic"

    def __init__(self, counts: dict[str, dict[str, float]]) -> None:
        self._counts = counts

    def opinions(self, texts: list[str]) -> list[Opinion]:
        return [Opinion(ranked(self._scores(text))) for text in texts]

    def _scores(self, text: str) -> dict[str, float]:
        totals = dict.fromkeys(NAMES, 1.0)
        for word in key(text).split():
            known = self._counts.get(word, {})
            for name, count in known.items():
                totals[name] += 9 * count / sum(known.values())
        return {name: 100 * total / sum(totals.values()) for name, total in totals.items()}


class Counting:
    """Makes such layers, and remembers what it was taught."""

    def __init__(self, *, spoiled: bool = False, on_train: Callable[[Path], None] = lambda _: None) -> None:
        self.taught: list[Sentence] = []
        self._spoiled = spoiled
        self._on_train = on_train

    def train(self, sentences: Sequence[Sentence], path: Path) -> None:
        self.taught = list(sentences)
        path.write_bytes(b"half")
        self._on_train(path)
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for one in sentences:
            expert = "documentation" if self._spoiled else one.experts[0]
            for word in key(one.text).split():
                counts[word][expert] += one.weight  # type: ignore[assignment]
        path.write_text(json.dumps(counts))

    def load(self, path: Path | None) -> Words:
        return Words(json.loads(path.read_text()) if path is not None else PACKAGED)

    @property
    def own(self) -> dict[str, tuple[tuple[str, ...], str]]:
        """What is not of the package."""
        return {one.text: (one.experts, one.source) for one in self.taught if one.source != "packaged"}
