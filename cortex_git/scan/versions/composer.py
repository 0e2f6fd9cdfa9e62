"""The order of Composer versions (PHP): up to four numbers, then a stability such as `-RC2` or `-dev`.

Measured, `univers` orders some Composer versions wrongly, so this small order is ours. Branches such
as `dev-main` have no place in the order and are refused.
"""

import re

from cortex_git.scan.versions.error import VersionError

_STABILITY = r"[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?\d+(?:[.-]\d+)*)?))?([.-]?dev)?"
_CLASSIC = re.compile(rf"v?(\d{{1,9}}(?:\.\d+){{0,3}}){_STABILITY}", re.IGNORECASE | re.ASCII)
_DATED = re.compile(
    rf"v?(\d{{4}}(?:[.:-]?\d{{2}}){{1,6}}(?:[.:-]?\d{{1,3}}){{0,2}}){_STABILITY}", re.IGNORECASE | re.ASCII
)
_BRANCH = re.compile(r"v?(\d+(?:\.\d+){0,2})(?:\.[x*])+-dev", re.IGNORECASE | re.ASCII)

_RANK = {"alpha": 1, "a": 1, "beta": 2, "b": 2, "rc": 3, "stable": 4, "patch": 5, "pl": 5, "p": 5}
_DEV, _STABLE = 0, 4
_BRANCH_END = 9_999_999
"""What Composer puts for the open part of `1.x-dev`, so that it follows every release of 1."""

Key = tuple[tuple[int, ...], int, tuple[int, ...], int]


def parse(text: str) -> Key:
    """The key (numbers, stability, its numbers, 0 for a dev build or 1) of a Composer version."""
    plain = text.strip().split("+", 1)[0]
    branch = _BRANCH.fullmatch(plain)
    if branch is not None:
        numbers = [int(part) for part in branch[1].split(".")]
        return (*_padded(numbers, _BRANCH_END), _DEV, (), 0)
    match = _CLASSIC.fullmatch(plain) or _DATED.fullmatch(plain)
    if match is None:
        raise VersionError("Composer", text)
    release, word, count, dev = match.groups()
    numbers = [int(part) for part in re.split(r"[.:-]", release)]
    if word is None:
        return (*_padded(numbers, 0), _DEV if dev else _STABLE, (), 0 if dev else 1)
    counted = tuple(int(part) for part in re.findall(r"\d+", count))
    return (*_padded(numbers, 0), _RANK[word.lower()], counted, 0 if dev else 1)


def _padded(numbers: list[int], fill: int) -> tuple[tuple[int, ...]]:
    padded = numbers + [fill] * (4 - len(numbers))
    while len(padded) > 4 and padded[-1] == 0:
        padded.pop()
    return (tuple(padded),)
