"""What the local classifier sees of a text: words, pairs of words and runs of letters, in numbered buckets.

Owns the numbering; a model only fits the one that it was trained with. Numbers are all alike: that a version
is named matters, not which.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

VERSION = 1
"""Of the numbering; a model of another one is refused."""
WORDS, LETTERS = 1 << 16, 1 << 17
"""Buckets for words and pairs, and after them for runs of letters."""
BUCKETS = WORDS + LETTERS
RAREST = 255
"""The rarity, in steps, of a bucket that no sentence has."""
SHORTEST, LONGEST = 2, 5
"""Letters of a run, the spaces around a word included."""
MOST_READ = 4000
"""Characters of a text that are looked at."""

_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"\w+")


def plain(text: str) -> str:
    """The text as it is looked at."""
    return _DIGITS.sub("0", text[:MOST_READ].lower())


def words(text: str) -> list[str]:
    """The words of a plain text, in order."""
    return _WORD.findall(text)


def bucket(word: str) -> int:
    """Where a word, or a pair with a space between, is counted."""
    return crc32(word.encode("utf-8", "replace")) % WORDS


@lru_cache(maxsize=20_000)
def _letters(word: str) -> tuple[int, ...]:
    """Where the runs of letters of a word are counted; most words come again."""
    spaced = f" {word} ".encode("utf-8", "replace")
    return tuple(
        WORDS + crc32(spaced[start : start + length]) % LETTERS
        for length in range(SHORTEST, min(LONGEST, len(spaced)) + 1)
        for start in range(len(spaced) - length + 1)
    )


def counted(text: str) -> tuple[dict[int, int], dict[int, int]]:
    """How often each bucket occurs in a text: those of words and pairs, and those of letters."""
    low = plain(text)
    found = words(low)
    by_word: dict[int, int] = {}
    for word in found:
        number = bucket(word)
        by_word[number] = by_word.get(number, 0) + 1
    for first, second in pairwise(found):
        number = bucket(f"{first} {second}")
        by_word[number] = by_word.get(number, 0) + 1
    by_letters: dict[int, int] = {}
    for word in low.split():
        for number in _letters(word):
            by_letters[number] = by_letters.get(number, 0) + 1
    return by_word, by_letters


def weighed(text: str, rarity: Sequence[float]) -> dict[int, float]:
    """A text as a vector: logarithms of counts times rarity, its words and its letters of length 1 each."""
    vector: dict[int, float] = {}
    for counts in counted(text):
        part = {
            number: rarity[number] if count == 1 else (1 + math.log(count)) * rarity[number]
            for number, count in counts.items()
        }
        length = math.sqrt(sum(value * value for value in part.values()))
        vector |= {number: value / length for number, value in part.items()} if length else {}
    return vector
