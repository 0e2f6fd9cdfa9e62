"""The second kind of scan: what in a repository's files looks like a key or a password.

Owns which files are looked through, and what is remembered of one: kinds and lines, by blob id. Must never
keep, return or print what was found itself.
"""

import copy
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
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
MOST_IN_FILE = 100
"""Secrets of one file that are remembered; that there are more is said."""
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
    from cortex_git.scan.secret_detector import DetectorFailed

    paths: dict[str, list[str]] = defaultdict(list)
    """By blob: one that many paths name is looked through once."""
    for path, entry in sorted(snapshot.entries.items()):
        if not (entry.link or entry.mode == "160000" or kind_of(path)):
            paths[snapshot.oid(path) or path].append(path)
    looked = {blob: kinds for blob in paths if (kinds := cache.secrets(_key(blob))) is not None}
    blobs = {some[0]: blob for blob, some in paths.items() if blob not in looked}
    own = copy.copy(snapshot)  # with limits and gaps of its own
    own.limits = replace(snapshot.limits, lockfile_bytes=MOST_BYTES, total_bytes=_ALL_BYTES)
    own.not_scanned = []
    short: Counter[str] = Counter()
    """Files that were not looked through, by the reason."""
    done = 0
    try:
        for path, data in own.read(blobs):
            blob = blobs[path]
            done += 1
            try:
                looked[blob] = _kinds(data)
            except DetectorFailed as problem:
                short[str(problem)] += len(paths.pop(blob))
                continue
            if snapshot.oid(path):
                cache.remember_secrets(_key(blob), looked[blob])
            if done % _SAVE_EVERY == 0:
                cache.save()
            snapshot.deadline.left()
    except OutOfTime as problem:
        told = {blobs.get(gap.what) for gap in own.not_scanned}
        left = [some for blob, some in paths.items() if blob not in looked and blob not in told]
        short[f"the repository {problem}"] += sum(map(len, left))
    for gap in own.not_scanned:
        large = "the limit is" in gap.reason
        reason = f"they are larger than {MOST_BYTES // MIB} MiB" if large else gap.reason
        short[reason] += len(paths.get(blobs.get(gap.what, ""), "1"))
    crowded = sum(len(paths[blob]) for blob, kinds in looked.items() if len(kinds) > MOST_IN_FILE)
    short[f"the first {MOST_IN_FILE} of each are named"] += crowded
    found, more = _named(paths, looked)
    gaps = [NotScanned(f"secrets in {count:,} files", reason) for reason, count in short.items() if count]
    if more:
        gaps.append(NotScanned(f"{more:,} more secrets", f"the first {MOST_FOUND:,} are named"))
    return SecretsRead(tuple(found), tuple(gaps))


def _named(
    paths: Mapping[str, Sequence[str]], looked: Mapping[str, Sequence[tuple[str, int]]]
) -> tuple[list[SecretFound], int]:
    """The secrets in order of path and line, as many as are named, and how many there are beside."""
    places = sorted((path, blob) for blob, kinds in looked.items() if kinds for path in paths[blob])
    found: list[SecretFound] = []
    more = 0
    for path, blob in places:
        some = looked[blob][:MOST_IN_FILE]
        room = MOST_FOUND - len(found)
        found += [SecretFound(path, line, kind) for kind, line in some[:room]]
        more += len(some[room:])
    return found, more


def _kinds(data: bytes) -> list[tuple[str, int]]:
    """Kind and line of each secret in a file, in order; none of one that is no text."""
    if b"\0" in data[:_HEAD]:
        return []
    from cortex_git.scan.secret_detector import findings

    found = findings(data.decode("utf-8", "replace"))
    return [(one.kind, one.line) for one in found[: MOST_IN_FILE + 1]]


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
