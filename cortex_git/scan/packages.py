"""The packages of one repository: reads its lockfiles with the files they include, or remembers them.

Owns the order of reading (one pass over the blobs, then the includes in rounds). Must never let one
lockfile take more time or memory than the limits say.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TypeVar

from cortex_git.scan import gap_kinds
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.lockfiles import Manifests, home, includes_of, kind_of, read_lockfile
from cortex_git.scan.reading import OutOfTime, Snapshot, bounded_parse
from cortex_git.scan.records import LockfileContent, Package

_MAX_ROUNDS = 10
_MAX_HELD_BYTES = 48 * 1024 * 1024
_KINDS_INCLUDED = frozenset({"requirements", "maven"})
"""Kinds whose files are kept while reading, because others of the repository may include them."""
_MAX_MANIFESTS = 1_000
_MAX_MANIFEST_BYTES = 1024 * 1024
_MAX_MANIFESTS_BYTES = 16 * 1024 * 1024
_LISTING = "\0"
"""Ends what stands for the list of manifests below a lockfile, among what its content depends on."""
_NOT_TO_KEEP = "could not be read ("
"""How a gap begins that is our mistake or a lack of memory: it is to be tried again the next time."""

T = TypeVar("T")


class PackageReader:
    """Reads lockfiles of one snapshot; gaps are recorded in the snapshot."""

    def __init__(self, snapshot: Snapshot, cache: ScanCache) -> None:
        self._snapshot = snapshot
        self._cache = cache
        self._content: dict[str, LockfileContent] = {}
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0
        self._includes: dict[str, tuple[str, ...]] = {}
        self._manifests = Manifests(snapshot.entries)
        self._beside: dict[str, bytes] = {}
        self._beside_bytes = 0

    def packages(self) -> tuple[Package, ...]:
        """Every package read so far, each place once, in the order of the lockfiles' paths."""
        contents = (content for _, content in sorted(self._content.items()))
        return tuple(dict.fromkeys(package for content in contents for package in content.packages))

    def open_lists(self) -> dict[str, str]:
        """The files read so far that do not, or may not, list what their packages bring in, and the manifests
        that the nearest lockfiles do not serve: the kind of gap by path."""
        found: dict[str, str] = {}
        homes: dict[tuple[str, str], list[frozenset[str]]] = defaultdict(list)
        bare: dict[tuple[str, str], None] = {}
        for lockfile, content in self._content.items():
            unserved = {path for path, kind in content.open_lists if kind == gap_kinds.NO_LOCKFILE}
            found |= {path: kind for path, kind in content.open_lists if path not in unserved}
            place = home(lockfile)
            if place is not None:
                homes[place].append(frozenset(unserved))
                bare |= dict.fromkeys((place[0], path) for path in sorted(unserved))
        for ecosystem, path in bare:
            folder = path.rpartition("/")[0]
            while folder and (ecosystem, folder) not in homes:
                folder = folder.rpartition("/")[0]
            if all(path in unserved for unserved in homes[ecosystem, folder]):
                found[path] = gap_kinds.NO_LOCKFILE
        return found

    def read(self, lockfiles: list[str]) -> None:
        """Read these lockfiles. OutOfTime when the repository's time has passed; what was read stays."""
        including: list[str] = []
        unknown = self._unknown(lockfiles)
        manifests = self._manifests_of(unknown)
        try:
            for path, data in self._snapshot.read([*manifests, *unknown]):
                self._snapshot.deadline.left()
                if path in manifests:
                    self._hold_manifest(path, data)
                elif self._find_includes(path, data, kind_of(path) or ""):
                    including.append(path)
                else:
                    self._parse(path, data, {})
        finally:
            gaps = self._snapshot.not_scanned
            gaps[:] = [gap for gap in gaps if gap.what not in manifests]  # they hide no vulnerability
        self._fetch_includes(including)
        for path in including:
            self._snapshot.deadline.left()
            reachable = self._reachable(path)
            files = {name: self._held[name] for name in reachable if name in self._held}
            self._parse(path, self._held[path], files, reachable)

    def _unknown(self, lockfiles: list[str]) -> list[str]:
        """The lockfiles that the cache does not answer for."""
        unknown = []
        for path in lockfiles:
            oid = self._snapshot.oid(path)
            known = self._cache.lockfile(path, oid, self._mark) if oid else None
            if known is None:
                unknown.append(path)
            else:
                self._take(path, known)
        return unknown

    def _manifests_of(self, lockfiles: list[str]) -> dict[str, None]:
        """The manifests to read with these lockfiles: regular files that are there, a bounded number."""
        found: dict[str, None] = {}
        for path in lockfiles:
            for name in self._manifests.of(kind_of(path) or "", path):
                if len(found) < _MAX_MANIFESTS and not kind_of(name) and self._snapshot.oid(name):
                    found[name] = None
        return found

    def _hold_manifest(self, path: str, data: bytes) -> None:
        if len(data) <= _MAX_MANIFEST_BYTES and self._beside_bytes + len(data) <= _MAX_MANIFESTS_BYTES:
            self._beside_bytes += len(data)
            self._beside[path] = data

    def _mark(self, name: str) -> str | None:
        """The blob id of a file, or what stands for the list of manifests below a lockfile."""
        if name.endswith(_LISTING):
            path = name.removesuffix(_LISTING)
            return self._manifests.listing(kind_of(path) or "", path)
        return self._snapshot.oid(name)

    def _find_includes(self, path: str, data: bytes, kind: str) -> bool:
        """Note what the file includes and hold on to its content; whether it includes anything."""
        if kind not in _KINDS_INCLUDED:
            return False
        found = self._bounded(path, lambda: includes_of(kind, path, data))
        self._includes[path] = found or ()
        if self._held_bytes + len(data) > _MAX_HELD_BYTES:
            if found:
                self._snapshot.skip(
                    path,
                    f"its includes are not read, beyond {_MAX_HELD_BYTES:,} bytes of such files",
                    gap_kinds.LIMIT,
                )
            return False
        self._held_bytes += len(data)
        self._held[path] = data
        return bool(found)

    def _fetch_includes(self, including: list[str]) -> None:
        """Read what is included and not held yet, round by round as included files include others."""
        kinds = {path: kind_of(path) or "" for path in including}
        frontier, seen = list(including), set(including)
        for _ in range(_MAX_ROUNDS):
            following: dict[str, str] = {}
            for path in frontier:
                following |= {name: kinds[path] for name in self._includes.get(path, ()) if name not in seen}
            seen |= following.keys()
            kinds |= following
            absent = [name for name in following if name not in self._held]
            for name, data in self._snapshot.read(absent):
                self._find_includes(name, data, kinds[name])
            frontier = list(following)
            if not frontier:
                return

    def _reachable(self, path: str) -> list[str]:
        """Every file that `path` includes, directly or through others, whether it exists or not."""
        reached: dict[str, None] = {}
        pending = list(self._includes.get(path, ()))
        while pending:
            name = pending.pop()
            if name not in reached:
                reached[name] = None
                pending += self._includes.get(name, ())
        return list(reached)

    def _parse(
        self, path: str, data: bytes, files: Mapping[str, bytes], reachable: list[str] | None = None
    ) -> None:
        def sibling(name: str) -> bytes | None:
            return files[name] if name in files else self._beside.get(name)

        kind = kind_of(path) or ""
        below = self._manifests.below(kind, path)
        content = self._bounded(path, lambda: read_lockfile(path, data, sibling, below))
        if content is None:
            return
        self._take(path, content)
        oid = self._snapshot.oid(path)
        if oid and not any(gap.reason.startswith(_NOT_TO_KEEP) for gap in content.not_scanned):
            others = [*(reachable or ()), *self._manifests.of(kind, path), path + _LISTING]
            includes = {name: mark for name in others if (mark := self._mark(name)) != ""}
            self._cache.remember_lockfile(path, oid, includes, content)

    def _bounded(self, path: str, work: Callable[[], T]) -> T | None:
        """The result of `work`, None when it took too much, which is recorded."""
        limits = self._snapshot.limits
        try:
            with bounded_parse(limits.parse_s, limits.parse_memory_bytes):
                return work()
        except OutOfTime as problem:
            self._snapshot.skip(path, str(problem), gap_kinds.LIMIT)
        except MemoryError:
            reason = f"takes over {limits.parse_memory_bytes:,} bytes of memory to read"
            self._snapshot.skip(path, reason, gap_kinds.LIMIT)
        return None

    def _take(self, path: str, content: LockfileContent) -> None:
        self._content[path] = content
        self._snapshot.not_scanned += content.not_scanned
