"""Which versions one `affected` entry of an OSV record covers, as intervals worked out once at import.

Owns the evaluation of OSV events (https://ossf.github.io/osv-schema/). Must never drop an entry that it
cannot evaluate: that becomes a `gap`, which matching reports as not scanned.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cortex_git.scan.versions import VersionError, parse

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Interval(NamedTuple):
    """Vulnerable from `start` (None: from the first version) until `end` (None: no end is known)."""

    start: str | None
    end: str | None
    kind: str
    """What `end` is: `fixed` and `limit` are the first version outside, `last_affected` the last inside."""


class Span(NamedTuple):
    """An interval whose ends are sort keys, ready to be compared with a package's."""

    start: Any
    end: Any
    closed: bool
    """True when `end` itself is inside."""
    fixed: str | None
    """The text of `end` where it is a fix."""

    def covers(self, key: Any) -> bool:
        """True when the version with this sort key is vulnerable."""
        if self.start is not None and key < self.start:
            return False
        if self.end is None:
            return True
        return bool(key <= self.end if self.closed else key < self.end)


class Coverage(NamedTuple):
    """What an `affected` entry covers: intervals, versions outside of them, and why parts can't be told."""

    intervals: tuple[Interval, ...]
    versions: tuple[str, ...]
    gap: str = ""


def coverage(ecosystem: str, affected: Mapping[str, Any]) -> Coverage:
    """Evaluate the `ranges` and `versions` of one OSV `affected` entry."""
    intervals: list[Interval] = []
    gaps: list[str] = []
    ranges = [item for item in _list(affected.get("ranges")) if isinstance(item, dict)]
    ordered = [item for item in ranges if item.get("type") in ("SEMVER", "ECOSYSTEM")]
    for item in ordered:
        try:
            intervals += _intervals(ecosystem, item)
        except (VersionError, KeyError, TypeError, ValueError):
            gaps.append("has a version range that cannot be ordered")
    versions = [text for text in _list(affected.get("versions")) if isinstance(text, str)]
    if not ordered and not versions:
        gaps.append("gives only git commits" if ranges else "names no versions")
    return Coverage(tuple(intervals), _outside(ecosystem, intervals, versions), "; ".join(gaps[:1]))


def spans(ecosystem: str, intervals: Iterable[Interval]) -> tuple[Span, ...]:
    """Intervals with their versions parsed. Raises VersionError, never for what `coverage` made."""
    return tuple(
        Span(
            None if start is None else parse(ecosystem, start),
            None if end is None else parse(ecosystem, end),
            kind == "last_affected",
            end if kind == "fixed" else None,
        )
        for start, end, kind in intervals
    )


def encode(intervals: Iterable[Interval]) -> str:
    """Intervals as the JSON text that the database holds."""
    return _ENCODER.encode(list(intervals))


def decode(text: str) -> tuple[Interval, ...]:
    """Intervals back from the JSON text that the database holds."""
    return tuple(Interval(*item) for item in json.loads(text))


def _intervals(ecosystem: str, item: Mapping[str, Any]) -> list[Interval]:
    """Events sorted by version (the file's order among equals), folded into intervals, cut at the limit."""
    events = [(kind, version) for event in item["events"] for kind, version in event.items()]
    if not any(kind == "introduced" for kind, _ in events):
        raise ValueError("a range without an introduced event")
    limits = [version for kind, version in events if kind == "limit"]
    turns = [(kind, version) for kind, version in events if kind in ("introduced", "fixed", "last_affected")]
    turns.sort(key=lambda turn: _event_key(ecosystem, turn[1]))
    found: list[Interval] = []
    start: str | None = None
    inside = False
    for kind, version in turns:
        if kind == "introduced":
            start, inside = (start, True) if inside else (None if version == "0" else version, True)
        elif inside:
            found.append(Interval(start, version, kind))
            inside = False
    if inside:
        found.append(Interval(start, None, ""))
    return [_cut(ecosystem, interval, limits) for interval in found]


def _event_key(ecosystem: str, version: str) -> tuple[int, Any]:
    return (0, 0) if version == "0" else (1, parse(ecosystem, version))


def _cut(ecosystem: str, interval: Interval, limits: list[str]) -> Interval:
    """A version must lie before any one of the limits, which is before the greatest."""
    if not limits or "*" in limits:
        return interval
    limit = max(limits, key=lambda version: _event_key(ecosystem, version))
    if interval.end is not None:
        order, end = parse(ecosystem, limit), parse(ecosystem, interval.end)
        if end < order or (end == order and interval.kind == "fixed"):
            return interval
    return Interval(interval.start, limit, "limit")


def _outside(ecosystem: str, intervals: list[Interval], versions: list[str]) -> tuple[str, ...]:
    """The enumerated versions that no interval covers: most records repeat their ranges as long lists."""
    parsed = spans(ecosystem, intervals)
    return tuple(version for version in versions if not _covered(ecosystem, parsed, version))


def _covered(ecosystem: str, parsed: tuple[Span, ...], version: str) -> bool:
    try:
        key = parse(ecosystem, version)
    except VersionError:
        return False
    return any(span.covers(key) for span in parsed)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
