"""What a check says: how bad, what, where, why it matters, and what to do about it.

Owns the form of a finding. Knows no check.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

MEND = "cortex-git doctor --fix"
"""What to do about anything that can be mended without a person."""


class Severity(StrEnum):
    """How bad a finding is, from nothing to what keeps commands from working."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class NotLooked(Exception):
    """A check could not be made, for the reason that is the message; another finding says why that is."""


class NothingYet(NotLooked):
    """There is nothing to be looked at yet, and nothing wrong with that."""


@dataclass(frozen=True, slots=True)
class Mend:
    """A safe repair: `intent` says what it does ("remove …"); `run` does it and says what it did.

    `run` raises a `CortexError` or OSError where it cannot. It may be run while other commands work.
    """

    intent: str
    run: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. `where` tells it apart from others of the same check."""

    severity: Severity
    summary: str
    where: str = ""
    why: str = ""
    what_to_do: str = ""
    mend: Mend | None = None

    @property
    def advice(self) -> str:
        """What to do: a command."""
        return self.what_to_do or (MEND if self.mend else "")


def ok(summary: str, where: str = "") -> Finding:
    """All is well, with the figure that says so."""
    return Finding(Severity.OK, summary, where)


def note(summary: str, where: str = "", *, why: str = "", do: str = "", mend: Mend | None = None) -> Finding:
    """Worth knowing; nothing has to be done."""
    return Finding(Severity.NOTE, summary, where, why, do, mend)


def warning(summary: str, where: str = "", *, why: str, do: str = "", mend: Mend | None = None) -> Finding:
    """Something is not as it should be, and work goes on in spite of it."""
    return Finding(Severity.WARNING, summary, where, why, do, mend)


def problem(summary: str, where: str = "", *, why: str, do: str = "", mend: Mend | None = None) -> Finding:
    """Something that keeps commands from working, or work from ending."""
    return Finding(Severity.PROBLEM, summary, where, why, do, mend)


def many(count: int, what: str, plural: str = "") -> str:
    """`1 result`, `1,200 results`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {plural or what + 's'}"


def named(names: list[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
