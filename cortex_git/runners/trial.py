"""The `trial` runner: stamps its first instruction, with the imports of a Claude worker, for `bench spawn`.

Owns nothing but the stamp. It makes no call to any model.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from cortex_git.runners import RunContext, RunOutcome
from cortex_git.state import monotonic

HEAVY = "anthropic"
"""The import that is the cold start of a Claude worker: over two seconds on a small machine."""


def preload() -> None:
    """Import what a Claude worker needs. Raises ImportError where it is not installed."""
    import_module(HEAVY)


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Answer with the moment of the first instruction, and whether the imports were done by then."""
    started = monotonic()
    return RunOutcome("completed", {"started": started, "imported": HEAVY in sys.modules})
