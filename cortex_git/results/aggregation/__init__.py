"""Many results made into one: `vote`, `weighted` and `resolve`.

Owns the words of that. Pure: no git, no clock, no randomness; the same sources in any order give the same
aggregate, byte for byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """One result that goes into an aggregate."""

    task: str
    output: Mapping[str, Any]
    """The result's own: `summary` and `text` hold prose, `findings` a list of findings, others are fields."""
    expert: str = ""
    confidence: float = 50.0
    """0 to 100; how much it counts."""


@dataclass(frozen=True, slots=True)
class Side:
    """A value with those who say so."""

    value: Any
    sources: tuple[str, ...]
    """Task ids, sorted."""
    confidence: float
    """Of the sources together."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A field on which the sources do not agree: all sides, the chosen one first, and why it was."""

    field: str
    """Dotted path."""
    sides: tuple[Side, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What the sources say together."""

    strategy: str
    output: Mapping[str, Any]
    sources: tuple[str, ...]
    """Task ids, sorted."""
    contradictions: tuple[Contradiction, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """Tasks whose result could not go in, and why."""
