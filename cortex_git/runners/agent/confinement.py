"""Files below one folder, for somebody who must not leave it.

Owns which paths a model may name and how they are opened: component by component from a descriptor of
the folder, no symbolic link followed, so that a link swapped in meanwhile leads nowhere either. Must
never open a path as text, and never touch git's own files.
"""

import os
import re
import secrets
import stat
import unicodedata
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MOST_READ = 4 * 1024 * 1024
"""Bytes of the largest file that is read."""
MOST_WRITTEN = 1024 * 1024
"""Bytes of the largest file that is written."""
_DEEPEST = 40
"""Levels of folders that are walked."""
_LONGEST_PATH = 1000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SHORT_GIT = re.compile(r"git~[0-9]+")


class Refused(Exception):
    """Something that a model asked for and may not have; the text says why, in a line it can read."""


def is_gits(name: str) -> bool:
    """Whether some file system takes the name for `.git`: case, ignorable characters, short names."""
    for part in re.split(r"[/\\]", unicodedata.normalize("NFKC", name)):
        shown = "".join(c for c in part if unicodedata.category(c) not in ("Cf", "Cc"))
        plain = shown.partition(":")[0].casefold().rstrip(". ").lstrip(" ")
        if plain == ".git" or _SHORT_GIT.fullmatch(plain):
            return True
    return False


def parts_of(path: str) -> tuple[str, ...]:
    """The names on a path relative to the folder; empty for the folder itself. Raises Refused."""
    if len(path) > _LONGEST_PATH:
        raise Refused("the path is too long")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in path):
        raise Refused("the path has characters that no path may have")
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", path):
        raise Refused("paths are relative to the task's folder")
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if names and names[0].startswith("~"):
        raise Refused("~ is not available: paths are relative to the task's folder")
    if any(name == ".." for name in re.split(r"[/\\]", path)):
        raise Refused("paths with .. are not available")
    if any(is_gits(name) for name in names):
        raise Refused("git's own files are not available")
    return names


class Confined:
    """The files below `folder`. Everything raises Refused with a reason; nothing else."""

    def __init__(self, folder: Path) -> None:
        self._root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._root)

    def read(self, path: str) -> bytes:
        """The content of a regular file of up to MOST_READ bytes."""
        with self._parent(path) as (parent, name), _reasons(path):
            descriptor = _open_regular(parent, name, path)
            with os.fdopen(descriptor, "rb") as file:
                content = file.read(MOST_READ + 1)
        if len(content) > MOST_READ:
            raise Refused(f"{path} is larger than {MOST_READ >> 20} MiB")
        return content

    def exists(self, path: str) -> bool:
        """Whether there is anything by that name."""
        try:
            with self._parent(path) as (parent, name):
                os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (OSError, _Missing):
            return False
        return True

    def write(self, path: str, content: bytes) -> None:
        """Make or replace a regular file, by rename: another name of the old file keeps the old content."""
        if len(content) > MOST_WRITTEN:
            raise Refused(f"at most {MOST_WRITTEN >> 20} MiB can be written to a file")
        with self._parent(path, make=True) as (parent, name), _reasons(path):
            mode = _mode_of(parent, name, path)
            temporary = f".cortex-{secrets.token_hex(8)}"
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=parent
            )
            try:
                with os.fdopen(descriptor, "wb") as file:
                    if mode is not None:
                        os.fchmod(file.fileno(), mode)
                    file.write(content)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise

    def names(self, path: str) -> list[str]:
        """What a folder holds, sorted; folders end with `/`, links with `@`. Git's own files are left out."""
        with self._folder(parts_of(path), path) as folder, _reasons(path), os.scandir(folder) as entries:
            return sorted(_marked(entry) for entry in entries if not is_gits(entry.name))

    def files(self, path: str = "") -> Iterator[str]:
        """Every regular file below a folder, by its path from the task's folder, in order."""
        start = parts_of(path)
        yield from self._walk(start, path)

    def _walk(self, names: tuple[str, ...], path: str) -> Iterator[str]:
        with self._folder(names, path) as folder, _reasons(path), os.scandir(folder) as entries:
            found = [
                (e.name, e.is_dir(follow_symlinks=False), e.is_file(follow_symlinks=False)) for e in entries
            ]
        for name, is_folder, is_file in sorted(found):
            below = (*names, name)
            if is_gits(name):
                continue
            if is_file:
                yield "/".join(below)
            elif is_folder and len(below) < _DEEPEST:
                with suppress(Refused):  # it went away, or may not be read
                    yield from self._walk(below, "/".join(below))

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        names = parts_of(path)
        if not names or path.endswith("/"):
            raise Refused(f"{path or '.'} is a folder")
        with self._folder(names[:-1], path, make=make) as folder:
            yield folder, names[-1]

    @contextmanager
    def _folder(self, names: tuple[str, ...], path: str, *, make: bool = False) -> Iterator[int]:
        current = os.dup(self._root)
        try:
            with _reasons(path):
                for name in names:
                    if make:
                        with suppress(FileExistsError):
                            os.mkdir(name, dir_fd=current)
                    _refuse_link(current, name)
                    below = os.open(name, _FOLDER, dir_fd=current)
                    os.close(current)
                    current = below
            yield current
        finally:
            os.close(current)


class _Missing(Refused):
    """Nothing has that name."""


@contextmanager
def _reasons(path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise _Missing(f"there is no {path or 'folder'}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Refused(f"{path or '.'}: {reason or 'cannot be used as a path'}") from None


def _open_regular(parent: int, name: str, path: str) -> int:
    _refuse_link(parent, name)
    if not stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        raise Refused(f"{path} is not a file")  # asked first: opening a device can do something
    descriptor = os.open(name, _FILE, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused(f"{path} is not a file")
    return descriptor


def _refuse_link(parent: int, name: str) -> None:
    if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        raise Refused(f"{name} is a symbolic link, and those are not followed: name the file it stands for")


def _mode_of(parent: int, name: str, path: str) -> int | None:
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise Refused(f"{path} is not a file that can be replaced")
    return mode & 0o777


def _marked(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        return f"{entry.name}@"
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
