"""The checkouts and bare repositories below a folder.

Must never pass over a folder that cannot be looked into in silence, nor follow a symbolic link.
"""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cortex_git.errors import BadInput
from cortex_git.pages.text import visible
from cortex_git.scan.gap_kinds import FOLDER
from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources.addresses import Source

MOST_INSIDE = 2_000
"""Folders inside of checkouts that are looked at for checkouts of their own, the outermost first."""
_NOT_INSIDE = (".git", "node_modules")


class Checkouts(NamedTuple):
    """What was found below a folder, and the folders that could not be looked into."""

    sources: list[Source]
    not_scanned: list[NotScanned]
    inside: list[str]
    """Checkouts inside of these, which are not taken."""
    more_inside: bool
    """Whether there were more folders than were looked at for those."""
    links: list[str]
    """Symbolic links to folders elsewhere, which are not followed."""


def find_checkouts(root: Path) -> Checkouts:
    """The checkouts and bare repositories below `root`, sorted by path; none inside another is taken.

    Symbolic links are not followed. Worktrees (a `.git` file) count. All lists are sorted. Raises
    BadInput when `root` is not a folder that can be read.
    """
    top = Path(os.path.abspath(root.expanduser()))  # noqa: PTH100  normalised, but links not resolved
    if not top.is_dir():
        raise BadInput(f"{root} is not a folder", "give a folder that has checkouts below it")
    not_scanned: list[NotScanned] = []
    folders: deque[str] = deque()
    links: list[str] = []
    found = sorted(path for path in _walk(top, not_scanned, folders, links) if _is_text(path, not_scanned))
    inside = sorted(map(_shown, _inside(folders)))
    real = os.path.realpath(top)
    away = sorted(_shown(link) for link in links if not Path(os.path.realpath(link)).is_relative_to(real))
    return Checkouts([Source(path, path) for path in found], not_scanned, inside, bool(folders), away)


def _walk(top: Path, not_scanned: list[NotScanned], inside: deque[str], links: list[str]) -> Iterator[str]:
    """The checkouts; the folders in them go to `inside`, and links to folders beside them to `links`."""
    pending = [str(top)]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as listing:
                entries = {entry.name: entry for entry in listing}
        except OSError as error:
            not_scanned.append(
                NotScanned(folder, f"the folder cannot be read ({error.strerror})", FOLDER, folder)
            )
            continue
        if ".git" in entries or {"HEAD", "objects", "refs"} <= entries.keys():
            yield folder
            if ".git" in entries:
                inside += _below(entries)
            continue
        links += [entry.path for entry in entries.values() if _is_link(entry)]
        pending += [entry.path for entry in entries.values() if _is_folder(entry)]


def _inside(folders: deque[str]) -> Iterator[str]:
    """Checkouts among these folders and below; what is left in `folders` was not looked at."""
    for _ in range(MOST_INSIDE):
        if not folders:
            return
        folder = folders.popleft()
        try:
            with os.scandir(folder) as listing:
                entries = {entry.name: entry for entry in listing}
        except OSError:
            continue  # what cannot be read of a checkout is for its scan to say
        if ".git" in entries:
            yield folder
        else:
            folders += _below(entries)


def _below(entries: "dict[str, os.DirEntry[str]]") -> list[str]:
    return [entry.path for name, entry in entries.items() if name not in _NOT_INSIDE and _is_folder(entry)]


def _shown(path: str) -> str:
    return visible(os.fsencode(path).decode("utf-8", "backslashreplace"))


def _is_text(path: str, not_scanned: list[NotScanned]) -> bool:
    """Whether a task can name it: one folder of another encoding must not end the whole scan."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        not_scanned.append(NotScanned(shown, "its path is not valid UTF-8; rename the folder", FOLDER, shown))
        return False
    return True


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_link(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False
