"""The order of Conan versions: parts between dots, then a prerelease after `-` and a build after `+`.

As Conan 2 orders them, but for parts that mix digits and letters (`1t` of OpenSSL's 1.1.1t): Conan
compares those as text with numbers, which is no order; here they come right after their number.
"""

import re

from cortex_git.scan.versions.error import VersionError

_VERSION = re.compile(r"[0-9A-Za-z_]+(?:\.[0-9A-Za-z_]+)*", re.ASCII)
_PART = re.compile(r"(\d*)(.*)", re.ASCII)

Part = tuple[int, int, str]
Parts = tuple[Part, ...]
Key = tuple[Parts, int, Parts, Parts]
_NUMBER, _WORD = 0, 1
_PRERELEASE, _RELEASE = 0, 1


def parse(text: str) -> Key:
    """The key of a Conan version. Refuses one without a digit (`system`) and ranges (`[>=1.0]`)."""
    plain, _, build = text.strip().partition("+")
    release, hyphen, prerelease = plain.partition("-")
    if not re.search(r"\d", release):
        raise VersionError("Conan", text)
    stage = _PRERELEASE if hyphen else _RELEASE
    return (_parts(release, text), stage, _rest(prerelease, text), _rest(build, text))


def _rest(rest: str, text: str) -> Parts:
    """The parts of a prerelease or a build, which may be missing and have hyphens of their own."""
    return _parts(rest.replace("-", ".").replace("+", "."), text) if rest else ()


def _parts(release: str, text: str) -> Parts:
    if _VERSION.fullmatch(release) is None:
        raise VersionError("Conan", text)
    parts = [_part(part) for part in release.split(".")]
    while len(parts) > 1 and parts[-1] == (_NUMBER, 0, ""):
        parts.pop()
    return tuple(parts)


def _part(part: str) -> Part:
    """A number with what follows it; words come after every number."""
    match = _PART.fullmatch(part.lower())
    digits, rest = match.groups() if match else ("", part)
    return (_NUMBER, int(digits), rest) if digits else (_WORD, 0, rest)
