"""The one fingerprint of a finding, which stays the same for as long as the finding is there.

Owns what takes part: repository as reported, advisory id, ecosystem, package and lockfile. Neither line
nor version does, so both may move. SARIF, baselines and the history of batches all use these functions.
"""

import hashlib
import json

from cortex_git.scan.records import Finding

KEY = "cortexGitFinding/v1"
"""Its name among SARIF's `partialFingerprints`; the number changes when the values do."""


def fingerprint(repo: str, finding: Finding) -> str:
    """64 hexadecimal digits: SHA-256 of the JSON list [repo, id, ecosystem, package, lockfile]."""
    return _hashed(repo, finding.id, finding, finding.lockfile)


def fingerprints(repo: str, finding: Finding) -> frozenset[str]:
    """Every fingerprint that the finding has under any of its ids and at any of its lockfiles.

    An advisory may get its CVE later, and a finding's first lockfile may be mended while others are not:
    two findings are the same where these sets meet.
    """
    ids = dict.fromkeys((finding.id, *finding.aliases))
    lockfiles = dict.fromkeys((finding.lockfile, *finding.other_lockfiles))
    return frozenset(_hashed(repo, name, finding, lockfile) for name in ids for lockfile in lockfiles)


def _hashed(repo: str, name: str, finding: Finding, lockfile: str) -> str:
    parts = [repo, name, finding.ecosystem, finding.package, lockfile]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
