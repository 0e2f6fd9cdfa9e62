"""The second kind of scan: what in a repository's files looks like a key or a password.

Owns which files are looked through, and what is remembered of one: kinds and lines, by blob id. Must never
keep, return or print what was found itself.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from cortex_git.scan import marks
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.lockfiles import kind_of
from cortex_git.scan.reading import OutOfTime, Snapshot
from cortex_git.scan.reading.limits import MIB
from cortex_git.scan.records import NotScanned, SecretFound

MOST_BYTES = MIB
"""Of one file: keys that people leave behind stand in short ones."""
MOST_FOUND = 1000
"""Secrets of one repository that are named."""
_HEAD = 8000
"""Bytes at a file's beginning in which a zero byte makes it no text, as git has it."""
_ALL_BYTES = 1 << 40
_SAVE_EVERY = 500


@dataclass(frozen=True, slots=True)
class SecretsRead:
    """What was found, and what was not looked through."""

    found: tuple[SecretFound, ...] = ()
    not_scanned: tuple[NotScanned, ...] = ()


def secrets_in(snapshot: Snapshot, cache: ScanCache) -> SecretsRead:
    """Look through every text file of the commit but lockfiles, which hold checksums.

    Raises EnvironmentProblem where the detector cannot be used.
    """
    found: list[SecretFound] = []
    unknown: list[str] = []
    for path, entry in sorted(snapshot.entries.items()):
        if entry.link or entry.mode == "160000" or kind_of(path):
            continue
        oid = snapshot.oid(path)
        known = cache.secrets(_key(oid)) if oid else None
        if known is None:
            unknown.append(path)
        else:
            found += [SecretFound(path, line, kind) for kind, line in known]
    own = copy.copy(snapshot)  # with limits and gaps of its own
    own.limits = replace(snapshot.limits, lockfile_bytes=MOST_BYTES, total_bytes=_ALL_BYTES)
    own.not_scanned = []
    gaps: list[NotScanned] = []
    done = 0
    try:
        for path, data in own.read(unknown):
            kinds = _kinds(data)
            found += [SecretFound(path, line, kind) for kind, line in kinds]
            if oid := snapshot.oid(path):
                cache.remember_secrets(_key(oid), kinds)
            done += 1
            if done % _SAVE_EVERY == 0:
                cache.save()
            snapshot.deadline.left()
    except OutOfTime as problem:
        gaps.append(NotScanned(f"secrets in {len(unknown) - done:,} files", f"the repository {problem}"))
    gaps += _short(own.not_scanned)
    found.sort(key=lambda one: (one.path, one.line, one.kind))
    if len(found) > MOST_FOUND:
        gaps.append(
            NotScanned(f"{len(found) - MOST_FOUND:,} more secrets", f"the first {MOST_FOUND:,} are named")
        )
    return SecretsRead(tuple(found[:MOST_FOUND]), tuple(gaps))


def _kinds(data: bytes) -> list[tuple[str, int]]:
    """Kind and line of each secret in a file; none of one that is no text."""
    if b"\0" in data[:_HEAD]:
        return []
    from cortex_git.scan.secret_detector import findings

    return [(one.kind, one.line) for one in findings(data.decode("utf-8", "replace"))]


def _short(gaps: list[NotScanned]) -> Iterator[NotScanned]:
    """One gap for all files that are too large, and the others as they are."""
    large = [gap for gap in gaps if "the limit is" in gap.reason]
    if large:
        yield NotScanned(f"secrets in {len(large):,} files", f"they are larger than {MOST_BYTES // MIB} MiB")
    yield from (NotScanned(f"secrets in {gap.what}", gap.reason) for gap in gaps if gap not in large)


def _key(oid: str) -> str:
    return f"{mark()} {oid}"


@cache
def mark() -> str:
    """Of the detector: after an upgrade of its rules every file is looked through again."""
    try:
        rules = version("kingfisher-secret-scanner")
    except PackageNotFoundError:
        rules = ""
    return f"{rules} {marks.code_mark('secret_detector.py', 'secrets_in_files.py')}"
