"""A repository that may be scanned, with what is known of it: the ground that filters stand on.

Owns the name that filters look at. A fact that nobody has told is None, which is never the same as no.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources.addresses import Source


@dataclass(frozen=True, slots=True)
class Candidate:
    """One repository that was named or listed."""

    source: Source
    name: str
    """`owner/repo`, with more folders where the host has them; of a path its last two parts."""
    archived: bool | None = None
    fork: bool | None = None
    language: str | None = None
    """The main one; an empty text where the host knows of none."""
    pushed: float | None = None
    """The last push (GitLab: the last activity) in seconds since 1970."""
    private: bool | None = None
    """Whether it takes a password to fetch it."""
    listed: bool = False
    """Whether a host's listing gave it: only then archived ones and forks are left out by default."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An organisation, group or user whose repositories are to be listed."""

    forge: str
    """`github` or `gitlab`."""
    name: str
    subgroups: bool = True
    ssh: bool = False
    """Whether its repositories are to be fetched over ssh."""
    skipped: frozenset[str] = frozenset()
    """Names in small letters that are not wanted."""

    def __str__(self) -> str:
        return f"{self.forge}:{self.name}"


@dataclass
class Listing:
    """What one owner's listing gave; with a gap it is not complete."""

    candidates: list[Candidate] = field(default_factory=list)
    gaps: list[NotScanned] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def named(sources: Iterable[Source]) -> list[Candidate]:
    """Candidates of which no more is known than how they were written down."""
    return [Candidate(source, name_of(source)) for source in sources]


def name_of(source: Source) -> str:
    """`owner/repo` of an address, as its host would call it; of a path the last two parts."""
    if source.local:
        return "/".join(_parts(source.url)[-2:])
    if "://" in source.url:
        return "/".join(_parts(urlsplit(source.url).path))
    return "/".join(_parts(source.url.partition(":")[2]))


def _parts(path: str) -> Sequence[str]:
    return [part for part in path.removesuffix("/").removesuffix(".git").split("/") if part]
