"""How complex a task is, from 1 to 10, and so which model it gets.

Owns the estimate for tasks that do not say it themselves (`context.complexity`). It reads the task and
nothing else: no call is made to find out how hard a call will be.
"""

import re
from collections.abc import Mapping
from typing import Any

from cortex_git.config import Model, Models

LEAST, MOST = 1, 10

OF_TYPE: Mapping[str, int] = {
    "pr-worker": 2,
    "documentation-worker": 3,
    "scan-worker": 3,
    "analysis-worker": 4,
    "fix-worker": 4,
    "review-worker": 4,
    "test-worker": 4,
    "implementation-worker": 5,
}
"""Where the estimate starts."""
_OTHER_TYPE = 4

_LONG, _VERY_LONG = 400, 1500
"""Characters of scope and title; each adds one."""
_HARD = re.compile(
    r"\b(architect\w*|concurren\w*|cryptograph\w*|deadlock\w*|migrat\w*|race|redesign\w*|refactor\w*|rewrit\w*)\b",
    re.IGNORECASE,
)
_EASY = re.compile(r"\b(bump|changelog|comment|format|lint|rename|spelling|typo)s?\b", re.IGNORECASE)


def complexity_of(task: Mapping[str, Any]) -> int:
    """The complexity that the task's context gives, else an estimate.

    The estimate is the worker type's own, plus 1 each for a text above 400 and above 1,500 characters, for
    a word such as `refactor` or `migrate` and for critical priority, less 2 for one such as `typo` or `bump`.
    """
    context = task.get("context") or {}
    given = context.get("complexity")
    if isinstance(given, int | float) and not isinstance(given, bool) and LEAST <= given <= MOST:
        return int(given)
    text = f"{task.get('title') or ''}\n{task.get('scope') or ''}"
    found = OF_TYPE.get(str(task.get("type")), _OTHER_TYPE)
    found += (len(text) > _LONG) + (len(text) > _VERY_LONG)
    found += bool(_HARD.search(text)) + (task.get("priority") == "critical")
    found -= 2 * bool(_EASY.search(text))
    return max(LEAST, min(MOST, found))


def model_of(task: Mapping[str, Any], models: Models) -> Model:
    """The model for the task: the small one below `models.small_below`."""
    return models.for_complexity(complexity_of(task))
