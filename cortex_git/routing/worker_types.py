"""Which of an expert's worker types a text asks for.

Owns the choice; the words it goes by are in `data/worker_types.toml`. Knows the types by name only.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cortex_git.routing.phrases import alternation

DATA = Path(__file__).parent / "data" / "worker_types.toml"

NAMES = (
    "scan-worker",
    "fix-worker",
    "analysis-worker",
    "implementation-worker",
    "test-worker",
    "review-worker",
    "pr-worker",
    "documentation-worker",
)
"""Every worker type there is, as `cortex_git.models` has them."""


@dataclass(frozen=True, slots=True)
class _Words:
    """What speaks for a worker type."""

    pattern: re.Pattern[str]
    needs_repo: bool


@cache
def _words() -> Mapping[str, _Words]:
    found = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return {
        kind: _Words(alternation(entry["words"]), entry.get("needs_repository", False))
        for kind, entry in found.items()
    }


def choose(types: Sequence[str], text: str, *, repo: bool) -> str:
    """The one of `types` whose words come first in `text`; the first of them where none has any."""
    best, first = types[0], len(text)
    if len(types) == 1:
        return best
    for kind in types:
        words = _words().get(kind)
        if words is None or (words.needs_repo and not repo):
            continue
        hit = words.pattern.search(text)
        if hit is not None and hit.start() < first:
            best, first = kind, hit.start()
    return best
