"""Marks of the code that reads and matches: what was found out by other code is found out anew.

Owns which files count. The marks go by content, so that they are the same on every machine that has the
same version, whenever it was installed.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cortex_git.scan.reading.limits import Limits

_HERE = Path(__file__).parent
_NOT_FOR_ROWS = frozenset({"reports", "samples", "starter", "suppressing", "sources"})
"""Folders whose code and data say nothing of what is in a repository."""
READERS = ("cvss", "defusedxml", "packageurl-python", "packaging", "PyYAML", "tomli")
"""Packages of others that read versions and files for us; a test compares them with what is imported."""


@cache
def code_mark(*names: str) -> str:
    """A mark of the named files and folders of `cortex_git.scan`, 16 hex digits."""
    digest = hashlib.sha256()
    for name in names:
        place = _HERE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"{file.relative_to(_HERE)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def row_mark(database_identity: str, limits: Limits | None = None, *, secrets: str = "") -> str:
    """A mark of all that a row rests on beside its commit; rows of one commit with one mark are equal.

    `secrets`: a mark of their detector where they were looked for, too.
    """
    values = (_row_code(), others(), database_identity, (limits or Limits()).to_json(), secrets)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _row_code() -> str:
    return code_mark(*_row_names())


def row_files() -> Iterator[Path]:
    """The files of code that a row rests on."""
    for place in (_HERE / name for name in _row_names()):
        yield from place.rglob("*.py") if place.is_dir() else [place]


def _row_names() -> list[str]:
    names = sorted(entry.name for entry in _HERE.iterdir() if entry.name not in _NOT_FOR_ROWS)
    return [name for name in names if name.endswith(".py") or (_HERE / name).is_dir()]


@cache
def others() -> tuple[str, ...]:
    """Versions of what is not our code and reads for us all the same."""
    return (f"{sys.version_info.major}.{sys.version_info.minor}", *_versions())


def _versions() -> Iterator[str]:
    for name in READERS:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield name
