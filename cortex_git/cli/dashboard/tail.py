"""The end of a growing log file, read again and again at little cost.

Owns how far the file was read. Must never read more than the end of it, nor let its bytes reach the terminal
as they are.
"""

import os
from collections import deque
from pathlib import Path
from typing import BinaryIO

from cortex_git.scan.reports.escape import clip, terminal

MOST_BYTES = 64 * 1024
"""Read at most at once, and of a file seen for the first time."""
_MOST_LINES = 500
_LONGEST_LINE = 2_000
_TAB = "    "


class Tail:
    """The last lines of one file, which may grow, be cut, be replaced or not exist (yet)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._rest = b""
        """The beginning of a line whose end was not written yet."""
        self._place = 0
        self._file: tuple[int, int] | None = None

    def read(self) -> tuple[str, ...]:
        """What can be shown now, oldest line first, each safe for a terminal."""
        try:
            with self.path.open("rb") as file:
                self._follow(file)
        except OSError:
            self._forget()
        unfinished = (_shown(self._rest),) if self._rest else ()
        return (*self._lines, *unfinished)

    def _follow(self, file: BinaryIO) -> None:
        found = os.fstat(file.fileno())
        if (found.st_dev, found.st_ino) != self._file or found.st_size < self._place:
            self._forget()
            self._file = (found.st_dev, found.st_ino)
        start = max(self._place, found.st_size - MOST_BYTES)
        skipped = start > self._place
        file.seek(start)
        read = file.read(found.st_size - start)
        self._place = start + len(read)
        if skipped:  # what was kept is no longer next to it, and its first line has no beginning
            self._lines.clear()
            self._rest = b""
            read = read.partition(b"\n")[2] or read
        *whole, self._rest = (self._rest + read).split(b"\n")
        self._rest = self._rest[-MOST_BYTES:]
        self._lines.extend(_shown(line) for line in whole[-_MOST_LINES:])

    def _forget(self) -> None:
        self._lines.clear()
        self._rest, self._place, self._file = b"", 0, None


def _shown(line: bytes) -> str:
    text = line.removesuffix(b"\r")[: 4 * _LONGEST_LINE].decode("utf-8", "backslashreplace")
    return clip(terminal(text.replace("\t", _TAB)), _LONGEST_LINE)
