"""Reading OSV records out of ZIP files that nobody vouches for.

Owns the caps on size and count. Must never trust a size that the archive itself states, nor write a
member to a path that the archive chooses.
"""

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cortex_git.errors import BadInput

_CHUNK_BYTES = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may cost. The whole OSV dump is about 500,000 records in 6 GB."""

    record_bytes: int = 16 << 20
    total_bytes: int = 16 << 30
    records: int = 2_000_000
    archive_bytes: int = 4 << 30


@dataclass(slots=True)
class _Spent:
    total_bytes: int = 0
    records: int = 0


def records(path: Path, limits: Limits) -> Iterator[bytes | None]:
    """Every JSON file of a ZIP, and of the ZIPs directly inside it; None for one above `record_bytes`.

    Raises BadInput when the archive is damaged or goes past a limit.
    """
    if path.stat().st_size > limits.archive_bytes:
        raise BadInput(f"{path} is larger than {limits.archive_bytes} bytes", "is it an OSV dump?")
    with path.open("rb") as stream:
        yield from _members(stream, str(path), limits, _Spent(), nested=False)


def _members(
    stream: IO[bytes], label: str, limits: Limits, spent: _Spent, nested: bool
) -> Iterator[bytes | None]:
    try:
        archive = zipfile.ZipFile(stream)
        members = archive.infolist()
    except _BROKEN as error:
        raise BadInput(f"{label} is not a readable ZIP file ({error})", "download it again") from None
    for member in members:
        name = member.filename.lower()
        if name.endswith(".json"):
            yield _content(archive, member, label, limits, spent)
        elif name.endswith(".zip") and not nested:
            with tempfile.TemporaryFile() as inner:
                _extract(archive, member, inner, label, limits, spent)
                yield from _members(inner, f"{label}:{member.filename!r}", limits, spent, nested=True)


def _content(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, label: str, limits: Limits, spent: _Spent
) -> bytes | None:
    try:
        with archive.open(member) as stream:
            raw = stream.read(limits.record_bytes + 1)
    except _BROKEN as error:
        raise BadInput(f"{label} is damaged at {member.filename!r} ({error})", "download it again") from None
    spent.records += 1
    spent.total_bytes += len(raw)
    _check(label, limits, spent)
    return raw if len(raw) <= limits.record_bytes else None


def _extract(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    target: IO[bytes],
    label: str,
    limits: Limits,
    spent: _Spent,
) -> None:
    """Copy an inner ZIP to an unnamed temporary file, a chunk at a time."""
    try:
        with archive.open(member) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                spent.total_bytes += len(chunk)
                _check(label, limits, spent)
                target.write(chunk)
    except _BROKEN as error:
        raise BadInput(f"{label} is damaged at {member.filename!r} ({error})", "download it again") from None
    target.seek(0)


def _check(label: str, limits: Limits, spent: _Spent) -> None:
    if spent.total_bytes > limits.total_bytes:
        raise BadInput(f"{label} unpacks to more than {limits.total_bytes} bytes", "it is not imported")
    if spent.records > limits.records:
        raise BadInput(f"{label} holds more than {limits.records} records", "it is not imported")
