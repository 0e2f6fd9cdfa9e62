"""Two scans compared, finding by finding: what is new, what is still there, what is fixed.

Must never call something fixed that was not looked for again: that is `not compared`, with the reason.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cortex_git.scan.fingerprints import by_lockfile, fingerprints, name_then, names_now
from cortex_git.scan.hiding import hid_then, may_hide
from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.set_aside import Placed

_STARTER = "starter"
_ABSENT = "its repository is not in this scan"
_ELSEWHERE = f"{_ABSENT}: its name is another folder's here"


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A finding of the earlier scan of which the later one cannot tell."""

    repo: str
    finding: Finding
    reason: str
    folder: str = ""
    """As of the earlier row."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of the findings between two scans."""

    new: tuple[Placed, ...]
    still: tuple[Placed, ...]
    """As the later scan found them."""
    fixed: tuple[Placed, ...]
    """Not found any more where it was looked for again: updated, removed, or the advisory withdrawn."""
    not_compared: tuple[NotCompared, ...]


class Had(NamedTuple):
    """Where the earlier scan had a finding of the later one."""

    anywhere: bool
    """In any of the finding's lockfiles."""
    new_lockfiles: tuple[str, ...]
    """Those of its lockfiles in which it was not: a folder that was added since, or moved."""

    @property
    def known(self) -> bool:
        """Whether it is in no lockfile in which it was not before."""
        return not self.new_lockfiles


class Earlier:
    """The findings of the earlier scan, to be looked up by those of the later one."""

    def __init__(self, rows: Iterable[RepositoryScan]) -> None:
        self._places = [(row, finding) for row in rows for finding in row.findings]
        self._by_print: dict[str, list[int]] = defaultdict(list)
        for number, (row, finding) in enumerate(self._places):
            for mark in fingerprints(name_then(row.repo, row.folder), finding):
                self._by_print[mark].append(number)
        self._met: set[int] = set()

    def had(self, names: Iterable[str], finding: Finding) -> Had:
        """Where it was there, in a repository that goes by any of `names_now`; what it meets is not gone."""
        there: dict[str, bool] = {}
        for name in names:
            for lockfile, marks in by_lockfile(name, finding).items():
                met = {number for mark in marks for number in self._by_print.get(mark, ())}
                self._met |= met
                there[lockfile] = there.get(lockfile, False) or bool(met)
        return Had(any(there.values()), tuple(lockfile for lockfile, was in there.items() if not was))

    def gone(self) -> Iterator[tuple[RepositoryScan, Finding]]:
        """Those that were not met, each with its row of then."""
        for number, place in enumerate(self._places):
            if number not in self._met:
                yield place


def compare(earlier: Sequence[RepositoryScan], later: Sequence[RepositoryScan]) -> Difference:
    """What changed from `earlier` to `later`, in the order of the rows."""
    before = Earlier(earlier)
    new: list[Placed] = []
    still: list[Placed] = []
    for row in later:
        names = names_now(row)
        for finding in row.findings:
            (still if before.had(names, finding).known else new).append(Placed(row.repo, finding))
    fixed, unknown = settle(before, later)
    return Difference(tuple(new), tuple(still), fixed, unknown)


def settle(
    before: Earlier, later: Iterable[RepositoryScan]
) -> tuple[tuple[Placed, ...], tuple[NotCompared, ...]]:
    """Of the findings that were not met, those that are fixed and those of which nobody knows."""
    rows: dict[str, list[RepositoryScan]] = defaultdict(list)
    shown: set[str] = set()
    for row in later:
        shown.add(row.repo)
        for name in names_now(row):
            rows[name].append(row)
    fixed: list[Placed] = []
    unknown: list[NotCompared] = []
    for row, finding in before.gone():
        reasons = [_unsure(now, row, finding) for now in rows.get(name_then(row.repo, row.folder), ())]
        reason = next(filter(None, reasons), None) if reasons else _ABSENT
        if not reasons and row.repo in shown:
            reason = _ELSEWHERE
        if reason:
            unknown.append(NotCompared(row.repo, finding, reason, row.folder))
        else:
            fixed.append(Placed(row.repo, finding))
    return tuple(fixed), tuple(unknown)


def _unsure(now: RepositoryScan, then: RepositoryScan, finding: Finding) -> str | None:
    """Why the later row cannot tell whether the finding is gone; None where it can."""
    if now.status == "failed":
        return "its repository could not be scanned"
    if now.database == _STARTER and then.database not in ("", _STARTER):
        return "only the starter set of advisories was used"
    if now.status == "incomplete" and not now.not_scanned:
        return "its repository was not scanned wholly"
    hiding = (gap for gap in now.not_scanned if may_hide(gap, finding) and not hid_then(gap, then))
    gap = next(hiding, None)
    return None if gap is None else f"not scanned: {gap.what[:200]}: {gap.reason[:200]}"
