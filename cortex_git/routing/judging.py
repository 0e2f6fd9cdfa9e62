"""How good a layer is on sentences that it has not learned from, and whether another is worse.

Owns those figures and what counts as worse. Pure.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cortex_git.routing import Layer, Opinion

_BINS = 10
_CHANCE = 0.005
"""Part of all sentences that may be lost: two or three go one way or the other with any new sentence."""
_TOLERANCE = 0.02
"""By how much a side figure may fall: each rests on a few dozen sentences."""


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence with whom it is for, the first of all first."""

    text: str
    experts: tuple[str, ...]
    hard: bool = False
    """Counting words would go wrong on it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Parts of one, but for `cases`; 1.0 where there was nothing to judge by."""

    cases: int
    right: float
    """Of all sentences, those whose likeliest expert is the one that comes first."""
    single: float
    """The same of those for one expert alone."""
    hard: float
    """The same of the hard ones."""
    both: float
    """Of those for several experts, those whose first two are the two likeliest, in any order."""
    calibration_error: float
    """Expected: mean distance between how sure it was and how often its expert was needed, over ten bins."""

    def to_json(self) -> dict[str, Any]:
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def judge(layer: Layer, cases: Sequence[Case]) -> Judgement:
    """The layer's opinions on the cases, against whom they are for."""
    opinions = layer.opinions([case.text for case in cases])
    pairs = list(zip(cases, opinions, strict=True))
    right = [_is_right(case, opinion) for case, opinion in pairs]
    single = [hit for (case, _), hit in zip(pairs, right, strict=True) if len(case.experts) == 1]
    hard = [hit for (case, _), hit in zip(pairs, right, strict=True) if case.hard]
    both = [_names_both(case, opinion) for case, opinion in pairs if len(case.experts) > 1]
    needed = [bool(o.scores) and o.scores[0].expert in case.experts for case, o in pairs]
    sure = [opinion.scores[0].score / 100 if opinion.scores else 0.0 for _, opinion in pairs]
    return Judgement(
        len(pairs), _part(right), _part(single), _part(hard), _part(both), calibration_error(sure, needed)
    )


def worse(new: Judgement, old: Judgement) -> str | None:
    """In which way `new` is worse than `old`, by more than chance, with figures; None where it is not."""
    falls = [
        ("sentences whose expert is found", old.right, new.right, _CHANCE),
        ("of those for one expert", old.single, new.single, _TOLERANCE),
        ("of the hard ones", old.hard, new.hard, _TOLERANCE),
        ("of those for several experts", old.both, new.both, _TOLERANCE),
    ]
    for what, before, after, tolerance in falls:
        if before - after > tolerance + 1e-9:
            return f"{what}: {after:.1%} against {before:.1%}, {100 * (before - after):.1f} points less"
    rise = new.calibration_error - old.calibration_error
    if rise > _TOLERANCE + 1e-9:
        return f"calibration error: {new.calibration_error:.3f} against {old.calibration_error:.3f}"
    return None


def calibration_error(sure: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error of chances from 0 to 1 (Naeini, Cooper and Hauskrecht, 2015), equal bins."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    for chance, hit in zip(sure, right, strict=True):
        bins[min(int(chance * _BINS), _BINS - 1)].append((chance, hit))
    distance = sum(abs(sum(chance - hit for chance, hit in one)) for one in bins)
    return distance / len(sure) if sure else 0.0


def _is_right(case: Case, opinion: Opinion) -> bool:
    return bool(opinion.scores) and opinion.scores[0].expert == case.experts[0]


def _names_both(case: Case, opinion: Opinion) -> bool:
    return set(case.experts[:2]) == {one.expert for one in opinion.scores[:2]}


def _part(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 1.0
