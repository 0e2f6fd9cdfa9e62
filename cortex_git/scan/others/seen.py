"""What another scanner found, in our words."""

from dataclasses import dataclass

from cortex_git.scan.records import Severity


class Unreadable(Exception):
    """A scanner's answer is not of the form that its documentation gives; the text is one clause."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One vulnerability of one package in one lockfile, as another scanner reports it."""

    lockfile: str
    """Path inside the repository."""
    package: str
    version: str | None
    """None where the scanner does not say which of those that the lockfile pins."""
    ids: tuple[str, ...]
    """Every name it gives the vulnerability, its own first."""
    severity: Severity = "unknown"
    score: float | None = None
    fixed: str | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """A scanner names a lockfile that it read, and every package that it saw there, whatever it found."""

    lockfile: str
    packages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A scanner says that it did not look at something; both texts are its own."""

    what: str
    reason: str


Told = Seen | Looked | LeftOut


@dataclass(frozen=True, slots=True)
class Answer:
    """All that one scanner said of a repository."""

    scanner: str
    read: frozenset[str]
    """The lockfiles that it read, so that its silence about them means something."""
    seen: tuple[Seen, ...]
    looked: tuple[Looked, ...] | None = None
    """What it saw there, so that its silence about any other package means nothing; None: it does not say."""
