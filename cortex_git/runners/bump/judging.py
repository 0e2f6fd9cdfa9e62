"""What the lockfiles of a work tree pin, and what the advisories say of it.

Owns the answer to "is it fixed": by the same readers and the same matching as a scan's. Must never take a
lockfile that cannot be read for a clean one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cortex_git.runners.bump.asked import Asked, Wanted
from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.matching import match
from cortex_git.scan.names import lookup_name
from cortex_git.scan.reading.limits import Limits, OutOfTime, bounded_parse
from cortex_git.scan.records import LockfileContent

if TYPE_CHECKING:
    from cortex_git.scan.advisories.database import AdvisoryDatabase

Read = Callable[[str], bytes | None]
"""The bytes of a file of the repository by its path; None where there is none."""


@dataclass(frozen=True, slots=True)
class State:
    """One package of one lockfile as it is now."""

    pinned: tuple[str, ...]
    """Its versions there, in order."""
    vulnerable: tuple[str, ...]
    """Those of them that one of the vulnerabilities asked about is in."""
    problem: str | None = None
    """Why the lockfile cannot be judged."""

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

    def states(self, read: Read) -> dict[Wanted, State]:
        """Of each package asked about, what is pinned now."""
        contents: dict[str, LockfileContent | str] = {}
        for wanted in self.asked.wanted:
            if wanted.lockfile not in contents:
                contents[wanted.lockfile] = self._content(wanted.lockfile, read)
        return {wanted: self._state(wanted, contents) for wanted in self.asked.wanted}

    def _content(self, lockfile: str, read: Read) -> LockfileContent | str:
        data = read(lockfile)
        if data is None:
            return LockfileContent()  # it was taken away: nothing is pinned there any more
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
            return State((), (), content)
        unread = next((gap.reason for gap in content.not_scanned if gap.what == wanted.lockfile), None)
        if unread is not None:
            return State((), (), f"it {unread}")
        own = [
            package
            for package in content.packages
            if (package.ecosystem, lookup_name(package.ecosystem, package.name)) == wanted.key
        ]
        versions = dict.fromkeys(package.version for package in own)
        bad: list[str] = []
        for package in {package.version: package for package in own}.values():
            found = match(self.database, [package])
            if found.not_scanned:
                return State(tuple(versions), (), found.not_scanned[0].reason)
            if any(self.asked.ids & {one.id, *one.aliases} for one in found.findings):
                bad.append(package.version)
        return State(tuple(versions), tuple(bad))
