"""The one fingerprint of a finding, which stays the same for as long as the finding is there.

Owns what takes part: repository as reported, advisory id, ecosystem, package and lockfile. Neither line
nor version does, so both may move. SARIF, baselines and the history of batches all use these functions.
A secret's is of its place alone: nothing may be kept from which the secret could be guessed.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from cortex_git.scan.records import Finding, RepositoryScan, SecretFound

KEY = "cortexGitFinding/v1"
"""Its name among SARIF's `partialFingerprints`; the number changes when the values do."""


def name_then(repo: str, folder: str) -> str:
    """What a repository of an earlier scan is found again by: its name as written, and a local one's folder.

    `.` is another repository in each folder. A report that is read back knows no folders: there names decide,
    and in every fingerprint that is published, whose values must last.
    """
    return f"{repo}\0{folder}" if folder else repo


def names_now(row: RepositoryScan) -> tuple[str, ...]:
    """The `name_then` of every repository of an earlier scan that the row is of."""
    return tuple(dict.fromkeys((name_then(row.repo, row.folder), row.repo)))


def fingerprint(repo: str, finding: Finding) -> str:
    """64 hexadecimal digits: SHA-256 of the JSON list [repo, id, ecosystem, package, lockfile]."""
    return _hashed(repo, finding.id, finding, finding.lockfile)


def fingerprints(repo: str, finding: Finding) -> frozenset[str]:
    """Every fingerprint that the finding has under any of its ids and at any of its lockfiles."""
    return frozenset[str]().union(*by_lockfile(repo, finding).values())


def by_lockfile(repo: str, finding: Finding) -> dict[str, frozenset[str]]:
    """For each of the finding's lockfiles its fingerprints there, one for each of its ids.

    An advisory may get its CVE later: in one lockfile, two findings are the same where these sets meet.
    """
    ids = dict.fromkeys((finding.id, *finding.aliases))
    lockfiles = dict.fromkeys((finding.lockfile, *finding.other_lockfiles))
    return {path: frozenset(_hashed(repo, name, finding, path) for name in ids) for path in lockfiles}


def secret_fingerprint(repo: str, secret: SecretFound) -> str:
    """64 hexadecimal digits: SHA-256 of the JSON list [repo, path, kind, number]; lines may move."""
    parts = [repo, secret.path, secret.kind, secret.number]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def numbered(secrets: Iterable[SecretFound]) -> tuple[SecretFound, ...]:
    """The secrets of one repository, those without a number counted within their file and kind.

    To be called before any of them is set aside: the others must keep their numbers.
    """
    counts: Counter[tuple[str, str]] = Counter()
    found: list[SecretFound] = []
    for one in secrets:
        counts[one.path, one.kind] += 1
        found.append(one if one.number else replace(one, number=counts[one.path, one.kind]))
    return tuple(found)


def _hashed(repo: str, name: str, finding: Finding, lockfile: str) -> str:
    parts = [repo, name, finding.ecosystem, finding.package, lockfile]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
