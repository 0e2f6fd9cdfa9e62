"""What is promised, by name: what the exploration looks for.

Owns the names and how a broken one is told.
"""

from typing import NamedTuple

PROMISES = {
    "one-result": "at most one result of a task is ever published",
    "one-run": "no attempt of an epoch is run twice; where nobody dies or is suspected, no task is",
    "kept": "what was published stays on a result ref or the branch, and whoever fetches sees it",
    "not-fenced": "what was published is never called fenced",
    "cancelled": "what was cancelled is not taken up again",
    "archived": "what was archived does not come back into the branch",
    "ends": "if nothing more goes wrong and anybody lives, every task can end",
}
"""Each promise with what it says."""


class Wrong(NamedTuple):
    """A promise that is broken, and how."""

    promise: str
    how: str
