"""What people and outcomes say of decisions, as sentences to train with.

Owns what such a sentence weighs against the packaged ones, and which of two that disagree is believed. Pure:
who said something, and where it is kept, is the caller's business.
"""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Source = Literal["person", "given", "outcome"]
"""A person's correction; an expert whom a text named itself; work that a decision led to."""

WEIGHTS: dict[Source, float] = {"person": 3.0, "given": 0.5, "outcome": 0.25}
"""What one sentence counts against a packaged one. That work was completed says little: most workers complete
also what would have been another's."""
SHARES: dict[Source, float] = {"person": 0.20, "given": 0.05, "outcome": 0.05}
"""Most that all sentences of a source may count, as a part of the packaged ones."""
MOST_SENTENCES = 2000
"""Newest sentences of a source that are used."""


@dataclass(frozen=True, slots=True)
class Said:
    """That a text is for these experts, the first of all first."""

    text: str
    experts: tuple[str, ...]
    source: Source
    at: str
    """ISO 8601; of two that disagree, the later one."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence to train with."""

    text: str
    experts: tuple[str, ...]
    weight: float = 1.0
    source: str = "packaged"
    """Or `data`, or who said it."""


def folded(
    packaged: Sequence[Sentence],
    said: Iterable[Said],
    *,
    held_out: Collection[str] = (),
    known: Collection[str] | None = None,
) -> list[Sentence]:
    """The packaged sentences, and those that were said, each text once.

    A person's word replaces what is packaged for the same text; outcomes say nothing about that. What is
    held out for judging is not learned, nor an expert that is not among the `known`.
    """
    own = {key(one.text) for one in packaged}
    excluded = {key(text) for text in held_out}
    chosen: dict[str, Said] = {}
    for one in sorted(said, key=_credit):
        name = key(one.text)
        is_ours = one.source != "person" and name in own
        unknown = known is not None and not set(one.experts) <= set(known)
        if name and one.experts and not (unknown or is_ours or name in excluded):
            chosen[name] = one
    kept = [one for one in packaged if key(one.text) not in chosen]
    learned = [
        sentence for source in WEIGHTS for sentence in _weighted(chosen.values(), source, len(packaged))
    ]
    return kept + learned


def _credit(one: Said) -> tuple[bool, bool, str, tuple[str, ...]]:
    """What is believed comes last."""
    return one.source == "person", one.source == "given", one.at, one.experts


def _weighted(chosen: Iterable[Said], source: Source, packaged: int) -> list[Sentence]:
    """The newest of that source; together they weigh no more than its share."""
    mine = [one for one in chosen if one.source == source]
    newest = sorted(mine, key=lambda one: (one.at, one.text), reverse=True)[:MOST_SENTENCES]
    if not newest:
        return []
    weight = min(WEIGHTS[source], SHARES[source] * packaged / len(newest))
    return [Sentence(one.text, one.experts, weight, source) for one in newest]


def key(text: str) -> str:
    """The same for texts that differ in case, spaces and ways to write a character only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
