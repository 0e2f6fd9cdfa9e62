"""The digest of the imported database: bits that flip on a disk are seen, and not taken for fewer advisories.

SQLite keeps none, and a damaged index finds nothing where there is something. Reading the whole file takes
too long for a scan, so `advisories update`, `advisories status --check` and `doctor` do it.
"""

import hashlib
import os
import sqlite3
from enum import Enum
from pathlib import Path

_SUFFIX = ".sha256"
_KEPT = 2
"""Digests in the file: that of the database about to be put in place, and that of the one it replaces."""


class Soundness(Enum):
    """What can be said of a database file."""

    SOUND = "sound"
    DAMAGED = "damaged"
    UNKNOWN = "no digest"
    """It was imported before there were digests, and SQLite finds nothing wrong with its form."""


def remember(built: Path, target: Path) -> None:
    """Keep the digest of a database that is about to replace `target`, and that of the old one until then."""
    digests = [_digest(built), *_known(target)][:_KEPT]
    place = target.with_name(target.name + _SUFFIX)
    aside = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    aside.write_text("".join(f"{digest}\n" for digest in digests))
    aside.replace(place)


def soundness(path: Path) -> Soundness:
    """Whether the file is as it was imported. Reads all of it. Raises OSError where it cannot be read."""
    known = _known(path)
    if known:
        return Soundness.SOUND if _digest(path) in known else Soundness.DAMAGED
    return Soundness.UNKNOWN if _well_formed(path) else Soundness.DAMAGED


def _known(path: Path) -> list[str]:
    try:
        return path.with_name(path.name + _SUFFIX).read_text("ascii", "replace").split()[:_KEPT]
    except OSError:
        return []


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _well_formed(path: Path) -> bool:
    """What SQLite itself can tell: no flipped bit in a text, but a damaged tree or index."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        finally:
            connection.close()
    except sqlite3.Error:
        return False
