"""What a campaign asks of one repository: packages of its lockfiles, and their vulnerabilities.

Owns the reading of a task's findings, which anyone who can push may have written: nothing of them becomes
a word of a command before it was found to be a package's name or version.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.scan.names import lookup_name

MOST_FINDINGS = 200
"""Findings that one task may have."""
_NAME = re.compile(r"@?[A-Za-z0-9_][A-Za-z0-9._:/~+-]{0,213}")
"""What a registry may call a package; none begins like an option."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!~-]{0,99}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One package of one lockfile that vulnerabilities are asked about."""

    lockfile: str
    ecosystem: str
    package: str
    versions: tuple[str, ...]
    """Those that the scan found vulnerable, there or in another lockfile."""
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
    pinned = [(one.get("version"), *_texts(one, "other_versions")) for one in found]
    versions = tuple(dict.fromkeys(v for some in pinned for v in some if isinstance(v, str) and v))
    if odd := next((version for version in versions if not is_version(version)), None):
        raise BadInput(f"{odd[:80]!r} is no version of {package}", "look at the repository's lockfile")
    ids = tuple(dict.fromkeys(_text(one, "id") for one in found))
    via = tuple(dict.fromkeys(name for one in found for name in _texts(one, "via") if _NAME.fullmatch(name)))
    return Wanted(lockfile, ecosystem, package, versions, ids, via)


def is_version(text: str) -> bool:
    """Whether it may become a word of a command, or a part of one."""
    return _VERSION.fullmatch(text) is not None


def _text(one: Mapping[str, Any], name: str) -> str:
    value = one.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadInput(
            f"a finding whose {name} cannot be read", "make the task with `cortex-git multi-repo-fix`"
        )
    return value


def _texts(one: Mapping[str, Any], name: str) -> list[str]:
    value = one.get(name) or ()
    texts = [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []
    return [_text({name: text}, name) for text in texts]
