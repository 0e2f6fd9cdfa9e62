"""Joins what several scanners found: one finding a vulnerability, with who found it and who did not.

Owns what counts as the same vulnerability: the same package in the same lockfile, and one name in common,
also through names that a third scanner has in common with both.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cortex_git.scan.lockfiles import FORMATS, kind_of
from cortex_git.scan.names import lookup_name
from cortex_git.scan.others.programs import OWN
from cortex_git.scan.others.seen import Answer, Seen
from cortex_git.scan.records import SEVERITIES, Finding, Package

Place = tuple[str, str]
"""An ecosystem, and a package's name as advisories know it."""


def voted(
    findings: Sequence[Finding], packages: Sequence[Package], answers: Sequence[Answer]
) -> tuple[Finding, ...]:
    """The findings of all scanners, each with `found_by` and `missed_by`; most severe first."""
    if not answers:
        return tuple(findings)
    groups = [_Group({finding.id, *finding.aliases}, finding) for finding in findings]
    by_place: dict[Place, list[_Group]] = defaultdict(list)
    for group in groups:
        assert group.own is not None  # noqa: S101  (made of one just above)
        by_place[_place_of(group.own)].append(group)
    for answer in answers:
        for seen in answer.seen:
            place = _place(seen.lockfile, seen.package)
            if place is not None:
                _add(by_place[place], answer.scanner, seen)
    pinned: dict[Place, list[Package]] = defaultdict(list)
    for package in packages:
        pinned[package.ecosystem, lookup_name(package.ecosystem, package.name)].append(package)
    voices = [_Voice(answer) for answer in answers]
    made = [group.finding(place, pinned[place], voices) for place, some in by_place.items() for group in some]
    made.sort(key=_order)
    return tuple(made)


class _Group:
    """One vulnerability of one package: what ours says of it, and each other scanner's word."""

    def __init__(self, ids: set[str], own: Finding | None = None) -> None:
        self.ids = ids
        self.own = own
        self.seen: list[tuple[str, Seen]] = []

    def join(self, other: "_Group") -> None:
        self.ids |= other.ids
        self.own = self.own or other.own
        self.seen += other.seen

    def finding(self, place: Place, pinned: Sequence[Package], voices: Sequence["_Voice"]) -> Finding:
        """As a finding of the report."""
        base = self.own or self._theirs(place, pinned)
        found = {name for name, _ in self.seen} | ({OWN} if self.own else set())
        where = {base.lockfile, *base.other_lockfiles}
        read = {voice.scanner for voice in voices if voice.has_seen(place, where)} | {OWN}
        aliases = sorted((self.ids | set(base.aliases)) - {base.id})
        return replace(
            base,
            aliases=tuple(aliases),
            found_by=tuple(sorted(found)),
            missed_by=tuple(sorted(read - found)),
        )

    def _theirs(self, place: Place, pinned: Sequence[Package]) -> Finding:
        """A finding that ours did not make."""
        first = self.seen[0][1]
        some = [one for one in pinned if one.lockfile == first.lockfile]
        mine = next((one for one in some if first.version in (None, one.version)), None)
        others = dict.fromkeys(seen.lockfile for _, seen in self.seen if seen.lockfile != first.lockfile)
        scores = [seen.score for _, seen in self.seen if seen.score is not None]
        return Finding(
            id=_shown(self.ids),
            aliases=(),
            severity=min((seen.severity for _, seen in self.seen), key=SEVERITIES.index),
            score=max(scores, default=None),
            ecosystem=place[0],
            package=mine.name if mine else first.package,
            version=first.version or (mine.version if mine else ""),
            fixed=next((seen.fixed for _, seen in self.seen if seen.fixed), None),
            lockfile=first.lockfile,
            line=mine.line if mine else None,
            summary=next((seen.summary for _, seen in self.seen if seen.summary), ""),
            other_lockfiles=tuple(others),
            direct=mine.direct if mine else None,
            dev=mine.dev if mine else None,
            via=mine.via if mine else (),
        )


class _Voice:
    """What one scanner's silence may be taken for a word about."""

    def __init__(self, answer: Answer) -> None:
        self.scanner = answer.scanner
        self._read = answer.read
        self._saw: set[tuple[str, Place]] | None = None
        if answer.looked is not None:
            named = [(one.lockfile, name) for one in answer.looked for name in one.packages]
            self._saw = {(path, place) for path, name in named if (place := _place(path, name))}

    def has_seen(self, place: Place, lockfiles: set[str]) -> bool:
        """Whether it saw the package in one of the lockfiles; where it does not say, whether it read one."""
        read = lockfiles & self._read
        return bool(read) if self._saw is None else any((path, place) in self._saw for path in read)


def _add(groups: list[_Group], scanner: str, seen: Seen) -> None:
    """Count a scanner's word, for the group it shares a name with; groups that it connects become one."""
    fresh = _Group(set(seen.ids))
    fresh.seen.append((scanner, seen))
    same = [group for group in groups if group.ids & fresh.ids]
    if not same:
        groups.append(fresh)
        return
    first, *others = same
    first.join(fresh)
    for other in others:
        if first.own is None or other.own is None:  # two of ours are two, whatever another scanner says
            first.join(other)
            groups.remove(other)


def _place(lockfile: str, package: str) -> Place | None:
    form = FORMATS.get(kind_of(lockfile) or "")
    return None if form is None else (form.ecosystem, lookup_name(form.ecosystem, package))


def _place_of(finding: Finding) -> Place:
    return finding.ecosystem, lookup_name(finding.ecosystem, finding.package)


def _shown(ids: Iterable[str]) -> str:
    """The CVE where there is one, else the GHSA, else any."""
    return min(ids, key=lambda name: (not name.startswith("CVE-"), not name.startswith("GHSA-"), name))


def _order(finding: Finding) -> tuple[int, float, str, str, str]:
    rank = SEVERITIES.index(finding.severity)
    return rank, -(finding.score or 0.0), finding.ecosystem, finding.package, finding.id
