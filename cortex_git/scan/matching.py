"""Matching pinned packages against the advisory database, one repository at a time.

Owns what counts as one finding. Must never call a package safe that it could not check: what the
database does not cover, or a version that can't be ordered, becomes a `NotScanned`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from cortex_git.scan import gap_kinds
from cortex_git.scan.advisories.database import Advised, AdvisoryDatabase
from cortex_git.scan.advisories.ranges import Span
from cortex_git.scan.lockfiles import is_inventory
from cortex_git.scan.names import lookup_name
from cortex_git.scan.records import SEVERITIES, Finding, NotScanned, Package, joined
from cortex_git.scan.upgrades import upgrade_command
from cortex_git.scan.versions import VersionError, parse


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The findings of one repository, and what could not be matched."""

    findings: tuple[Finding, ...]
    not_scanned: tuple[NotScanned, ...]


class _Hit(NamedTuple):
    """A vulnerability of one version: what it is, and the range whose end is the fix, if one is named."""

    summary: str
    fix: Span | None


class _Checked(NamedTuple):
    """What the entries about one package say about one version."""

    hits: Mapping[int, _Hit]
    """By vulnerability."""
    gaps: tuple[str, ...]


_MOST_STEPS = 20
_MOST_KEPT = 20_000
"""Package versions with advisories about their package, some 500 bytes each."""
_checked_before: "WeakKeyDictionary[AdvisoryDatabase, dict[tuple[str, str, str], _Checked]]" = (
    WeakKeyDictionary()
)


def match(database: AdvisoryDatabase, packages: Sequence[Package]) -> MatchResult:
    """Find the vulnerabilities of one repository's packages.

    One vulnerability under several ids counts once, and so does a package that several lockfiles pin.
    Findings come most severe first; sqlite3.DatabaseError when the database file is damaged.
    """
    covered, known = database.ecosystems(), _known_of(database)
    by_name: dict[tuple[str, str], list[Package]] = defaultdict(list)
    uncovered: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for package in packages:
        if package.ecosystem in covered:
            name = lookup_name(package.ecosystem, package.name)
            by_name[package.ecosystem, name].append(package)
        else:
            uncovered[package.ecosystem].add((package.name, package.version))
    findings: list[Finding] = []
    not_scanned = [_uncovered(ecosystem, len(there)) for ecosystem, there in sorted(uncovered.items())]
    for ecosystem in sorted({ecosystem for ecosystem, _ in by_name}):
        names = [name for one, name in by_name if one == ecosystem]
        for name, entries in database.advised(ecosystem, names).items():
            if entries:
                pinned = sorted(by_name[ecosystem, name], key=_place)
                checked = {p.version: _check_once(known, ecosystem, name, p.version, entries) for p in pinned}
                findings += _findings(database, pinned, checked, _lasting(known, ecosystem, name, entries))
                not_scanned += _gaps(pinned, checked)
    findings.sort(key=_order)
    return MatchResult(tuple(findings), tuple(not_scanned))


def _known_of(database: AdvisoryDatabase) -> dict[tuple[str, str, str], _Checked]:
    """What was found out about package versions so far: what many repositories pin is matched once."""
    known = _checked_before.setdefault(database, {})
    if len(known) > _MOST_KEPT:
        known.clear()
    return known


def _check_once(
    known: dict[tuple[str, str, str], _Checked],
    ecosystem: str,
    name: str,
    version: str,
    entries: Sequence[Advised],
) -> _Checked:
    found = known.get((ecosystem, name, version))
    if found is None:
        found = known[ecosystem, name, version] = _check(ecosystem, version, entries)
    return found


def _uncovered(ecosystem: str, count: int) -> NotScanned:
    what = f"{count} package{'' if count == 1 else 's'} of {ecosystem}"
    return NotScanned(what, "the database has no advisories for it", gap_kinds.NO_ADVISORIES)


def _place(package: Package) -> tuple[bool, str, int, str]:
    """Lockfiles come before a bill of materials, which only repeats them and is not what a person edits."""
    return (is_inventory(package.lockfile), package.lockfile, package.line or 0, package.version)


def _order(finding: Finding) -> tuple[int, float, str, str, str]:
    rank = SEVERITIES.index(finding.severity)
    return (rank, -(finding.score or 0.0), finding.ecosystem, finding.package, finding.id)


def _check(ecosystem: str, version: str, entries: Sequence[Advised]) -> _Checked:
    """Test one version against the entries; a gap counts only where no twin record could be evaluated."""
    try:
        key = parse(ecosystem, version)
    except VersionError:
        return _check_unordered(version, entries)
    hits: dict[int, _Hit] = {}
    gaps: dict[int, str] = {}
    evaluated: set[int] = set()
    for entry in entries:
        fix: Span | None = None
        for span in entry.spans:
            if span.covers(key):
                fix = _later(fix, span)
        if fix is None:
            if version in entry.versions or key in entry.keys:
                fix = _next_fix(entry, key)
            elif entry.gap:
                gaps[entry.vulnerability] = f"advisory {entry.advisory} {entry.gap}"
                continue
            else:
                evaluated.add(entry.vulnerability)
                continue
        known = hits.get(entry.vulnerability)
        hits[entry.vulnerability] = _Hit(entry.summary, fix) if known is None else _merged(known, entry, fix)
    fixes: dict[int, list[Span]] = {number: [] for number in hits}
    for entry in entries:
        if entry.vulnerability in fixes:
            fixes[entry.vulnerability] += [span for span in entry.spans if span.fixed is not None]
    for number, spans in fixes.items():
        if len(spans) > 1:
            hits[number] = hits[number]._replace(fix=_beyond(hits[number].fix, spans))
    return _Checked(hits, tuple(text for n, text in gaps.items() if n not in evaluated and n not in hits))


