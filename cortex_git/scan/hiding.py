"""Which gaps of a scan may hide a finding that an earlier one had.

Must never take a gap for harmless that is not understood: what may hide a finding leaves it unknown, and
what surely cannot lets it count as fixed.
"""

import re

from cortex_git.scan.gap_kinds import DIRECT_ONLY, MAYBE_DIRECT_ONLY
from cortex_git.scan.lockfiles import FORMATS, MANY, kind_of
from cortex_git.scan.lockfiles.manifests import NO_LOCKFILE, manifest_ecosystem
from cortex_git.scan.records import Finding, NotScanned, RepositoryScan

_PACKAGES = re.compile(r"[0-9]+ packages? of (?P<ecosystem>.+)")
_VERSION = re.compile(r"(?P<package>.+) [^ ]+ \((?P<lockfile>.+)\)")
"""`npm lodash 4.17.20 (package-lock.json)`: a version that could not be matched."""


def may_hide(gap: NotScanned, finding: Finding) -> bool:
    """Whether the finding might still be there, unseen because of the gap."""
    what = gap.what
    if gap.kind == DIRECT_ONLY and kind_of(gap.path or "pom.xml") == "maven":
        return False  # as it was then: what such a file lists itself was read
    if what.startswith("secrets in ") or what.endswith((" more secret", " more secrets")):
        return False
    if packages := _PACKAGES.fullmatch(what):
        return packages["ecosystem"] == finding.ecosystem
    own = (finding.lockfile, *finding.other_lockfiles)
    if (version := _VERSION.fullmatch(what)) and kind_of(version["lockfile"]):
        return version["package"] == f"{finding.ecosystem} {finding.package}"
    path, colon, entry = what.partition(": ")
    if colon and kind_of(path):
        return path in own and finding.package in entry
    if what in own:
        return True
    return _may_pin(gap, finding, own)


def hid_then(gap: NotScanned, then: RepositoryScan) -> bool:
    """Whether the gap is a list that may be open and was one in the earlier scan, too.

    It then listed what was found. Where it was a whole one, what is not listed any more may be there still.
    """
    return gap.kind == MAYBE_DIRECT_ONLY and any(one.kind == gap.kind for one in then.not_scanned)


def _may_pin(gap: NotScanned, finding: Finding, own: tuple[str, ...]) -> bool:
    """Whether the gap is about a file that may pin the package now: a lockfile in place of the old one, or
    a manifest that the old one covered. What is neither is not understood."""
    path = gap.what
    kind = kind_of(path)
    ecosystem = FORMATS[kind].ecosystem if kind else manifest_ecosystem(path)
    if ecosystem is None:
        return True
    if ecosystem not in (finding.ecosystem, MANY):
        return False
    folder = path.rpartition("/")[0]
    homes = {lockfile.rpartition("/")[0] for lockfile in own}
    if gap.reason == NO_LOCKFILE:
        return any(home == "" or folder == home or folder.startswith(f"{home}/") for home in homes)
    return folder in homes
