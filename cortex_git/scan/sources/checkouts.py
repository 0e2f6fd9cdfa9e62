"""The checkouts and bare repositories below a folder.

Must never pass over a folder that cannot be looked into in silence, nor follow a symbolic link.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cortex_git.errors import BadInput
from cortex_git.scan.gap_kinds import FOLDER
from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources.addresses import Source


class Checkouts(NamedTuple):
    """What was found below a folder, and the folders that could not be looked into."""

    sources: list[Source]
    not_scanned: list[NotScanned]


def find_checkouts(root: Path) -> Checkouts:
    """The checkouts and bare repositories below `root`, sorted by path; none inside another is looked for.

    Symbolic links are not followed. Worktrees (a `.git` file) count. Raises BadInput when `root` is
    not a folder that can be read.
    """
    top = Path(os.path.abspath(root.expanduser()))  # noqa: PTH100  normalised, but links not resolved
    if not top.is_dir():
        raise BadInput(f"{root} is not a folder", "give a folder that has checkouts below it")
    not_scanned: list[NotScanned] = []
    found = sorted(path for path in _walk(top, not_scanned) if _is_text(path, not_scanned))
    return Checkouts([Source(path, path) for path in found], not_scanned)


def _walk(top: Path, not_scanned: list[NotScanned]) -> Iterator[str]:
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
            continue
        pending += [entry.path for entry in entries.values() if _is_folder(entry)]


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
