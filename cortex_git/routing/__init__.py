"""Which expert a sentence is for: keywords first, a local classifier next, Claude last.

Owns the words of that: scores, decisions, layers. Knows nothing of tasks that are stored, nor of who
carries them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

LayerName = Literal["given", "keywords", "semantic", "claude"]
"""What decided: a prefix or a label, or the layer that was sure, or asked last."""
StrategyName = Literal["single_expert", "multi_expert_parallel", "general_expert"]


@dataclass(frozen=True, slots=True)
class Scored:
    """An expert and how sure a layer is that the text needs it: 0 to 100, calibrated.

    Of all texts with a primary score of 80, that expert is right in about 80 of 100.
    """

    expert: str
    score: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one layer thinks of a text: every expert it knows, the likeliest first."""

    scores: tuple[Scored, ...]
    reasons: tuple[str, ...] = ()


class Layer(Protocol):
    """One way to score a text."""

    name: LayerName

    def opinions(self, texts: list[str]) -> list[Opinion]:
        """An opinion on each of the texts, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be routed. A text may say its expert itself (`docs: …`); a label does so too."""

    text: str
    labels: tuple[str, ...] = ()
    repo: bool = False
    """Whether a repository is named, so that a scan has something to scan."""
    sensitive: bool | None = None
    """None: as the text looks."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Who is to work on a text, and why."""

    text: str
    strategy: StrategyName
    primary: Scored
    secondary: tuple[Scored, ...]
    layer: LayerName
    worker_types: tuple[str, ...]
    """One for each expert that is activated: the primary's first."""
    complexity: int
    """1 to 10."""
    model: str
    """Of the tier that the complexity asks for."""
    sensitive: bool
    reasons: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    """Every expert's score by the layer that decided."""

    def to_json(self) -> dict[str, Any]:
        """As `route --format json` prints it and task documents keep it."""
        return {
            "text": self.text,
            "strategy": self.strategy,
            "primary": _scored(self.primary),
            "secondary": [_scored(one) for one in self.secondary],
            "layer": self.layer,
            "worker_types": list(self.worker_types),
            "complexity": self.complexity,
            "model": self.model,
            "sensitive": self.sensitive,
            "reasons": list(self.reasons),
        }


def _scored(one: Scored) -> dict[str, Any]:
    return {"expert": one.expert, "score": round(one.score, 1)}
