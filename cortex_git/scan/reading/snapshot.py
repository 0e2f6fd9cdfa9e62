"""One commit of one repository: its files, and the contents of those that are asked for.

Owns reading blobs within the limits. Must never load a blob before its size is known, and never return
content that does not match its object id: a repository that lies about an id would otherwise poison
what is remembered by id for every other repository.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cortex_git.scan import gap_kinds
from cortex_git.scan.reading.facts import ObjectFacts, facts_of
from cortex_git.scan.reading.limits import Deadline, Limits
from cortex_git.scan.reading.listing import Entry
from cortex_git.scan.reading.process import GuardedGit
from cortex_git.scan.records import NotScanned

FetchBlobs = Callable[[Sequence[str]], str | None]
_BATCH_BYTES = 24 * 1024 * 1024


class Snapshot(Protocol):
    """What a scan sees of a repository, or of a folder that is none."""

    commit: str
    """Empty where there is none."""
    limits: Limits
    deadline: Deadline
    not_scanned: list[NotScanned]
    submodules: Sequence[NotScanned]
    """Repositories inside this one, which only a scan of all of it has to tell."""

    @property
    def entries(self) -> Mapping[str, Entry]: ...
    def oid(self, path: str) -> str | None: ...
    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]: ...
    def skip(self, path: str, reason: str, kind: str = gap_kinds.UNREADABLE) -> None: ...


@dataclass
class RepositorySnapshot:
    """What a scan sees of a repository."""

    commit: str
    entries: Mapping[str, Entry]
    """By path. Symbolic links are listed and never followed."""
    limits: Limits
    deadline: Deadline
    git: GuardedGit
    facts: ObjectFacts
    fetch: FetchBlobs | None = None
    """Gets blobs that are not here yet; None for a local repository."""
    not_scanned: list[NotScanned] = field(default_factory=list)
    """What a limit or the repository's state kept from being read, in the order met."""
    submodules: Sequence[NotScanned] = ()
    _bytes_read: int = 0

    def oid(self, path: str) -> str | None:
        """The blob id of a regular file, None for links and for what is not there."""
        entry = self.entries.get(path)
        return None if entry is None or entry.link else entry.oid

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Path and content of each file that can be read; the others are added to `not_scanned`.

        Holds at most one batch of contents (24 MiB, or one larger file) at a time.
        """
        wanted = {path: oid for path in paths if (oid := self._regular(path))}
        sizes = self._sizes(sorted(set(wanted.values())))
        batch: list[str] = []
        batch_bytes = 0
        for path, oid in wanted.items():
            size = sizes.get(oid, -1)
            if not self._readable(path, size):
                continue
            if batch and batch_bytes + size > _BATCH_BYTES:
                yield from self._contents(batch, sizes)
                batch, batch_bytes = [], 0
            batch.append(path)
            batch_bytes += size
        yield from self._contents(batch, sizes)

    def skip(self, path: str, reason: str, kind: str = gap_kinds.UNREADABLE) -> None:
        """Record that this file, or what `path` says in words, was not read."""
        self.not_scanned.append(NotScanned(path, reason, kind, path if path in self.entries else None))

    def _regular(self, path: str) -> str | None:
        entry = self.entries.get(path)
        if entry is not None and entry.link:
            self.skip(path, "is a symbolic link, which is not followed")
            return None
        return entry.oid if entry else None

    def _sizes(self, oids: list[str]) -> dict[str, int]:
        """Sizes in bytes of the blobs that are here, after fetching those that are not."""
        sizes = self._sizes_here(oids)
        missing = [oid for oid in oids if oid not in sizes]
        if not missing or self.fetch is None:
            return sizes
        problem = self.fetch(missing)
        if problem:
            self.skip(f"{len(missing)} lockfiles", f"could not be fetched: {problem}")
        return sizes | self._sizes_here(missing)

    def _sizes_here(self, oids: list[str]) -> dict[str, int]:
        ended = self.facts.ended
        answers = facts_of(self.git, oids, self.deadline) if ended else self.facts.ask(oids)
        return {fact.oid: fact.size for fact in answers if fact is not None and fact.kind == "blob"}

    def _readable(self, path: str, size: int) -> bool:
        if size < 0:
            self.skip(path, "its content is not in the repository (partial clone, or damaged)")
        elif size > self.limits.lockfile_bytes:
            reason = f"is {size:,} bytes, the limit is {self.limits.lockfile_bytes:,}"
            self.skip(path, reason, gap_kinds.LIMIT)
        elif self._bytes_read + size > self.limits.total_bytes:
            reason = f"the lockfiles together pass the limit of {self.limits.total_bytes:,} bytes"
            self.skip(path, reason, gap_kinds.LIMIT)
        else:
            self._bytes_read += size
            return True
        return False

    def _contents(self, paths: list[str], sizes: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
        oids = list(dict.fromkeys(self.entries[path].oid for path in paths))
        found = self._blobs(oids, sizes)
        if len(found) < len(oids):
            # git ends at the first damaged object; the others are asked for one by one.
            for oid in oids:
                if oid not in found:
                    found |= self._blobs_of_another([oid], sizes)
        for path in paths:
            data = found.get(self.entries[path].oid)
            if data is None:
                self.skip(path, "its content is damaged or does not match its object id")
            else:
                yield path, data

    def _blobs(self, oids: list[str], sizes: Mapping[str, int]) -> dict[str, bytes]:
        if not oids:
            return {}
        if self.facts.has_contents:
            return {oid: data for oid, data in self.facts.contents(oids, sizes) if _matches(oid, data)}
        return self._blobs_of_another(oids, sizes)

    def _blobs_of_another(self, oids: list[str], sizes: Mapping[str, int]) -> dict[str, bytes]:
        """The same by a process of their own."""
        names = "".join(f"{oid}\n" for oid in oids).encode()
        command = ("cat-file", "--batch", "--buffer")
        out = self.git.run(*command, stdin=names, timeout=self.deadline.left(), check=False).stdout
        found: dict[str, bytes] = {}
        position = 0
        for oid in oids:
            size = sizes[oid]
            start = position + len(header := f"{oid} blob {size}\n".encode())
            data = out[start : start + size]
            if out[position:start] != header or len(data) != size:
                break
            if _matches(oid, data):
                found[oid] = data
            position = start + size + 1
        return found


def _matches(oid: str, data: bytes) -> bool:
    name = "sha1" if len(oid) == 40 else "sha256"
    digest = hashlib.new(name, b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest() == oid
