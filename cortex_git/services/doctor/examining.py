"""Making all checks, mending what they found, and looking again: only what is gone then counts as mended.

Owns that no check's own failure ends the examination, and the order of looking and mending.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortex_git.errors import CortexError
from cortex_git.locating import located
from cortex_git.services.doctor.checks import AREAS, CHECKS, REMOTE, Check
from cortex_git.services.doctor.findings import Finding, NothingYet, NotLooked, Severity, note, ok, warning
from cortex_git.services.doctor.patient import Patient

_ROUNDS = 4
"""Looks after mending: what is mended may let further checks be made."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding of a check; `fixed` is None where nobody tried."""

    check: Check
    finding: Finding
    fixed: bool | None = None
    looked: bool = True
    """False where the check could not be made, and the finding says why."""

    @property
    def key(self) -> tuple[str, str]:
        return self.check.id, self.finding.where

    @property
    def severity(self) -> Severity:
        return self.finding.severity

    @property
    def stands(self) -> bool:
        return not self.fixed

    def to_json(self) -> dict[str, Any]:
        finding = self.finding
        return {
            "id": self.check.id,
            "area": self.check.area,
            "severity": finding.severity.value,
            "summary": finding.summary,
            "where": finding.where or None,
            "why": finding.why or None,
            "what_to_do": finding.advice or None,
            "fixable": finding.mend is not None or bool(self.fixed),
            "fixed": self.fixed,
        }


@dataclass
class Examination:
    """What was found, and what was done about it."""

    folder: Path | None
    entries: list[Entry]
    deeds: list[str] = field(default_factory=list)
    """What `--fix` did, or would do."""
    failures: list[str] = field(default_factory=list)
    """What it could not do, and why."""

    def count(self, severity: Severity) -> int:
        """Findings of that severity that stand."""
        return sum(entry.severity is severity and entry.stands for entry in self.entries)

    def to_json(self) -> dict[str, Any]:
        """The document of `doctor --format json`, without its schema number."""
        return {
            "repository": str(self.folder) if self.folder else None,
            "checks": [entry.to_json() for entry in self.entries],
            "problems": self.count(Severity.PROBLEM),
            "warnings": self.count(Severity.WARNING),
            "deeds": self.deeds,
            "failures": self.failures,
        }


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be examined, and how."""

    folder: Path | None
    offline: bool = False
    deep: bool = False
    say: Callable[[str], None] = lambda _: None

    @classmethod
    def of(cls, explicit: Path | None, *, offline: bool, deep: bool, say: Callable[[str], None]) -> "Request":
        """The repository that a command means, or none."""
        folder = located(explicit)
        return cls(folder.absolute() if folder else None, offline, deep, say)

    def patient(self, before: Patient | None = None) -> Patient:
        """To be looked at anew, but for what trying the remote out found before."""
        made = Patient(self.folder, offline=self.offline, deep=self.deep, say=self.say)
        if before is not None:
            made.tried = before.tried
        return made


def examine(request: Request) -> Examination:
    """Make every check once, and mend nothing."""
    return Examination(request.folder, _look(request.patient()))


def treat(request: Request) -> Examination:
    """Make every check, mend what can be mended, and look again."""
    patient = request.patient()
    entries = first = _look(patient)
    done = Examination(request.folder, entries)
    tried: dict[tuple[str, str], Entry] = {}
    for _ in range(_ROUNDS):
        todo = [entry for entry in entries if entry.finding.mend and entry.key not in tried]
        if not todo:
            break
        for entry in todo:
            tried[entry.key] = entry
            _mend(entry, done)
        patient = request.patient(patient)
        entries = _look(patient)
    done.entries = list(_settled(entries, [*first, *tried.values()], set(tried)))
    return done


def plan(request: Request) -> Examination:
    """Make every check once, and say what would be mended."""
    found = examine(request)
    found.deeds = [entry.finding.mend.intent for entry in found.entries if entry.finding.mend]
    return found


def _look(patient: Patient) -> list[Entry]:
    return [entry for check in CHECKS for entry in made(check, patient)]


def made(check: Check, patient: Patient) -> Iterator[Entry]:
    """What the check says. Whatever happens in it ends it alone."""
    if patient.is_outside and not check.anywhere:
        return
    if patient.offline and check.area == REMOTE:
        return
    try:
        for finding in check.run(patient):
            yield Entry(check, finding)
    except NothingYet as reason:
        yield Entry(check, ok(str(reason)))
    except NotLooked as reason:
        yield Entry(check, note(f"not looked at: {reason}"), looked=False)
    except (CortexError, OSError, sqlite3.Error) as error:
        why = "it needs something that other findings speak of, or that changed meanwhile"
        yield Entry(check, warning(f"this could not be looked at: {error}", why=why), looked=False)
    except Exception as error:  # a fault of ours in one check must not hide what the others find
        text = f"this check failed: {type(error).__name__}: {error}"
        yield Entry(check, warning(text, why="a fault of cortex-git: please report it"), looked=False)


def _mend(entry: Entry, done: Examination) -> None:
    mend = entry.finding.mend
    if mend is None:
        return
    try:
        done.deeds.append(mend.run())
    except NotLooked as reason:
        done.failures.append(f"{mend.intent}: {reason}")
    except (CortexError, OSError, sqlite3.Error) as error:
        done.failures.append(f"{mend.intent}: {error}")


def _settled(now: Sequence[Entry], before: Iterable[Entry], tried: set[tuple[str, str]]) -> Iterator[Entry]:
    """The entries as they stand, those that were mended among them."""
    stand = {entry.key for entry in now if entry.severity is not Severity.OK}
    unseen = {entry.check.id for entry in now if not entry.looked}
    mended = {
        entry.key: entry
        for entry in before
        if entry.key in tried and entry.key not in stand and entry.check.id not in unseen
    }
    names = {key[0] for key in mended}
    places = {check.id: number for number, check in enumerate(CHECKS)}
    found = [Entry(e.check, e.finding, True) for e in mended.values()]
    for entry in now:
        if entry.severity is Severity.OK and entry.check.id in names:
            continue
        found.append(Entry(entry.check, entry.finding, False if entry.key in tried else None, entry.looked))
    yield from sorted(found, key=lambda entry: (AREAS.index(entry.check.area), places[entry.check.id]))
