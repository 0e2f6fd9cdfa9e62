"""The lockfiles that differ between commits of one repository, and the findings which that difference brings.

Reads both sides from git objects as a scan does, by blob id, so that what was read once is remembered. Must
never call something known that the other side does not have in the same lockfile, nor pass over a lockfile
that cannot be read: that is a `NotScanned`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cortex_git.errors import CortexError, EnvironmentProblem
from cortex_git.scan.cache import ScanCache, match_key
from cortex_git.scan.fingerprints import fingerprints
from cortex_git.scan.gap_kinds import LIMIT
from cortex_git.scan.lockfiles import kind_of
from cortex_git.scan.matching import MatchResult, match
from cortex_git.scan.packages import PackageReader
from cortex_git.scan.reading import (
    Deadline,
    Entry,
    Limits,
    OutOfTime,
    RepositorySnapshot,
    Snapshot,
    open_repository,
)
from cortex_git.scan.reading.facts import object_facts
from cortex_git.scan.reading.local import borrow
from cortex_git.scan.records import Finding, NotScanned
from cortex_git.scan.sources import Source

if TYPE_CHECKING:
    from cortex_git.scan.advisories.database import AdvisoryDatabase

MOST_BASES = 8
"""Commits that one tip is compared with; further ones could only make more findings known."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What one tip has that none of its bases has."""

    lockfiles: tuple[str, ...] = ()
    """Those that were looked at."""
    findings: tuple[Finding, ...] = ()
    """The new ones, each in one lockfile."""
    known: int = 0
    """Findings of the same lockfiles that a base has too."""
    not_scanned: tuple[NotScanned, ...] = ()


class ChangedLockfiles:
    """Compares commits of the repository whose git directory is `folder`."""

    def __init__(
        self, folder: Path, database: "AdvisoryDatabase", cache: ScanCache, limits: Limits | None = None
    ) -> None:
        self._folder = folder
        self._database = database
        self._cache = cache
        self._limits = limits or Limits()

    def of_commit(self, commit: str, bases: Sequence[str]) -> Brought:
        """What a commit brings against other commits. Never raises for what the repository holds."""
        with ExitStack() as stack:
            return self._guarded(
                commit, lambda: self._brought(self._open(stack, commit), self._bases(stack, bases))
            )

    def of_files(self, staged: Mapping[str, Entry], paths: Sequence[str], head: str | None) -> Brought:
        """What staged lockfiles bring against a commit; one that is as it is there counts in full."""
        with ExitStack() as stack:
            return self._guarded("what is staged", lambda: self._staged(stack, staged, paths, head))

    def _guarded(self, what: str, work: Callable[[], Brought]) -> Brought:
        try:
            found = work()
            self._cache.save()
            return found
        except (CortexError, OutOfTime) as problem:
            return Brought(not_scanned=(NotScanned(what, str(problem)),))

    def _staged(
        self, stack: ExitStack, staged: Mapping[str, Entry], paths: Sequence[str], head: str | None
    ) -> Brought:
        tip = stack.enter_context(_snapshot_of(self._folder, staged, self._limits))
        bases = self._bases(stack, [head] if head else [])
        changed = [path for path in paths if _changed(tip, bases, path)]
        whole = self._compared(tip, [], [path for path in paths if path not in changed])
        new = self._compared(tip, bases, changed)
        return Brought(
            (*new.lockfiles, *whole.lockfiles),
            (*new.findings, *whole.findings),
            new.known + whole.known,
            tuple(dict.fromkeys((*new.not_scanned, *whole.not_scanned))),
        )

    def _brought(self, tip: Snapshot, bases: Sequence[Snapshot]) -> Brought:
        lockfiles = [path for path in sorted(tip.entries) if kind_of(path)]
        changed = [path for path in lockfiles if _changed(tip, bases, path)]
        moved = _gone(tip, bases) if changed else frozenset()
        return self._compared(tip, bases, [path for path in changed if tip.entries[path] not in moved])

    def _compared(self, tip: Snapshot, bases: Sequence[Snapshot], paths: Sequence[str]) -> Brought:
        if len(paths) > self._limits.lockfiles:
            over = len(paths) - self._limits.lockfiles
            tip.skip(f"{over:,} more lockfiles", f"the limit is {self._limits.lockfiles:,}", LIMIT)
            paths = paths[: self._limits.lockfiles]
        new: list[Finding] = []
        gaps: list[NotScanned] = []
        known = 0
        for path in paths:
            result = self._match(tip, path)
            gaps += result.not_scanned
            if not result.findings:
                continue
            before = frozenset[str]().union(
                *(fingerprints("", one) for base in bases for one in self._match(base, path).findings)
            )
            brought = [one for one in result.findings if not fingerprints("", one) & before]
            known += len(result.findings) - len(brought)
            new += brought
        return Brought(tuple(paths), tuple(new), known, tuple(dict.fromkeys((*tip.not_scanned, *gaps))))

    def _match(self, snapshot: Snapshot, path: str) -> MatchResult:
        """What the database says about one lockfile, with the files it includes."""
        if path not in snapshot.entries:
            return MatchResult((), ())
        reader = PackageReader(snapshot, self._cache)
        reader.read([path])
        packages = reader.packages()
        key = match_key(self._database.identity, packages)
        result = self._cache.matched(key)
        if result is None:
            try:
                result = match(self._database, packages)
            except sqlite3.DatabaseError as problem:
                raise EnvironmentProblem(
                    f"the advisory database cannot be read ({problem})", "run `cortex-git advisories update`"
                ) from None
            self._cache.remember_match(key, result)
        return result

    def _open(self, stack: ExitStack, commit: str) -> Snapshot:
        source = Source(str(self._folder), str(self._folder), commit)
        return stack.enter_context(open_repository(source, limits=self._limits))

    def _bases(self, stack: ExitStack, commits: Sequence[str]) -> list[Snapshot]:
        """Those that can be read: without one, more is new, never less."""
        found = []
        for commit in list(dict.fromkeys(commits))[:MOST_BASES]:
            try:
                found.append(self._open(stack, commit))
            except CortexError:
                continue
        return found


def _changed(tip: Snapshot, bases: Sequence[Snapshot], path: str) -> bool:
    return all(base.entries.get(path) != tip.entries[path] for base in bases)


def _gone(tip: Snapshot, bases: Sequence[Snapshot]) -> frozenset[Entry]:
    """Lockfiles that a base has where the tip has nothing: the same elsewhere has only been moved."""
    return frozenset(
        entry
        for base in bases
        for path, entry in base.entries.items()
        if path not in tip.entries and kind_of(path)
    )


@contextmanager
def _snapshot_of(folder: Path, entries: Mapping[str, Entry], limits: Limits) -> Iterator[RepositorySnapshot]:
    """Files that are no commit yet, their contents in the repository already."""
    deadline = Deadline(limits.time_s)
    with TemporaryDirectory(prefix="cortex-git-scan-", ignore_cleanup_errors=True) as name:
        git = borrow(folder, Path(name), limits, deadline)
        with object_facts(git, deadline) as facts:
            yield RepositorySnapshot("", entries, limits, deadline, git, facts)
