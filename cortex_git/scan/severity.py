"""How severe an advisory is: from its CVSS vectors, or from the word its database gives, else unknown.

Owns the scale. Must never guess: what carries neither a readable vector nor a known word is `unknown`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cortex_git.scan.records import SEVERITIES, Severity

_NOTHING, _WORD, _CVSS2, _CVSS = range(4)
"""How good the ground of a rating is; CVSS 2 has another scale, with no critical, so 3 and 4 win."""

_WORDS: dict[str, Severity] = {
    "CRITICAL": "critical",
    "HIGH": "high",
    "MODERATE": "medium",
    "MEDIUM": "medium",
    "LOW": "low",
}


@dataclass(frozen=True, slots=True)
class Rating:
    """A severity, its CVSS base score (0.0 to 10.0, None without a vector) and how good its ground is."""

    severity: Severity
    score: float | None
    basis: int


UNRATED = Rating("unknown", None, _NOTHING)


def of_record(record: Mapping[str, Any]) -> Rating:
    """The rating of one OSV record, from it alone: of its newest CVSS version, the highest score."""
    rated = [rating for vector in _vectors(record) if (rating := of_vector(vector)) is not None]
    return joined(rated) if rated else _of_word(record)


def joined(ratings: Iterable[Rating]) -> Rating:
    """The rating of one vulnerability that several records describe: the best ground, then the worst."""
    return max(ratings, key=_weight, default=UNRATED)


@lru_cache(maxsize=20_000)
def of_vector(vector: str) -> Rating | None:
    """The rating of a CVSS 2, 3.0, 3.1 or 4.0 base vector, None where it is not one.

    A score of 0.0 is `low`: a figure was published, so it is not `unknown`, and nothing is lower.
    """
    from cvss import CVSS2, CVSS3, CVSS4
    from cvss.exceptions import CVSSError

    try:
        if vector.startswith("CVSS:4"):
            return _scored(float(CVSS4(vector).base_score))
        if vector.startswith("CVSS:3"):
            return _scored(float(CVSS3(vector).base_score))
        score = float(CVSS2(vector.strip("()")).base_score)
    except (CVSSError, ValueError, TypeError, KeyError):
        return None
    return Rating("high" if score >= 7 else "medium" if score >= 4 else "low", score, _CVSS2)


def _scored(score: float) -> Rating:
    severity: Severity = "critical" if score >= 9 else "high" if score >= 7 else "low"
    return Rating("medium" if 4 <= score < 7 else severity, score, _CVSS)


def _weight(rating: Rating) -> tuple[int, float, int]:
    return (rating.basis, rating.score or 0.0, -SEVERITIES.index(rating.severity))


def _vectors(record: Mapping[str, Any]) -> Iterator[str]:
    """The vectors of the newest CVSS version that the record or one of its packages carries."""
    entries = [*_list(record.get("severity"))]
    for affected in _list(record.get("affected")):
        if isinstance(affected, dict):
            entries += _list(affected.get("severity"))
    by_type: dict[str, list[str]] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("score"), str):
            by_type.setdefault(str(entry.get("type")), []).append(entry["score"])
    for kind in ("CVSS_V4", "CVSS_V3", "CVSS_V2"):
        if any(of_vector(vector) for vector in by_type.get(kind, ())):
            yield from by_type[kind]
            return


def _of_word(record: Mapping[str, Any]) -> Rating:
    own = record.get("database_specific")
    word = own.get("severity") if isinstance(own, dict) else None
    severity = _WORDS.get(word.upper()) if isinstance(word, str) else None
    return Rating(severity, None, _WORD) if severity else UNRATED


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
