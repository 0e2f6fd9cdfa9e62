"""Words and phrases as people write them in the data files, made into patterns.

Owns that notation: a word, several with spaces between, `*` at a word's end for any ending.
"""

import re
from collections.abc import Iterable


def alternation(phrases: Iterable[str]) -> re.Pattern[str]:
    """One pattern that finds any of the phrases as whole words, whatever their case."""
    parts = "|".join(_escaped(phrase) for phrase in sorted(phrases, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{parts})(?!\w)", re.IGNORECASE)


def _escaped(phrase: str) -> str:
    words = (
        re.escape(word.removesuffix("*")) + (r"\w*" if word.endswith("*") else "") for word in phrase.split()
    )
    return r"[\s-]+".join(words)
