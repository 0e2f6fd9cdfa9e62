"""The files of a commit, streamed from `git ls-tree` so that no repository can fill the memory.

Owns the caps on number, length and depth of paths. Must never drop an entry beyond a cap in silence.
"""

from collections.abc import Iterator
from typing import IO, NamedTuple, cast

from cortex_git.gitio import telling_line
from cortex_git.scan import gap_kinds
from cortex_git.scan.reading.errors import RepositoryUnreadable
from cortex_git.scan.reading.limits import Deadline, Limits
from cortex_git.scan.reading.process import GuardedGit
from cortex_git.scan.records import NotScanned

_CHUNK = 256 * 1024
_SUBMODULE = b"160000"
_SUBMODULES_NAMED = 100
_OF_ITS_OWN = "is a submodule, a repository of its own; scan that one, too"


class Entry(NamedTuple):
    """One file of the commit."""

    mode: str
    """Six octal digits; `120000` is a symbolic link."""
    oid: str

    @property
    def link(self) -> bool:
        return self.mode == "120000"


class Listing(NamedTuple):
    """The files by their path (bytes that are not UTF-8 shown as escapes), and what was left out."""

    entries: dict[str, Entry]
    not_scanned: list[NotScanned]
    submodules: list[NotScanned]
    """Repositories inside this one, the first hundred by path; a scan does not look into them."""


def list_files(git: GuardedGit, commit: str, limits: Limits, deadline: Deadline) -> Listing:
    """Every file of the commit. Submodules are other repositories, and are listed apart.

    Raises RepositoryUnreadable when a tree is missing or damaged.
    """
    reader = _Reader(limits)
    command = ("ls-tree", "-r", "-z", "--full-tree", commit)
    with git.streaming(*command, timeout=deadline.left()) as process:
        stdout, stderr = cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stderr)
        complete = all(reader.take(record) for record in _records(stdout, limits.path_bytes * 2))
        if complete:
            complaints = stderr.read(8192).decode("utf-8", "replace")
            status = process.wait()
            deadline.left()
            if status:
                reason = telling_line(complaints) if status > 0 else f"git ended by signal {-status}"
                raise RepositoryUnreadable(f"its files cannot be listed ({reason})", "run git fsck in it")
    return Listing(reader.entries, reader.not_scanned(), reader.submodules())


def _records(pipe: IO[bytes], longest: int) -> Iterator[bytes]:
    """The NUL-ended records; of one that is longer than `longest` bytes only the beginning."""
    rest = b""
    while chunk := pipe.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
        if len(rest) > longest + _CHUNK:
            rest = rest[: longest + 1]
    if rest:
        yield rest


class _Reader:
    """Takes records until a cap is met."""

    def __init__(self, limits: Limits) -> None:
        self.entries: dict[str, Entry] = {}
        self._limits = limits
        self._bytes = 0
        self._unusual = 0
        self._submodules: list[str] = []
        self._more_submodules = 0
        self._stopped = ""

    def take(self, record: bytes) -> bool:
        """False when no more is to be read."""
        head, _, name = record.partition(b"\t")
        self._bytes += len(record)
        if self._bytes > self._limits.listing_bytes:
            self._stopped = f"file names of more than {self._limits.listing_bytes:,} bytes in all"
            return False
        if len(self.entries) >= self._limits.paths:
            self._stopped = f"more than {self._limits.paths:,} files"
            return False
        if len(name) > self._limits.path_bytes or name.count(b"/") > self._limits.path_depth:
            self._unusual += 1
            return True
        mode, _, oid = head.split(b" ")
        path = name.decode("utf-8", "backslashreplace")
        if mode != _SUBMODULE:
            self.entries[path] = Entry(mode.decode(), oid.decode())
        elif len(self._submodules) < _SUBMODULES_NAMED:
            self._submodules.append(path)
        else:
            self._more_submodules += 1
        return True

    def submodules(self) -> list[NotScanned]:
        found = [NotScanned(path, _OF_ITS_OWN, gap_kinds.SUBMODULE, path) for path in self._submodules]
        if self._more_submodules:
            what = f"{self._more_submodules:,} more submodules"
            found.append(NotScanned(what, _OF_ITS_OWN, gap_kinds.SUBMODULE))
        return found

    def not_scanned(self) -> list[NotScanned]:
        found = []
        if self._stopped:
            reason = f"the repository has {self._stopped}"
            found.append(NotScanned("the files beyond a limit", reason, gap_kinds.LIMIT))
        if self._unusual:
            longest, deepest = self._limits.path_bytes, self._limits.path_depth
            reason = f"paths of more than {longest:,} bytes or {deepest} folders"
            found.append(NotScanned(f"{self._unusual:,} files", reason, gap_kinds.LIMIT))
        return found
