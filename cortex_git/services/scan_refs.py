"""`--branches` and `--tags`: each repository once for every branch and tag that fits.

Must never lose a repository that could not be asked: it is a gap.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from re import Pattern
from typing import NamedTuple

from cortex_git.config import cache_folder
from cortex_git.errors import CortexError
from cortex_git.pages.text import counted
from cortex_git.scan.gap_kinds import LISTING
from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources import Credentials, Source

AT_ONCE = 16
"""Repositories that are asked at the same time."""


class Wanted(NamedTuple):
    """Which refs are wanted; None for none of that kind."""

    branches: Pattern[str] | None = None
    tags: Pattern[str] | None = None


def with_refs(
    sources: Sequence[Source],
    wanted: Wanted,
    credentials: Credentials,
    per_host: int,
    tell: Callable[[str], None],
) -> tuple[list[Source], list[NotScanned]]:
    """One source for each ref that fits, and what could not be asked; sources with a ref stay as they are."""
    asked = [source for source in sources if source.ref is None]
    tell(f"asking {counted(len(asked), 'repository', 'repositories')} for their branches and tags")
    answers = dict(zip(asked, _ask(asked, wanted, credentials, per_host), strict=True))
    made: list[Source] = []
    gaps: list[NotScanned] = []
    without = 0
    for source in sources:
        answer = answers.get(source)
        if answer is None:
            made.append(source)
        elif isinstance(answer, CortexError):
            gaps.append(NotScanned(source.repo, str(answer), LISTING))
        else:
            names, left = answer
            without += not (names or left)
            made += _one_each(source, names)
            if left:
                reason = f"{len(names):,} are scanned; the others are too many or have unusual names"
                gaps.append(NotScanned(f"{source.repo}: {left:,} more branches and tags", reason, LISTING))
    if without:
        tell(f"left out: {without:,} repositories that have no branch or tag that fits")
    return made, gaps


def _ask(
    sources: Sequence[Source], wanted: Wanted, credentials: Credentials, per_host: int
) -> list[tuple[list[str], int] | CortexError]:
    """For each source the names that fit and how many are not among them, or why nobody knows."""
    from cortex_git.scan.reading import HostGate, Limits
    from cortex_git.scan.reading.refs import refs_of

    limits, gate = Limits(), HostGate(cache_folder(), per_host)

    def ask(source: Source) -> tuple[list[str], int] | CortexError:
        try:
            found = refs_of(source, wanted.branches, wanted.tags, credentials, limits, gate)
            return found.names, found.left
        except CortexError as problem:
            return problem

    with ThreadPoolExecutor(min(AT_ONCE, max(len(sources), 1)), "cortex-refs") as pool:
        try:
            return list(pool.map(ask, sources))
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise


def _one_each(source: Source, names: Sequence[str]) -> list[Source]:
    """Each shown as `repo@name`; a tag with the name of a branch as `repo@tags/name`."""
    made: dict[str, Source] = {}
    for name in names:
        shown = f"{source.repo}@{name.removeprefix('refs/heads/').removeprefix('refs/tags/')}"
        if shown in made:
            shown = f"{source.repo}@{name.removeprefix('refs/')}"
        made[shown] = Source(shown, source.url, name)
    return list(made.values())
