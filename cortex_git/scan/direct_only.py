"""Gaps for lists that are open: those of a repository that no whole list of the same packages covers.

Must never let a list be covered by one that is open itself, nor by one of other packages or versions.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from cortex_git.scan import gap_kinds
from cortex_git.scan.lockfiles import is_inventory
from cortex_git.scan.names import lookup_name
from cortex_git.scan.records import NotScanned, Package

MAX_NAMED = 10
"""Open lists of a kind that are named one by one; more than that are one gap, which says how many."""
REASONS = {
    gap_kinds.NO_LOCKFILE: "no lockfile serves it, not even one beside or above it",
    gap_kinds.DIRECT_ONLY: "lists only what is asked for directly: what that brings in was not scanned",
    gap_kinds.MAYBE_DIRECT_ONLY: (
        "does not show that it lists what its packages bring in (no hashes, not written by pip-compile or uv)"
    ),
}
_Pins = frozenset[tuple[str, str, str]]


def open_list_gaps(open_lists: Mapping[str, str], packages: Iterable[Package]) -> list[NotScanned]:
    """One gap for each open list, by its path; of many of a kind one for all.

    `open_lists` has the kind of gap by path. A list is covered where another file in its folder or above has
    all of its packages at the same versions; a bill of materials has to have others beside.
    """
    if not open_lists:
        return []
    pins = _pins(packages)
    whole = {path: own for path, own in pins.items() if path not in open_lists}
    by_kind: dict[str, list[str]] = defaultdict(list)
    for path, kind in sorted(open_lists.items()):
        if not _is_covered(path, pins.get(path, frozenset()), whole):
            by_kind[kind].append(path)
    return [gap for kind, paths in sorted(by_kind.items()) for gap in _named(kind, paths)]


def _pins(packages: Iterable[Package]) -> dict[str, _Pins]:
    found: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for one in packages:
        found[one.lockfile].add((one.ecosystem, lookup_name(one.ecosystem, one.name), one.version))
    return {path: frozenset(own) for path, own in found.items()}


def _is_covered(path: str, own: _Pins, whole: Mapping[str, _Pins]) -> bool:
    if not own:
        return False
    folder = path.rpartition("/")[0]
    above = (other for other in whole if _is_above(other.rpartition("/")[0], folder))
    return any(_covers(other, whole[other], own) for other in above)


def _is_above(other: str, folder: str) -> bool:
    return other in ("", folder) or folder.startswith(f"{other}/")


def _covers(path: str, others: _Pins, own: _Pins) -> bool:
    if not own <= others:
        return False
    ecosystems = {ecosystem for ecosystem, _, _ in own}
    return not is_inventory(path) or any(one[0] in ecosystems for one in others - own)


def _named(kind: str, paths: Sequence[str]) -> Collection[NotScanned]:
    if len(paths) <= MAX_NAMED:
        return [NotScanned(path, REASONS[kind], kind, path) for path in paths]
    return [NotScanned(f"{len(paths):,} files such as {paths[0]}", REASONS[kind], kind)]
