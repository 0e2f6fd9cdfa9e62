"""Whether a text must not be sent to a provider of models.

Owns the look at it; the patterns are in `data/sensitive.toml`. It errs on the safe side: what is kept here by
mistake is still routed by the local layers.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

from cortex_git.routing.phrases import alternation

DATA = Path(__file__).parent / "data" / "sensitive.toml"


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = tomllib.loads(DATA.read_text(encoding="utf-8"))
    patterns = [(name, re.compile(text)) for name, text in found["patterns"].items()]
    return (*patterns, ("a word that asks for discretion", alternation(found["words"])))


def sensitive(text: str) -> str | None:
    """What is sensitive in the text; None where nothing looks so."""
    return next((what for what, pattern in _patterns() if pattern.search(text)), None)
