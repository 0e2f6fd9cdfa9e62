"""What hosts answered to earlier listings, by address, so that an unchanged page need not be sent again.

Owns one small file for each page, for this user's eyes only. Must never fail a listing nor answer for
somebody else's token: every error is a miss.
"""

import hashlib
import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

_KEPT_S = 30 * 86400.0
_FORM = 1


class Known(NamedTuple):
    """An earlier answer, in the form that the reader of it made."""

    etag: str
    value: Any
    following: str | None
    """Address of the next page."""
    total: int | None
    left_out: str = ""
    """What the host says that it left out of the answer, empty for nothing. Such an answer is not kept."""


class ListingCache:
    """Answers for one token; without a folder it remembers nothing."""

    def __init__(self, folder: Path | None, token: str) -> None:
        self._folder = folder / "listings" if folder else None
        self._token = token

    def find(self, url: str) -> Known | None:
        """The answer kept for this address, None without one."""
        file = self._file(url)
        if file is None:
            return None
        try:
            said = json.loads(file.read_bytes())
            if said["form"] == _FORM and isinstance(said["etag"], str) and said["url"] == url:
                return Known(said["etag"], said["value"], said["following"], said["total"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        return None

    def keep(self, url: str, known: Known) -> None:
        """Remember an answer, whole or not at all."""
        file = self._file(url)
        if file is None:
            return
        beside = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                said = known._asdict()
                del said["left_out"]
                json.dump({"form": _FORM, "url": url, **said}, handle)
            beside.replace(file)

    def still_good(self, url: str) -> None:
        """Note that this answer was of use."""
        file = self._file(url)
        if file is not None:
            with suppress(OSError):
                os.utime(file)

    def sweep(self) -> None:
        """Drop what was of no use for 30 days."""
        before = time.time() - _KEPT_S
        with suppress(OSError):
            for file in self._folder.iterdir() if self._folder else ():
                if file.stat().st_mtime < before:
                    file.unlink()

    def _file(self, url: str) -> Path | None:
        """A token sees what another does not; no way leads back from the digest to it."""
        if self._folder is None:
            return None
        digest = hashlib.blake2b(url.encode(), key=hashlib.sha256(self._token.encode()).digest())
        return self._folder / f"{digest.hexdigest()[:48]}.json"
