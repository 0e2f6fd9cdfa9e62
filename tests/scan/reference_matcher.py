"""A slow, plain matcher written straight from the OSV specification, to hold the fast one against.

It shares no code with the package: it keeps every record in memory and loops over all of them for every
package. Versions: `packaging` for PyPI, a SemVer 2.0.0 comparison of its own for the rest.
"""

import functools
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import packaging.version

Found = tuple[str, str, frozenset[str]]
"""Ecosystem, normalised package name, every id of the vulnerability."""


class Unordered(Exception):
    """A version that has no place in the order."""


class ReferenceMatcher:
    """Loads `<folder>/<ecosystem>/all.zip` and answers one package at a time."""

    def __init__(self, folder: Path, ecosystems: Iterable[str]) -> None:
        self.records: list[dict[str, Any]] = []
        for ecosystem in ecosystems:
            with zipfile.ZipFile(folder / ecosystem / "all.zip") as archive:
                for name in archive.namelist():
                    record = json.loads(archive.read(name))
                    if not record.get("withdrawn"):
                        self.records.append(record)
        self._same = self._alias_sets()

    def find(self, ecosystem: str, name: str, version: str) -> set[Found]:
        """Every vulnerability of a package at a version."""
        plain = normalise(ecosystem, name)
        found = set()
        for record in self.records:
            for affected in record.get("affected", []):
                package = affected.get("package", {})
                if package.get("ecosystem") != ecosystem:
                    continue
                if normalise(ecosystem, package.get("name", "")) != plain:
                    continue
                if is_affected(ecosystem, version, affected):
                    found.add((ecosystem, plain, self._same[record["id"]]))
        return found

    def _alias_sets(self) -> dict[str, frozenset[str]]:
        """Grow every record's ids by those of records that share one, until nothing changes."""
        sets: list[set[str]] = []
        for record in self.records:
            ids = {record["id"], *record.get("aliases", [])}
            touching = [other for other in sets if other & ids]
            for other in touching:
                ids |= other
                sets.remove(other)
            sets.append(ids)
        return {id_: frozenset(ids) for ids in sets for id_ in ids}


def normalise(ecosystem: str, name: str) -> str:
    if ecosystem == "PyPI":
        return re.sub(r"[-_.]+", "-", name).lower()
    if ecosystem == "crates.io":
        return name.lower().replace("_", "-")
    return name


def is_affected(ecosystem: str, version: str, affected: dict[str, Any]) -> bool:
    """The specification's IsVulnerable for one `affected` entry."""
    if version in affected.get("versions", []):
        return True
    for listed in affected.get("versions", []):
        try:
            if compare(ecosystem)(listed, version) == 0:
                return True
        except Unordered:
            continue
    return any(
        in_range(version, item["events"], compare(ecosystem))
        for item in affected.get("ranges", [])
        if item["type"] != "GIT"
    )


def in_range(version: str, events: list[dict[str, str]], order: Callable[[str, str], int]) -> bool:
    """Walk the sorted events and keep the last word; a version also has to lie before some limit."""
    limits = [event["limit"] for event in events if "limit" in event]

    def by_version(one: tuple[str, str], other: tuple[str, str]) -> int:
        return _by(order, one[1], other[1])

    try:
        if limits and not any(limit == "*" or order(version, limit) < 0 for limit in limits):
            return False
        vulnerable = False
        for kind, at in sorted(_turns(events), key=functools.cmp_to_key(by_version)):
            if kind == "introduced" and _by(order, version, at) >= 0:
                vulnerable = True
            elif kind == "fixed" and _by(order, version, at) >= 0:  # noqa: SIM114
                vulnerable = False
            elif kind == "last_affected" and _by(order, version, at) > 0:
                vulnerable = False
        return vulnerable
    except Unordered:
        return False


def _turns(events: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    for event in events:
        for kind, at in event.items():
            if kind != "limit":
                yield kind, at


def _by(order: Callable[[str, str], int], a: str, b: str) -> int:
    """`0` is the beginning of everything, whatever the order says."""
    if a == "0" or b == "0":
        return (a != "0") - (b != "0")
    return order(a, b)


def compare(ecosystem: str) -> Callable[[str, str], int]:
    return _compare_python if ecosystem == "PyPI" else _compare_semver


def _compare_python(a: str, b: str) -> int:
    try:
        left, right = packaging.version.Version(a), packaging.version.Version(b)
    except packaging.version.InvalidVersion:
        raise Unordered from None
    return (left > right) - (left < right)


def _compare_semver(a: str, b: str) -> int:
    """Precedence by section 11 of SemVer 2.0.0, field by field."""
    (left, left_pre), (right, right_pre) = _split(a), _split(b)
    if left != right:
        return 1 if left > right else -1
    if not left_pre or not right_pre:
        return (not left_pre) - (not right_pre)
    for one, other in zip(left_pre, right_pre, strict=False):
        if one == other:
            continue
        if one.isdigit() and other.isdigit():
            return 1 if int(one) > int(other) else -1
        if one.isdigit() != other.isdigit():
            return -1 if one.isdigit() else 1
        return 1 if one > other else -1
    return (len(left_pre) > len(right_pre)) - (len(left_pre) < len(right_pre))


def _split(text: str) -> tuple[list[int], list[str]]:
    plain = text.removeprefix("v").split("+")[0]
    core, _, prerelease = plain.partition("-")
    try:
        numbers = [int(part) for part in core.split(".")]
    except ValueError:
        raise Unordered from None
    return numbers + [0] * (3 - len(numbers)), prerelease.split(".") if prerelease else []
