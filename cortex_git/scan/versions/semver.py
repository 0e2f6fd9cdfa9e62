"""The order of SemVer 2.0.0 versions, and the dialects near it: Go's, NuGet's and Pub's.

Measured, `univers` orders some npm versions wrongly, so this small order is ours. Build metadata is
compared by Pub alone.
"""

import re
from typing import Any

from cortex_git.scan.versions.error import VersionError

_CORE = r"(\d+)(?:\.(\d+))?(?:\.(\d+))?"
_TAIL = r"(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?"
_SEMVER = re.compile(rf"[v=]?{_CORE}{_TAIL}", re.ASCII)
_NUGET = re.compile(rf"{_CORE}(?:\.(\d+))?{_TAIL}", re.ASCII)
_PUB = re.compile(rf"{_CORE}(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?", re.ASCII)
_GO_RELEASE = re.compile(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?(?:(alpha|beta|rc)(\d+))?", re.ASCII)

Key = tuple[Any, ...]
_RELEASE = ((2,),)
"""Stands where a prerelease would: greater than every identifier, which start with 0 or 1."""


def parse(text: str) -> Key:
    """The key of a SemVer version; a leading `v` and missing parts (`1.2`) are accepted."""
    return _key("SemVer", _SEMVER.fullmatch(text), text)


def parse_nuget(text: str) -> Key:
    """The key of a NuGet version: SemVer with up to four numbers, prerelease in any letter case."""
    return _key("NuGet", _NUGET.fullmatch(text), text, fold_case=True)


def parse_pub(text: str) -> Key:
    """The key of a Dart package's version: SemVer, but `1.0.0+1` comes after `1.0.0` and before `1.0.1`."""
    match = _PUB.fullmatch(text)
    if match is None:
        raise VersionError("Pub", text)
    major, minor, patch, prerelease, build = match.groups()
    before = _identifiers(prerelease) if prerelease else _RELEASE
    return (int(major), int(minor or 0), int(patch or 0), before, _identifiers(build) if build else ())


def parse_go(text: str) -> Key:
    """The key of a Go version: of a module (`v1.2.3+incompatible`, a pseudo-version) or of a Go
    release, which is not SemVer (`go1.21rc2`, 1.21).
    """
    release = _GO_RELEASE.fullmatch(text)
    if release is None:
        return _key("Go", _SEMVER.fullmatch(text), text)
    major, minor, patch, stage, number = release.groups()
    before = _identifiers(f"{stage}.{number}") if stage else _RELEASE
    return (int(major), int(minor), int(patch or 0), 0, before)


def _key(scheme: str, match: re.Match[str] | None, text: str, fold_case: bool = False) -> Key:
    if match is None:
        raise VersionError(scheme, text)
    *numbers, prerelease = match.groups()
    parts = [int(number or 0) for number in numbers]
    parts += [0] * (4 - len(parts))
    if prerelease is None:
        return (*parts, _RELEASE)
    return (*parts, _identifiers(prerelease.lower() if fold_case else prerelease))


def _identifiers(prerelease: str) -> Key:
    """Numbers before words; the shorter of two that agree comes first, as tuples compare anyway."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in prerelease.split("."))
