"""`bench route`: how often the router is right on labelled sentences, and how far its scores can be believed.

Owns what is measured. The sentences are those that nothing was trained on, or a person's own; the baseline
counts the plainest words of each expert. Claude is never asked.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_git.config import Settings
from cortex_git.errors import BadInput
from cortex_git.routing import Decision, Layer, Request
from cortex_git.routing.experts import experts_of
from cortex_git.routing.judging import Case, calibration_error
from cortex_git.routing.keywords import Keywords
from cortex_git.routing.nudged import Nudged
from cortex_git.routing.router import Router
from cortex_git.routing.semantic import Semantic

PLAIN: dict[str, tuple[str, ...]] = {
    "security": ("security", "vulnerability", "cve", "exploit", "attack", "xss", "injection", "password"),
    "development": ("bug", "fix", "crash", "error", "feature", "add", "test", "refactor", "performance"),
    "inventory": ("dependency", "dependencies", "bump", "upgrade", "version", "license", "sbom", "package"),
    "documentation": ("documentation", "docs", "readme", "typo", "guide", "example", "tutorial", "changelog"),
}
"""What the baseline counts; most hits win, and of two with as many the first."""
_BINS = 10


@dataclass(frozen=True, slots=True)
class Figures:
    """Parts of one; None where there was no such sentence."""

    plain: float | None
    """Sentences for one expert that are not hard: whose primary is right."""
    hard: float | None
    """Hard sentences for one expert: whose primary is right."""
    both: float | None
    """Sentences for two: whose primary and secondaries name both."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Decisions with scores from `low` to `low` + 10."""

    low: int
    cases: int
    score: float
    """Mean score of the primary, 0 to 100."""
    right: float
    """Percent of them whose primary was needed."""


@dataclass(frozen=True, slots=True)
class RouteBench:
    """What one run measured."""

    cases: int
    router: Figures
    baseline: Figures
    calibration_error: float
    reliability: tuple[Bin, ...]
    layers: dict[str, int]
    """Decisions by layer."""
    keywords_ms: float
    """Milliseconds of layer 1 for a text, loaded."""
    semantic_ms: float
    """The same of layer 2."""
    load_ms: float
    """Milliseconds until both are loaded."""

    def to_json(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "router": _figures(self.router),
            "baseline": _figures(self.baseline),
            "calibration_error": round(self.calibration_error, 4),
            "reliability": [
                {"from": b.low, "to": b.low + 10, "cases": b.cases, "score": round(b.score, 1),
                 "right": round(b.right, 1)} for b in self.reliability
            ],
            "layers": self.layers,
            "keywords_ms": round(self.keywords_ms, 4),
            "semantic_ms": round(self.semantic_ms, 4),
            "load_ms": round(self.load_ms, 1),
        }  # fmt: skip


def bench_route(cases: Sequence[Case]) -> RouteBench:
    """Decide on every case by layers 1 and 2 alone. Raises BadInput where there is none."""
    if not cases:
        raise BadInput("no sentences to measure with", 'give {"text": …, "experts": […]} lines')
    started = time.perf_counter()
    keywords, semantic = Keywords.load(), Semantic.load()
    load_ms = _since(started)
    settings = Settings()
    layers: list[Layer] = [keywords, Nudged(keywords, semantic)]
    router = Router(experts_of(settings), layers, settings.routing, settings.models)
    decisions = router.decide_all([Request(case.text) for case in cases])
    pairs = list(zip(cases, decisions, strict=True))
    needed = [decision.primary.expert in case.experts for case, decision in pairs]
    return RouteBench(
        cases=len(cases),
        router=_measured(cases, [_named(decision) for decision in decisions]),
        baseline=_measured(cases, [counted(case.text) for case in cases]),
        calibration_error=calibration_error([d.primary.score / 100 for d in decisions], needed),
        reliability=_reliability([d.primary.score for d in decisions], needed),
        layers=dict(Counter(decision.layer for decision in decisions)),
        keywords_ms=_each_ms(keywords, cases),
        semantic_ms=_each_ms(semantic, cases),
        load_ms=load_ms,
    )


def counted(text: str) -> list[str]:
    """The experts in the order of how many of their plainest words the text has: the baseline."""
    words = [word.strip(".,:;!?()[]`'\"") for word in text.lower().split()]
    hits = {expert: sum(words.count(word) for word in plain) for expert, plain in PLAIN.items()}
    return sorted(hits, key=lambda expert: -hits[expert])[:2]


def _named(decision: Decision) -> list[str]:
    return [decision.primary.expert, *(one.expert for one in decision.secondary)]


def _measured(cases: Sequence[Case], answers: Sequence[list[str]]) -> Figures:
    pairs = list(zip(cases, answers, strict=True))
    single = [(case, answer[0] == case.experts[0]) for case, answer in pairs if len(case.experts) == 1]
    return Figures(
        plain=_part([right for case, right in single if not case.hard]),
        hard=_part([right for case, right in single if case.hard]),
        both=_part([set(case.experts) <= set(answer) for case, answer in pairs if len(case.experts) == 2]),
    )


def _part(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _reliability(scores: Sequence[float], needed: Sequence[bool]) -> tuple[Bin, ...]:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    for score, hit in zip(scores, needed, strict=True):
        bins[min(int(score / 10), _BINS - 1)].append((score, hit))
    return tuple(
        Bin(10 * place, len(one), sum(s for s, _ in one) / len(one), 100 * sum(h for _, h in one) / len(one))
        for place, one in enumerate(bins)
        if one
    )


def _each_ms(layer: Layer, cases: Sequence[Case]) -> float:
    texts = [case.text for case in cases]
    return _timed(lambda: layer.opinions(texts)) / len(texts)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return _since(started)


def _since(started: float) -> float:
    return 1000 * (time.perf_counter() - started)


def _figures(one: Figures) -> dict[str, float | None]:
    return {
        name: None if value is None else round(value, 4)
        for name, value in (("plain", one.plain), ("hard", one.hard), ("both", one.both))
    }
