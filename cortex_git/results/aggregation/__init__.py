"""Many results made into one: `vote`, `weighted` and `resolve`.

Owns the words of that. Pure: no git, no clock, no randomness; the same sources in any order give the same
aggregate, byte for byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from cortex_git.models import MergeStrategy

STRATEGIES: tuple[MergeStrategy, ...] = get_args(MergeStrategy)


@dataclass(frozen=True, slots=True)
class Source:
    """One result that goes into an aggregate."""

    task: str
    output: Mapping[str, Any]
    """The result's own: `summary` and `text` hold prose, `findings` a list of findings, others are fields."""
    expert: str = ""
    confidence: float = 50.0
    """0 to 100; how much it counts."""
    nested: bool = False
    """Whether the output is an aggregate, whose sources then go in one by one. By what the task is, never by
    what the output looks like: otherwise a worker could bring a hundred votes."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A source as the aggregate names it."""

    task: str
    expert: str
    confidence: float


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
    """Dotted path; a dot or backslash of a key has a backslash before it."""
    sides: tuple[Side, ...]
    reason: str
    finding: str = ""
    """The finding that the field is of, in words."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A piece of prose with those who wrote it."""

    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Prose under one heading."""

    path: tuple[str, ...]
    """The heading and those above it, the outermost first."""
    named: bool
    """Whether the prose had this heading; else it had none and stands under its expert's name."""
    paragraphs: tuple[Paragraph, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What the sources say together. Everything that they said can be read from it again."""

    strategy: str
    output: Mapping[str, Any]
    """The merged fields, prose and findings among them."""
    voices: tuple[Voice, ...]
    """The sources, sorted by task."""
    contradictions: tuple[Contradiction, ...] = ()
    blended: tuple[Contradiction, ...] = ()
    """Differing values out of which one was made: a mean of numbers, a union of lists. No side is chosen."""
    said_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Whose a field is, by path, where not all say it that say what it stands in."""
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By task: what concerns that task alone, such as its branch, and is not compared."""
    sections: Mapping[str, tuple[Section, ...]] = field(default_factory=dict)
    """The parts of `summary` and `text`, where the sources' prose differs."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Tasks whose result could not go in, and why."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Task ids, sorted."""
        return tuple(voice.task for voice in self.voices)
