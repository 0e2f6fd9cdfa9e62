"""How complex a text's work is, from 1 to 10, by its words alone.

Owns the estimate; its words and weights are in `data/complexity.toml`, and where it starts for a worker type
is as in the tier of agents.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cortex_git.routing.phrases import alternation

DATA = Path(__file__).parent / "data" / "complexity.toml"
LEAST, MOST = 1, 10


@dataclass(frozen=True, slots=True)
class _Scale:
    types: Mapping[str, int]
    other: int
    lengths: Sequence[int]
    words: tuple[tuple[re.Pattern[str], int], ...]
    each_expert: int


@cache
def _scale() -> _Scale:
    found: dict[str, Any] = tomllib.loads(DATA.read_text(encoding="utf-8"))
    words = tuple((alternation(entry["words"]), int(entry["by"])) for entry in found["words"].values())
    return _Scale(found["types"], found["other_type"], found["lengths"], words, found["each_further_expert"])


def complexity(text: str, worker_type: str, experts: int = 1) -> int:
    """The complexity of what `text` asks of `worker_type`, one of so many experts that share it."""
    scale = _scale()
    found = scale.types.get(worker_type, scale.other)
    found += sum(len(text) > length for length in scale.lengths)
    found += sum(by for pattern, by in scale.words if pattern.search(text))
    found += scale.each_expert * (experts - 1)
    return max(LEAST, min(MOST, found))
