"""The second kind of scan: what in a repository's files looks like a key or a password.

Owns which files are looked through, and what is remembered of one: kinds and lines, by blob id. Must never
keep, return or print what was found itself.
"""

import codecs
import copy
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import chain

from cortex_git.pages.text import counted
from cortex_git.scan import marks
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.fingerprints import numbered
from cortex_git.scan.lockfiles import kind_of
from cortex_git.scan.reading import OutOfTime, Snapshot
from cortex_git.scan.reading.limits import MIB
from cortex_git.scan.records import NotScanned, SecretFound
from cortex_git.scan.secrets_looked import FileSecrets, SecretsLooked, by_reason

MOST_BYTES = MIB
"""Of one file: keys that people leave behind stand in short ones. A lockfile may be as long as is read."""
MOST_FOUND = 1000
"""Secrets of one repository that are named."""
MOST_IN_FILE = 100
"""Secrets of one file that are remembered; that there are more is said."""
_HEAD = 8000
"""Bytes at a file's beginning in which a zero byte makes it no text, as git has it."""
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ALL_BYTES = 1 << 40
_SAVE_EVERY = 500
NO_TEXT = "no text"


@dataclass(frozen=True, slots=True)
class SecretsRead:
    """What was found, in how much, and what was not looked through."""

    found: tuple[SecretFound, ...] = ()
    not_scanned: tuple[NotScanned, ...] = ()
    looked: SecretsLooked | None = None


def secrets_in(snapshot: Snapshot, cache: ScanCache) -> SecretsRead:
    """Look through every text file of the commit.

    Lockfiles, too: addresses in them may hold passwords, and the detector takes no checksum for a key (of
    3,700 real ones it named two, which held passwords).

    Raises EnvironmentProblem where the detector cannot be used.
    """
    paths, passed = _by_blob(snapshot)
    looked = {blob: known for blob in paths if (known := cache.secrets(_key(blob))) is not None}
    short = _look_through(snapshot, cache, paths, looked)
    crowded = sum(len(paths[blob]) for blob, one in looked.items() if len(one.found) > MOST_IN_FILE)
    found, more = _named(paths, looked)
    gaps = [_gap(count, reason) for reason, count in short.items() if count]
    if crowded:
        gaps.append(_gap(crowded, f"the first {MOST_IN_FILE} of each are named"))
    if more:
        gaps.append(NotScanned(counted(more, "more secret"), f"the first {MOST_FOUND:,} are named"))
    texts = [(one.size, len(paths[blob])) for blob, one in looked.items() if one.text]
    passed[NO_TEXT] += sum(len(paths[blob]) for blob, one in looked.items() if not one.text)
    extent = SecretsLooked(
        files=sum(count for _, count in texts),
        size=sum(size * count for size, count in texts),
        passed_over=by_reason(passed + short),
        whole=not gaps,
    )
    return SecretsRead(tuple(found), tuple(gaps), extent)


def _by_blob(snapshot: Snapshot) -> tuple[dict[str, list[str]], Counter[str]]:
    """The paths to look through by blob: one that many paths name is looked through once. And the others."""
    paths: dict[str, list[str]] = defaultdict(list)
    passed: Counter[str] = Counter()
    for path, entry in sorted(snapshot.entries.items()):
        if entry.link:
            passed["symbolic links"] += 1
        elif entry.mode == "160000":
            passed["submodules"] += 1
        else:
            paths[snapshot.oid(path) or path].append(path)
    return paths, passed


def _look_through(
    snapshot: Snapshot, cache: ScanCache, paths: Mapping[str, Sequence[str]], looked: dict[str, FileSecrets]
) -> Counter[str]:
    """Adds to `looked` what is not known yet; how many files could not be looked through, by the reason."""
    from cortex_git.scan.secret_detector import DetectorFailed

    blobs = {some[0]: blob for blob, some in paths.items() if blob not in looked}
    lockfiles = dict.fromkeys(path for path in blobs if any(map(kind_of, paths[blobs[path]])))
    others = _own(snapshot, MOST_BYTES)
    long = _own(snapshot, max(MOST_BYTES, snapshot.limits.lockfile_bytes))
    short: Counter[str] = Counter()
    failed: set[str] = set()
    try:
        read = chain(others.read(path for path in blobs if path not in lockfiles), long.read(lockfiles))
        for done, (path, data) in enumerate(read, 1):
            blob = blobs[path]
            try:
                looked[blob] = _held(data)
            except DetectorFailed as problem:
                short[str(problem)] += len(paths[blob])
                failed.add(blob)
                continue
            if snapshot.oid(path):
                cache.remember_secrets(_key(blob), looked[blob])
            if done % _SAVE_EVERY == 0:
                cache.save()
            snapshot.deadline.left()
    except OutOfTime as problem:
        told = failed | {blobs.get(gap.what, "") for gap in (*others.not_scanned, *long.not_scanned)}
        left = [some for blob, some in paths.items() if blob not in looked and blob not in told]
        short[f"the repository {problem}"] += sum(map(len, left))
    for own in (others, long):
        for gap in own.not_scanned:
            large = "the limit is" in gap.reason
            reason = f"they are larger than {own.limits.lockfile_bytes / MIB:g} MiB" if large else gap.reason
            short[reason] += len(paths.get(blobs.get(gap.what, ""), "1"))
    return short


def _own(snapshot: Snapshot, most: int) -> Snapshot:
    """The same files with limits, of `most` bytes each, and gaps of its own."""
    own = copy.copy(snapshot)
    own.limits = replace(snapshot.limits, lockfile_bytes=most, total_bytes=_ALL_BYTES)
    own.not_scanned = []
    return own


def _gap(files: int, reason: str) -> NotScanned:
    return NotScanned(f"secrets in {counted(files, 'file')}", reason)


def _named(
    paths: Mapping[str, Sequence[str]], looked: Mapping[str, FileSecrets]
) -> tuple[list[SecretFound], int]:
    """The secrets in order of path and line, as many as are named, and how many there are beside."""
    places = sorted((path, blob) for blob, one in looked.items() if one.found for path in paths[blob])
    found: list[SecretFound] = []
    more = 0
    for path, blob in places:
        some = looked[blob].found[:MOST_IN_FILE]
        room = MOST_FOUND - len(found)
        found += numbered([SecretFound(path, line, kind) for kind, line in some])[:room]
        more += len(some[room:])
    return found, more


def _held(data: bytes) -> FileSecrets:
    """Kind and line of each secret in a file, in order; none of one that is no text."""
    text = _text(data)
    if text is None:
        return FileSecrets(len(data), text=False)
    from cortex_git.scan.secret_detector import findings

    found = findings(text)
    kinds = tuple((one.kind, one.line) for one in found[: MOST_IN_FILE + 1])
    return FileSecrets(len(data), True, kinds)


def _text(data: bytes) -> str | None:
    """UTF-16 by its mark, as PowerShell of Windows writes it, else UTF-8; None for what is no text."""
    if data.startswith(_WIDE):
        text = data.decode("utf-16", "replace")
        return None if "\0" in text[:_HEAD] else text
    return None if b"\0" in data[:_HEAD] else data.decode("utf-8", "replace")


def _key(oid: str) -> str:
    return f"{mark()} {oid}"


@cache
def mark() -> str:
    """Of the detector: after an upgrade of its rules every file is looked through again."""
    try:
        rules = version("kingfisher-secret-scanner")
    except PackageNotFoundError:
        rules = ""
    return f"{rules} {marks.code_mark('secret_detector.py', 'secrets_in_files.py', 'secrets_looked.py')}"
