"""What advisories hold: OSV records, CVSS vectors, versions."""

import json

from cortex_git.scan.advisories.osv import BadRecord, read
from cortex_git.scan.advisories.ranges import decode, encode, spans
from cortex_git.scan.records import SEVERITIES
from cortex_git.scan.severity import of_vector
from cortex_git.scan.versions import SCHEMES, VersionError, parse
from fuzz.targets import Target

RECORD = {
    "id": "GHSA-x", "aliases": ["CVE-2026-1"], "modified": "2026-01-01T00:00:00Z", "summary": "bad",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected": [
        {"package": {"ecosystem": "npm", "name": "a"}, "versions": ["1.0.0", "2.0.0-rc.1"],
         "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.3"}, {"limit": "2"}]}]},
        {"package": {"ecosystem": "PyPI", "name": "b"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1!2"}, {"last_affected": "3.0rc1"}]}]},
    ],
    "database_specific": {"severity": "MODERATE"},
}  # fmt: skip
VECTORS = (
    b"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    b"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:L/VA:N/SC:N/SI:N/SA:N",
    b"AV:N/AC:L/Au:N/C:P/I:P/A:P",
)
VERSIONS = (
    b"1.2.3-rc.1+b\n1.2.4",
    b"v0.0.0-20260101000000-abcdef\nv1.0.0",
    b"1!2.0.post1\n1.0a1",
    b"1.0-SNAPSHOT\n1.0.GA",
)


def _record(data: bytes) -> None:
    try:
        advisory = read(data)
    except BadRecord:
        return
    assert advisory.rating.severity in SEVERITIES and "\n" not in advisory.summary
    for affected in advisory.affected:
        assert decode(encode(affected.coverage.intervals)) == affected.coverage.intervals
        spans(affected.ecosystem, affected.coverage.intervals)


def _vector(data: bytes) -> None:
    rating = of_vector(data.decode("utf-8", "replace"))
    if rating is not None:
        assert rating.severity in SEVERITIES and rating.score is not None and 0 <= rating.score <= 10


def _versions(data: bytes) -> None:
    """Versions that an ecosystem can order are in one order, whichever way they are compared."""
    texts = data.decode("utf-8", "replace").split("\n")[:3]
    for ecosystem in SCHEMES:
        keys = []
        for text in texts:
            try:
                keys.append(parse(ecosystem, text))
            except VersionError:
                continue
        for one in keys:
            for other in keys:
                assert (one < other) + (other < one) + (one == other) == 1, (ecosystem, texts)
        assert sorted(sorted(keys, reverse=True)) == sorted(keys)


TARGETS = {
    "osv": Target(_record, (json.dumps(RECORD).encode(),)),
    "cvss": Target(_vector, VECTORS),
    "versions": Target(_versions, VERSIONS),
}