def _check_unordered(version: str, entries: Iterable[Advised]) -> _Checked:
    """What can be said without an order: listed versions, and entries that cover every version."""
    hits: dict[int, _Hit] = {}
    unsure: set[int] = set()
    for entry in entries:
        if version in entry.versions or any(s.start is None and s.end is None for s in entry.spans):
            hits.setdefault(entry.vulnerability, _Hit(entry.summary, None))
        elif entry.spans or entry.keys or entry.gap:
            unsure.add(entry.vulnerability)
    unsure -= hits.keys()
    plural = "y was" if len(unsure) == 1 else "ies were"
    text = f"its version cannot be ordered, so {len(unsure)} advisor{plural} not checked"
    return _Checked(hits, (text,) if unsure else ())


def _merged(hit: _Hit, entry: Advised, fix: Span | None) -> _Hit:
    """What one more record of the same vulnerability adds."""
    return _Hit(hit.summary or entry.summary, _later(hit.fix, fix))


def _later(one: Span | None, other: Span | None) -> Span | None:
    """Of overlapping ranges the one with the last fix: the first version that leaves them all."""
    if one is None or other is None:
        return other if one is None else one
    if other.fixed is not None and (one.fixed is None or other.end > one.end):
        return other
    return one


def _beyond(fix: Span | None, spans: Sequence[Span]) -> Span | None:
    """A fix that no other range with a fix of the same vulnerability covers in turn."""
    for _ in spans:
        if fix is None or fix.fixed is None:
            break
        end = fix.end
        following = [span for span in spans if span.covers(end)]
        if not following:
            break
        fix = max(following, key=lambda span: span.end)
    return fix


def _next_fix(entry: Advised, key: Any) -> Span | None:
    """For a version that is listed but in no range: the smallest fix above it that the entry names."""
    above = [span for span in entry.spans if span.fixed is not None and span.end > key]
    return min(above, key=lambda span: span.end, default=None)


def _lasting(
    known: dict[tuple[str, str, str], _Checked], ecosystem: str, name: str, entries: Sequence[Advised]
) -> Callable[[_Checked], str | None]:
    """A function from what one version has to the version that all its commands bring.

    The highest of the fixes: the command of a lower one, run last, would bring back what the others are
    about. As long as that version has vulnerabilities with a fix in turn, it is the highest of those.
    """

    def lasting(checked: _Checked) -> str | None:
        best: Span | None = None
        for _ in range(_MOST_STEPS):
            spans = [hit.fix for hit in checked.hits.values() if hit.fix is not None and hit.fix.fixed]
            found = max(spans, key=lambda span: span.end, default=None)
            if found is None or found.fixed is None or (best is not None and found.end <= best.end):
                break
            best = found
            checked = _check_once(known, ecosystem, name, found.fixed, entries)
        return best.fixed if best else None

    return lasting


def _findings(
    database: AdvisoryDatabase,
    pinned: Sequence[Package],
    checked: Mapping[str, _Checked],
    lasting: Callable[[_Checked], str | None],
) -> Iterator[Finding]:
    """One finding a vulnerability, at the first place that pins a vulnerable version."""
    places: dict[int, list[Package]] = defaultdict(list)
    for package in pinned:
        for number in checked[package.version].hits:
            places[number].append(package)
    for number, packages in places.items():
        first = packages[0]
        hit = checked[first.version].hits[number]
        known = database.vulnerability(number)
        others = dict.fromkeys(p.lockfile for p in packages if p.lockfile != first.lockfile)
        versions = dict.fromkeys(p.version for p in packages if p.version != first.version)
        origin = reduce(joined, packages)
        asked_for = next((package for package in packages if package.direct), first)
        there = checked[asked_for.version]
        # A vulnerability without a fix is not ended by the fixes of others.
        wanted = lasting(there) if _fixed(there.hits[number]) else None
        yield Finding(
            id=known.id,
            aliases=known.aliases,
            severity=known.severity,
            score=known.score,
            ecosystem=first.ecosystem,
            package=first.name,
            version=first.version,
            fixed=_fixed(hit),
            lockfile=first.lockfile,
            line=first.line,
            summary=hit.summary,
            other_lockfiles=tuple(others),
            direct=origin.direct,
            dev=origin.dev,
            via=origin.via,
            upgrade=upgrade_command(asked_for, wanted),
            other_versions=tuple(versions),
        )


def _fixed(hit: _Hit) -> str | None:
    return hit.fix.fixed if hit.fix else None


def _gaps(pinned: Sequence[Package], checked: Mapping[str, _Checked]) -> Iterator[NotScanned]:
    reported: set[str] = set()
    for package in pinned:
        if package.version not in reported:
            reported.add(package.version)
            what = f"{package.ecosystem} {package.name} {package.version} ({package.lockfile})"
            for reason in checked[package.version].gaps:
                yield NotScanned(what, reason, gap_kinds.NOT_COMPARABLE, package.lockfile)
