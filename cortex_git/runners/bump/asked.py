"""What a campaign asks of one repository: packages of its lockfiles, and the versions that are fixed.

Owns the reading of a task's findings, which anyone who can push may have written: nothing of them becomes
a word of a command before it was found to be a package's name or version.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.scan.names import lookup_name
from cortex_git.scan.versions import VersionError, parse

MOST_FINDINGS = 200
"""Findings that one task may have."""
_NAME = re.compile(r"@?[A-Za-z0-9_][A-Za-z0-9._:/~+-]{0,213}")
"""What a registry may call a package; none begins like an option."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!~-]{0,99}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One package of one lockfile, and the least version without the vulnerabilities asked about."""

    lockfile: str
    ecosystem: str
    package: str
    versions: tuple[str, ...]
    """Those pinned when it was scanned, in order."""
    target: str | None
    """None where an advisory names no fixed version."""
    advisories: tuple[str, ...]
    via: tuple[str, ...] = ()
    """Direct dependencies that bring it in, as far as the scan could tell."""

    @property
    def key(self) -> tuple[str, str]:
        """The package, as advisories know it."""
        return self.ecosystem, lookup_name(self.ecosystem, self.package)


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole task: what is wanted of each lockfile, and every id of the vulnerabilities."""

    wanted: tuple[Wanted, ...]
    ids: frozenset[str]


def asked_of(task: Mapping[str, Any]) -> Asked:
    """What the task asks for. Raises BadInput where its findings cannot be read."""
    findings = (task.get("context") or {}).get("findings")
    if not isinstance(findings, list) or not findings or not all(isinstance(one, dict) for one in findings):
        raise BadInput("a task without findings to fix", "make it with `cortex-git multi-repo-fix`")
    if len(findings) > MOST_FINDINGS:
        raise BadInput(f"more than {MOST_FINDINGS} findings in one task", "fix fewer advisories at once")
    places: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for one in findings:
        ecosystem, package = _text(one, "ecosystem"), _text(one, "package")
        if not _NAME.fullmatch(package):
            raise BadInput(f"{package[:80]!r} is no package's name", "look at the repository's lockfile")
        for lockfile in (_text(one, "lockfile"), *_texts(one, "other_lockfiles")):
            places.setdefault((lockfile, ecosystem, package), []).append(one)
    wanted = tuple(_wanted(*place, found) for place, found in sorted(places.items()))
    ids = frozenset(name for one in findings for name in (_text(one, "id"), *_texts(one, "aliases")))
    return Asked(wanted, ids)


def _wanted(lockfile: str, ecosystem: str, package: str, found: Sequence[Mapping[str, Any]]) -> Wanted:
    pinned = [(_text(one, "version"), *_texts(one, "other_versions")) for one in found]
    versions = tuple(dict.fromkeys(version for some in pinned for version in some))
    if odd := next((version for version in versions if not _VERSION.fullmatch(version)), None):
        raise BadInput(f"{odd[:80]!r} is no version of {package}", "look at the repository's lockfile")
    fixes = [one.get("fixed") for one in found]
    named = [fix for fix in fixes if isinstance(fix, str) and _VERSION.fullmatch(fix)]
    target = highest(ecosystem, named) if len(named) == len(fixes) else None
    ids = tuple(dict.fromkeys(_text(one, "id") for one in found))
    via = tuple(dict.fromkeys(name for one in found for name in _texts(one, "via") if _NAME.fullmatch(name)))
    return Wanted(lockfile, ecosystem, package, versions, target, ids, via)


def highest(ecosystem: str, versions: Iterable[str]) -> str | None:
    """The highest of the versions; None of none, or where they cannot be ordered."""
    try:
        return max(versions, key=lambda version: parse(ecosystem, version), default=None)
    except VersionError:
        return None


def _text(one: Mapping[str, Any], name: str) -> str:
    value = one.get(name)
    if not isinstance(value, str) or not value:
        raise BadInput(f"a finding without {name}", "make the task with `cortex-git multi-repo-fix`")
    return value


def _texts(one: Mapping[str, Any], name: str) -> list[str]:
    value = one.get(name) or ()
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []
