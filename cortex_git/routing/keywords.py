"""Layer 1: words and phrases with weights, and what stands near them. Microseconds a text.

Owns the counting and its calibration; the words are in `data/keywords.toml`, for people to edit. It is meant
to be sure of the obvious only, and hands on the rest.
"""

import math
import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cortex_git.routing import LayerName, Opinion
from cortex_git.routing.decision import ranked

DATA = Path(__file__).parent / "data" / "keywords.toml"
_TOKEN = re.compile(r"[a-z0-9]+(?:[._+#'-]*[a-z0-9]+)*[+#]*")
_MOST_TOKENS = 400
_MOST_KNOWN = 50_000
_MOST_TOLD = 4
"""Hits that an opinion names for an expert."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One word or phrase: what has to follow the first word, and what it counts for whom."""

    name: str
    rest: tuple[str, ...]
    weights: tuple[tuple[str, float], ...]
    groups: tuple[int, ...] = ()
    """Near-rules that it is one side of: even numbers the left, odd ones the right."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Experts that are both needed where each has at least so much."""

    least: float
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Near:
    expert: str
    by: float
    within: int
    name: str


class Keywords:
    """The compiled words. Satisfies Layer."""

    name: LayerName = "keywords"

    def __init__(
        self, data: Mapping[str, Any], more: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        words: dict[str, dict[str, float]] = {}
        self._near: list[_Near] = []
        sides: dict[str, list[int]] = {}
        self._patterns: list[tuple[re.Pattern[str], str, str, float]] = []
        self.experts = tuple(dict.fromkeys([*data["experts"], *(more or {})]))
        for expert in data["experts"]:
            self._read(expert, data[expert], words, sides)
        for expert, own in (more or {}).items():
            for phrase, weight in own.items():
                words.setdefault(" ".join(_words_of(phrase)), {})[expert] = float(weight)
        self._exact: dict[str, list[_Entry]] = {}
        self._prefix: dict[str, list[_Entry]] = {}
        for phrase in {**words, **sides}:
            self._index(phrase, words.get(phrase, {}), sides.get(phrase, ()))
        self._shortest = min(map(len, self._prefix), default=99)
        self._longest = max(map(len, self._prefix), default=0)
        self._pairs = [_Pair(float(one["least"]), one["scores"]) for one in data.get("pairs", ())]
        self._sure_from = float(data["sure_from"])
        self._unsure = float(data["unsure"])
        self._known: dict[str, tuple[_Entry, ...]] = {}
        self._curve = [(float(raw), float(score)) for raw, score in data["calibration"]]

    @classmethod
    def load(cls, more: Mapping[str, Mapping[str, float]] | None = None) -> "Keywords":
        """From the data file, with words of experts by settings."""
        return cls(tomllib.loads(DATA.read_text(encoding="utf-8")), more)

    def _read(
        self,
        expert: str,
        entry: Mapping[str, Any],
        words: dict[str, dict[str, float]],
        sides: dict[str, list[int]],
    ) -> None:
        for weight, phrases in entry.get("words", {}).items():
            for phrase in phrases:
                words.setdefault(phrase, {})[expert] = float(weight)
        for weight, patterns in entry.get("patterns", {}).items():
            for name, pattern in patterns.items():
                self._patterns.append((re.compile(pattern), expert, name, float(weight)))
        for rule in entry.get("near", ()):
            number = 2 * len(self._near)
            told = rule.get("what") or f"{rule['words'][0]} near {rule['near'][0]}"
            self._near.append(_Near(expert, float(rule["by"]), int(rule.get("within", 5)), told))
            for side, phrases in enumerate((rule["words"], rule["near"])):
                for phrase in phrases:
                    sides.setdefault(phrase, []).append(number + side)

    def _index(self, phrase: str, weights: Mapping[str, float], sides: Sequence[int]) -> None:
        first, *rest = _words_of(phrase)
        entry = _Entry(phrase, tuple(rest), tuple(weights.items()), tuple(sides))
        where = self._prefix if first.endswith("*") else self._exact
        where.setdefault(first.removesuffix("*"), []).append(entry)

    def opinions(self, texts: list[str]) -> list[Opinion]:
        """An opinion on each of the texts."""
        return [self._opinion(text) for text in texts]

    def _opinion(self, text: str) -> Opinion:
        raw, hits = self.raw(text)
        shares = softmax(raw)
        scores = ranked({expert: self._calibrated(share) for expert, share in shares.items()})
        for pair in self._pairs:
            if all(raw[expert] >= pair.least for expert in pair.scores):
                scores = ranked({one.expert: one.score for one in scores} | dict(pair.scores))
        first = scores[0].expert
        told = [name for name, expert, weight in hits if expert == first and weight > 0]
        return Opinion(scores, (f"{first}: {', '.join(told[:_MOST_TOLD])}",) if told else ())

    def raw(self, text: str) -> tuple[dict[str, float], list[tuple[str, str, float]]]:
        """The sum of weights for each expert, and the hits (what, for whom, how much)."""
        lower = text.lower()
        tokens = _TOKEN.findall(lower)[:_MOST_TOKENS]
        totals = dict.fromkeys(self.experts, 0.0)
        hits: list[tuple[str, str, float]] = []
        found, places = self._found(tokens)
        for entry in found:
            hits += [(entry.name, expert, weight) for expert, weight in entry.weights]
        hits += [
            (name, expert, weight)
            for pattern, expert, name, weight in self._patterns
            if pattern.search(lower)
        ]
        for number, rule in enumerate(self._near):
            left = places.get(2 * number)
            right = places.get(2 * number + 1)
            if left and right and _are_near(left, right, rule.within):
                hits.append((rule.name, rule.expert, rule.by))
        for _, expert, weight in hits:
            totals[expert] += weight
        return totals, hits

    def _found(self, tokens: list[str]) -> tuple[list[_Entry], dict[int, list[int]]]:
        """Each entry that the tokens hold once, and where the sides of near-rules are."""
        found: dict[str, _Entry] = {}
        places: dict[int, list[int]] = {}
        for place, token in enumerate(tokens):
            for entry in self._beginning(token):
                if not entry.rest or _follows(tokens, place + 1, entry.rest):
                    found[entry.name] = entry
                    for side in entry.groups:
                        places.setdefault(side, []).append(place)
        return list(found.values()), places

    def _beginning(self, token: str) -> tuple[_Entry, ...]:
        """Entries whose first word this is; what was found for a token is kept, as most come again."""
        known = self._known.get(token)
        if known is None:
            lengths = range(self._shortest, min(len(token), self._longest) + 1)
            begun = [entry for length in lengths for entry in self._prefix.get(token[:length], ())]
            known = (*self._exact.get(token, ()), *begun)
            if len(self._known) < _MOST_KNOWN:
                self._known[token] = known
        return known

    def _calibrated(self, share: float) -> float:
        """Percent of training texts with such a share that needed the expert; capped below what is sure."""
        if share < self._sure_from:
            return min(self._on_curve(share), self._unsure)
        return self._on_curve(share)

    def _on_curve(self, share: float) -> float:
        at = bisect_right(self._curve, (share, math.inf))
        if at == 0:
            return self._curve[0][1]
        if at == len(self._curve):
            return self._curve[-1][1]
        (low, below), (high, above) = self._curve[at - 1 : at + 1]
        return below + (above - below) * (share - low) / (high - low)


def softmax(raw: Mapping[str, float]) -> dict[str, float]:
    """Sums of weights as shares of 1."""
    top = max(raw.values())
    powers = {expert: math.exp(value - top) for expert, value in raw.items()}
    total = sum(powers.values())
    return {expert: power / total for expert, power in powers.items()}


def _words_of(phrase: str) -> list[str]:
    """A phrase as a text's tokens are, `*` kept at the end of a word."""
    words: list[str] = []
    for word in phrase.lower().split():
        tokens = _TOKEN.findall(word)
        words += tokens
        if tokens and word.endswith("*"):
            words[-1] += "*"
    return words or [phrase.lower()]


def _follows(tokens: list[str], place: int, rest: tuple[str, ...]) -> bool:
    if place + len(rest) > len(tokens):
        return False
    for offset, word in enumerate(rest):
        token = tokens[place + offset]
        if not (token.startswith(word[:-1]) if word.endswith("*") else token == word):
            return False
    return True


def _are_near(left: list[int], right: list[int], within: int) -> bool:
    both = sorted([(place, 0) for place in left] + [(place, 1) for place in right])
    return any(a[1] != b[1] and b[0] - a[0] <= within for a, b in pairwise(both))
