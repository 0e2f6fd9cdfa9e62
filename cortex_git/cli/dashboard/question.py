"""One question at a time in the bottom lines: nothing is done before the person says yes."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what a yes does. It names what it is about, which may change meanwhile."""

    text: str
    act: Callable[[], str]
    """Run in a thread of its own; returns what happened."""
    doing: str
    """Said while it runs."""

    def __str__(self) -> str:
        return f"{self.text} (y/n)"
