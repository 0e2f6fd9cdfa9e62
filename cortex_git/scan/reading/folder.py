"""A folder that is not a repository: its files as they lie there, read as a commit's would be.

Owns walking it. Must never follow a symbolic link, open anything but a plain file, nor pass over what
cannot be read, or is a repository of its own, in silence.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cortex_git.scan import gap_kinds
from cortex_git.scan.lockfiles import is_inventory
from cortex_git.scan.reading.limits import Deadline, Limits
from cortex_git.scan.reading.listing import Entry
from cortex_git.scan.records import NotScanned

_PASSED_OVER = frozenset({"node_modules", ".hg", ".svn"})
"""Folders that hold nothing that is read: lockfiles below `node_modules` are other people's."""
_CHANGED = "changed while it was read"


@dataclass
class FolderSnapshot:
    """What a scan sees of a folder; the same as of a commit, for which `commit` is empty."""

    root: Path
    limits: Limits
    deadline: Deadline
    commit: str = ""
    entries: Mapping[str, Entry] = field(default_factory=dict)
    not_scanned: list[NotScanned] = field(default_factory=list)
    submodules: Sequence[NotScanned] = ()
    _oids: dict[str, str | None] = field(default_factory=dict)
    _counted: set[str] = field(default_factory=set)
    _bytes_read: int = 0

    def oid(self, path: str) -> str | None:
        """The id that git would give the file as it was first read, None for links and what is not there."""
        entry = self.entries.get(path)
        if entry is None or entry.link:
            return None
        if path not in self._oids:
            content = self._content(path)
            self._oids[path] = None if isinstance(content, str) else _oid(content)
        return self._oids[path]

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Path and content of each file that can be read; the others are added to `not_scanned`."""
        for path in paths:
            entry = self.entries.get(path)
            if entry is None:
                continue
            self.deadline.left()
            if entry.link:
                self.skip(path, "is a symbolic link, which is not followed")
                continue
            content = self._content(path)
            if isinstance(content, str):
                self.skip(path, content)
            elif self._oids.setdefault(path, _oid(content)) != _oid(content):
                self.skip(path, _CHANGED)
            elif self._within_total(path, len(content)):
                yield path, content

    def skip(self, path: str, reason: str, kind: str = gap_kinds.UNREADABLE) -> None:
        """Record that this file, or what `path` says in words, was not read."""
        self.not_scanned.append(NotScanned(path, reason, kind, path if path in self.entries else None))

    def skip_folder(self, path: str, reason: str, kind: str) -> None:
        """Record that a folder, or a file that is not listed, was passed over."""
        self.not_scanned.append(NotScanned(path, reason, kind, path))

    def _within_total(self, path: str, size: int) -> bool:
        more = 0 if path in self._counted else size
        if self._bytes_read + more <= self.limits.total_bytes:
            self._counted.add(path)
            self._bytes_read += more
            return True
        reason = f"the lockfiles together pass the limit of {self.limits.total_bytes:,} bytes"
        self.skip(path, reason, gap_kinds.LIMIT)
        return False

    def _content(self, path: str) -> bytes | str:
        """The file's bytes, or why they cannot be had."""
        most = self.limits.lockfile_bytes
        try:
            handle = os.open(self.root / path, _PLAIN)
        except (OSError, ValueError) as error:
            return f"cannot be read ({getattr(error, 'strerror', None) or 'its name is unusual'})"
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                return "is not a plain file"
            if facts.st_size > most:
                return f"is {facts.st_size:,} bytes, the limit is {most:,}"
            try:
                content = file.read(most + 1)
            except OSError as error:
                return f"cannot be read ({error.strerror})"
        return content if len(content) <= most else _CHANGED


_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_plain_folder(path: Path) -> bool:
    """Whether this is a folder without any sign of a git repository, be it a damaged one."""
    try:
        names = {entry.name for entry in path.iterdir()}
    except OSError:
        return False
    return ".git" not in names and not {"HEAD", "objects"} <= names


def is_bill(path: Path) -> bool:
    """Whether this is a bill of materials that lies somewhere by itself."""
    return is_inventory(path.name) and path.is_file()


def open_file(path: Path, limits: Limits, deadline: Deadline) -> FolderSnapshot:
    """The file as the only one of its folder."""
    snapshot = FolderSnapshot(path.parent, limits, deadline)
    snapshot.entries = {_shown(path.name): Entry("100644", "")}
    return snapshot


def open_folder(root: Path, limits: Limits, deadline: Deadline) -> FolderSnapshot:
    """The files below `root`. Raises OutOfTime."""
    snapshot = FolderSnapshot(root, limits, deadline)
    entries: dict[str, Entry] = {}
    pending = [""]
    while pending:
        deadline.left()
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as listing:
                found = sorted(listing, key=lambda entry: entry.name)
        except (OSError, ValueError) as error:
            reason = f"the folder cannot be read ({_why(error)})"
            snapshot.skip_folder(_shown(folder) or ".", reason, gap_kinds.UNREADABLE)
            continue
        if folder and any(entry.name == ".git" for entry in found):
            reason = "is a repository of its own; name it, or give --root"
            snapshot.skip_folder(_shown(folder), reason, gap_kinds.SUBMODULE)
            continue
        for entry in found:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if len(entries) >= limits.paths:
                reason = f"the folder has more than {limits.paths:,} files"
                snapshot.skip("the files beyond a limit", reason, gap_kinds.LIMIT)
                pending.clear()
                break
            if len(os.fsencode(path)) > limits.path_bytes or path.count("/") > limits.path_depth:
                snapshot.skip(_shown(path)[:200], "its path is too long or too deep", gap_kinds.LIMIT)
            elif entry.is_symlink():
                entries[_shown(path)] = Entry("120000", "")
            elif entry.is_dir(follow_symlinks=False):
                if entry.name not in _PASSED_OVER:
                    pending.append(path)
            else:
                entries[_shown(path)] = Entry("100644", "")
    snapshot.entries = entries
    return snapshot


def _shown(path: str) -> str:
    """As a commit's paths are shown: what is not UTF-8 as escapes, by which no file is found again."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "its name is unusual"


def _oid(content: bytes) -> str:
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()
