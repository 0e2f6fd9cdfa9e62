"""What the lockfiles of a work tree pin, and what the advisories say of it.

Owns the answer to "is it fixed": by the same readers and the same matching as a scan's. Must never take a
lockfile that cannot be read for a clean one, nor advisories that do not know a vulnerability for its end.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cortex_git.runners.bump.asked import Asked, Wanted, is_version
from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.matching import match
from cortex_git.scan.names import lookup_name
from cortex_git.scan.reading.limits import Limits, OutOfTime, bounded_parse
from cortex_git.scan.records import LockfileContent, Package
from cortex_git.scan.versions import VersionError, parse

if TYPE_CHECKING:
    from cortex_git.scan.advisories.database import AdvisoryDatabase

Read = Callable[[str], bytes | None]
"""The bytes of a file of the repository by its path; None where there is none."""


@dataclass(frozen=True, slots=True)
class State:
    """One package of one lockfile as it is now."""

    pinned: tuple[str, ...]
    """Its versions there, in order."""
    vulnerable: Mapping[str, str | None]
    """Those of them that one of the vulnerabilities asked about is in, each with the first version after it
    that none of these is in; None where an advisory names no fix."""
    problem: str | None = None
    """Why the lockfile cannot be judged."""
    direct: bool = False
    """Whether a manifest asks for it; also where the files do not tell, False."""

    @property
    def is_fixed(self) -> bool:
        return not self.vulnerable and self.problem is None

    def improves(self, before: "State") -> bool:
        """Whether a sound version stands beside what is vulnerable still, and nothing became worse."""
        sound, sound_before = (set(s.pinned) - set(s.vulnerable) for s in (self, before))
        worse = set(self.vulnerable) - set(before.vulnerable)
        return self.problem is None and not worse and bool(sound - sound_before)


@dataclass
class Judge:
    """Judges the lockfiles that a task asks about."""

    asked: Asked
    database: "AdvisoryDatabase"
    limits: Limits = field(default_factory=Limits)

    def states(self, read: Read, only: Container[str] | None = None) -> dict[Wanted, State]:
        """Of each package asked about, what is pinned now; with `only`, of those in these lockfiles."""
        chosen = [wanted for wanted in self.asked.wanted if only is None or wanted.lockfile in only]
        contents = {path: self._content(path, read) for path in dict.fromkeys(w.lockfile for w in chosen)}
        return {wanted: self._state(wanted, contents) for wanted in chosen}

    def _content(self, lockfile: str, read: Read) -> LockfileContent | str:
        data = read(lockfile)
        if data is None:
            return "it is not there any more: scan the repository again"
        if len(data) > self.limits.lockfile_bytes:
            return "it is too large to read"
        try:
            with bounded_parse(self.limits.parse_s, self.limits.parse_memory_bytes):
                return read_lockfile(lockfile, data, read)
        except (OutOfTime, MemoryError) as problem:
            return f"it cannot be read ({type(problem).__name__})"

    def _state(self, wanted: Wanted, contents: Mapping[str, LockfileContent | str]) -> State:
        content = contents[wanted.lockfile]
        if isinstance(content, str):
            return State((), {}, content)
        unread = next((gap.reason for gap in content.not_scanned if gap.what == wanted.lockfile), None)
        if unread is not None:
            return State((), {}, f"it {unread}")
        if unknown := self._unknown(wanted):
            return State((), {}, f"the advisories here do not know {unknown}: update them, or scan again")
        own = [
            package
            for package in content.packages
            if (package.ecosystem, lookup_name(package.ecosystem, package.name)) == wanted.key
        ]
        versions = dict.fromkeys(package.version for package in own)
        bad: dict[str, str | None] = {}
        for package in {package.version: package for package in own}.values():
            found = match(self.database, [package])
            if found.not_scanned:
                return State(tuple(versions), {}, found.not_scanned[0].reason)
            fixes = [one.fixed for one in found.findings if self.asked.ids & {one.id, *one.aliases}]
            if fixes:
                bad[package.version] = highest(package.ecosystem, fixes)
        return State(tuple(versions), bad, direct=any(package.direct for package in own))

    def _unknown(self, wanted: Wanted) -> str | None:
        """A vulnerability asked about that these advisories see in no version in which the scan saw it."""
        seen = [Package(wanted.ecosystem, wanted.package, v, wanted.lockfile) for v in wanted.versions]
        known = {name for one in match(self.database, seen).findings for name in (one.id, *one.aliases)}
        return next((name for name in wanted.advisories if name not in known), None)


def highest(ecosystem: str, fixes: Sequence[str | None]) -> str | None:
    """The highest of the fixes; None where one is missing, or they cannot be ordered."""
    named = [fix for fix in fixes if fix is not None and is_version(fix)]
    if len(named) != len(fixes):
        return None
    try:
        return max(named, key=lambda version: parse(ecosystem, version), default=None)
    except VersionError:
        return None
