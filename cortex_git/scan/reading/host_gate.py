"""Back-pressure: how many fetches from one host run at once on this machine, and when it is left alone.

Owns one folder of lock files for each host, which all workers of this machine share. The kernel frees a
place when its holder dies. Must never keep a scan from running: without a folder there is no gate.
"""

import hashlib
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from cortex_git.flocks import try_lock
from cortex_git.scan.reading.errors import RepositoryUnreadable
from cortex_git.scan.sources import Source

PER_HOST = 8
"""Fetches at once, where nobody says otherwise."""
MOST_WAIT_S = 600.0
MOST_REST_S = 60.0
_FIRST_LOOK_S, _LAST_LOOK_S = 0.02, 0.5
"""Pause before the second look for a place, and the longest: sixty waiting workers must cost nothing."""
_RESTING = "rests"


@dataclass(frozen=True, slots=True)
class HostGate:
    """The places of every host, below one folder; without one nobody waits."""

    folder: Path | None = None
    per_host: int = PER_HOST

    @contextmanager
    def place(self, source: Source) -> Iterator[None]:
        """Hold one of the places of the source's host; waits for one, and while the host is to rest.

        Raises RepositoryUnreadable after 600 seconds without.
        """
        folder = self._folder_of(source)
        if folder is None:
            yield
            return
        handle = self._taken(folder, source)
        try:
            yield
        finally:
            if handle is not None:
                handle.close()

    def rest(self, source: Source, seconds: float) -> None:
        """Let the host alone for so long: it has just said that it is too busy. At most 60 seconds."""
        folder = self._folder_of(source)
        if folder is not None:
            with suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                (folder / _RESTING).touch()
                ends = time.time() + min(seconds, MOST_REST_S)
                os.utime(folder / _RESTING, (ends, ends))

    def _taken(self, folder: Path, source: Source) -> IO[str] | None:
        ends = time.monotonic() + MOST_WAIT_S
        places, pause = list(range(self.per_host)), _FIRST_LOOK_S
        while True:
            random.shuffle(places)
            if not _rests(folder):
                for number in places:
                    try:
                        folder.mkdir(parents=True, exist_ok=True)
                        handle = (folder / f"{number}.lock").open("a")
                    except OSError:
                        return None  # a cache that cannot be written to keeps nobody from scanning
                    if try_lock(handle):
                        return handle
                    handle.close()
            if time.monotonic() > ends:
                reason = f"waited {MOST_WAIT_S:g} s for one of {self.per_host} fetches from its host"
                raise RepositoryUnreadable(f"{source.repo} {reason}", "scan again, or give --per-host more")
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  spreads the looks
            pause = min(pause * 1.5, _LAST_LOOK_S)

    def _folder_of(self, source: Source) -> Path | None:
        if self.folder is None or source.local:
            return None
        mark = hashlib.sha256(host_of(source).encode()).hexdigest()[:16]
        return self.folder / "hosts" / mark


def host_of(source: Source) -> str:
    """The host, with its port where there is one, whatever the protocol."""
    if "://" in source.url:
        return urlsplit(source.url).netloc.rpartition("@")[2].lower()
    return source.url.partition(":")[0].rpartition("@")[2].lower()


def _rests(folder: Path) -> bool:
    """A clock that was set back must not make it rest for hours."""
    try:
        left = (folder / _RESTING).stat().st_mtime - time.time()
    except OSError:
        return False
    return 0 < left <= MOST_REST_S
