"""What a push brings: its refs become commits to compare, and what is new in their lockfiles a verdict.

Owns the verdict. Must never stop a push for something that could not be looked at, unless it was told to, nor
keep silent about it.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cortex_git.errors import CortexError, ExitCode
from cortex_git.gitio import Git, GitFailed, redact
from cortex_git.scan.records import Finding, NotScanned, RepositoryScan
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.services.hooks.repository import Repository
from cortex_git.services.hooks.settings import HookSettings

if TYPE_CHECKING:
    from cortex_git.scan.changed import Brought, ChangedLockfiles
    from cortex_git.scan.set_aside import Suppressed

MOST_TIPS = 100
"""Of one push that are looked at."""
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
STARTER = NotScanned(
    "advisories", "only the starter set of well-known ones was used; run `cortex-git advisories update`"
)


def unlooked(problem: Exception, settings: HookSettings) -> "Verdict":
    """The verdict where nothing could be looked at, be it by a mistake of ours."""
    gaps = (*settings.wrong, NotScanned("all of it", unlooked_reason(problem)))
    return Verdict(not_scanned=gaps, settings=settings)


def unlooked_reason(problem: Exception) -> str:
    """What went wrong, in one clause."""
    ours = isinstance(problem, CortexError | OSError)
    return redact(str(problem) if ours else f"internal error ({type(problem).__name__}: {problem})")


class Update(NamedTuple):
    """One ref of a push: the object that it gets, and the one it has on the remote (None: it is new)."""

    ref: str
    new: str
    old: str | None


@dataclass(frozen=True, slots=True)
class PushedFinding:
    """A finding that the push brings, and the first of its refs that does."""

    ref: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and what comes of it."""

    refs: tuple[str, ...] = ()
    lockfiles: tuple[str, ...] = ()
    """Those that the push changes, and that were looked at."""
    findings: tuple[PushedFinding, ...] = ()
    """The new ones, most severe first."""
    known: int = 0
    """Findings of the same lockfiles that the remote has already."""
    suppressed: int = 0
    """New findings that the ignore file takes out of the count."""
    not_scanned: tuple[NotScanned, ...] = ()
    notes: tuple[str, ...] = ()
    database: str = ""
    settings: HookSettings = field(default_factory=HookSettings)

    @property
    def stopping(self) -> tuple[PushedFinding, ...]:
        """The findings that stop the push."""
        return tuple(one for one in self.findings if one.finding.severity in self.settings.stopping)

    @property
    def code(self) -> int:
        """1: stopped by findings. 3: something was not scanned, and the settings say that it stops."""
        if self.stopping:
            return ExitCode.FINDINGS
        stopped = self.not_scanned and self.settings.incomplete == "block"
        return ExitCode.ENVIRONMENT if stopped else ExitCode.OK

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "refs": list(self.refs),
            "lockfiles": list(self.lockfiles),
            "findings": [{"ref": one.ref, **asdict(one.finding)} for one in self.findings],
            "known": self.known,
            "suppressed": self.suppressed,
            "not_scanned": [asdict(gap) for gap in self.not_scanned],
            "notes": list(self.notes),
            "database": self.database,
            "fail_on": self.settings.fail_on or "never",
            "incomplete": self.settings.incomplete,
            "stopped": self.code != ExitCode.OK,
        }


def parse_updates(text: str) -> list[Update]:
    """The lines that git gives a pre-push hook; deletions are left out. One of another form has no object."""
    updates = []
    for line in text.split("\n"):  # and at nothing else: a name may have what else ends a line in Unicode
        fields = line.rsplit(" ", 3)
        if len(fields) < 4 or not _OBJECT.fullmatch(fields[1]):
            updates += [Update(line, "", None)] if line.strip() else []
        elif fields[1].strip("0"):
            old = fields[3] if _OBJECT.fullmatch(fields[3]) and fields[3].strip("0") else None
            updates.append(Update(fields[2], fields[1], old))
    return updates


def check_push(
    repository: Repository, settings: HookSettings, remote: str, updates: Sequence[Update]
) -> Verdict:
    """What the push brings that the remote does not have. Raises nothing but BadInput of the settings."""
    gaps: list[NotScanned] = []
    asked = list({(update.new, update.old): update for update in reversed(updates)}.values())[::-1]
    if len(asked) > MOST_TIPS:
        gaps.append(NotScanned(f"{len(asked) - MOST_TIPS:,} more refs", f"the limit is {MOST_TIPS}"))
    wanted: dict[tuple[str, tuple[str, ...]], str] = {}
    for update in asked[:MOST_TIPS]:
        commit = _commit(repository.git, update.new)
        if commit is None:
            gaps.append(NotScanned(update.ref, "it is no commit, so its files were not looked at"))
        else:
            wanted.setdefault((commit, _bases(repository.git, commit, update, remote)), update.ref)

    def look(changed: "ChangedLockfiles") -> "Iterable[tuple[str, Brought]]":
        return ((ref, changed.of_commit(commit, bases)) for (commit, bases), ref in wanted.items())

    return _verdict(repository, settings, tuple(update.ref for update in updates), look, gaps)


def check_files(repository: Repository, settings: HookSettings, paths: Sequence[str]) -> Verdict:
    """What staged lockfiles bring against HEAD; one that is as it is there counts in full."""
    from cortex_git.scan.lockfiles import kind_of

    staged = repository.staged_entries()
    head = _commit(repository.git, "HEAD")
    lockfiles = [path for path in dict.fromkeys(repository.from_top(paths)) if kind_of(path)]
    gaps = [NotScanned(path, "it is not staged as a file") for path in lockfiles if path not in staged]

    def look(changed: "ChangedLockfiles") -> "Iterable[tuple[str, Brought]]":
        return [("", changed.of_files(staged, [path for path in lockfiles if path in staged], head))]

    return _verdict(repository, settings, (), look, gaps)


def _verdict(
    repository: Repository,
    settings: HookSettings,
    refs: tuple[str, ...],
    look: Callable[["ChangedLockfiles"], "Iterable[tuple[str, Brought]]"],
    gaps: Sequence[NotScanned],
) -> Verdict:
    from cortex_git.config import cache_folder, data_folder
    from cortex_git.scan.advisories.database import open_default, open_starter
    from cortex_git.scan.cache import ScanCache
    from cortex_git.scan.changed import ChangedLockfiles

    gaps = [*settings.wrong, *gaps]
    verdict = Verdict(refs=refs, not_scanned=tuple(gaps), settings=settings)
    try:
        with open_default(data_folder()) or open_starter(cache_folder()) as database:
            if database.name == "starter":
                gaps = [*gaps, STARTER]
            changed = ChangedLockfiles(repository.folder, database, ScanCache(cache_folder()))
            brought = list(look(changed))
            description = database.description()
    except CortexError as problem:
        return replace(verdict, not_scanned=(*gaps, NotScanned("the lockfiles", str(problem))))
    found: dict[tuple[str, str, str, str, str], PushedFinding] = {}
    for ref, one in brought:
        for finding in one.findings:
            key = (finding.id, finding.ecosystem, finding.package, finding.version, finding.lockfile)
            found.setdefault(key, PushedFinding(ref, finding))
    kept, suppressed, notes = _without_ignored(repository, settings, list(found.values()))
    return replace(
        verdict,
        lockfiles=tuple(dict.fromkeys(path for _, one in brought for path in one.lockfiles)),
        findings=tuple(sorted(kept, key=_order)),
        known=sum(one.known for _, one in brought),
        suppressed=len(suppressed),
        not_scanned=tuple(dict.fromkeys((*gaps, *(gap for _, one in brought for gap in one.not_scanned)))),
        notes=notes,
        database=description,
    )


def _order(one: PushedFinding) -> tuple[int, str, str, str]:
    from cortex_git.scan.records import SEVERITIES

    finding = one.finding
    return SEVERITIES.index(finding.severity), finding.lockfile, finding.package, finding.id


def _without_ignored(
    repository: Repository, settings: HookSettings, found: Sequence[PushedFinding]
) -> "tuple[list[PushedFinding], tuple[Suppressed, ...], tuple[str, ...]]":
    """What the ignore file leaves, and what it says of itself. Raises BadInput for a file that is wrong."""
    if settings.ignore_file is None:
        return list(found), (), ()
    from cortex_git.scan.suppressing.applying import suppress
    from cortex_git.scan.suppressing.ignore_file import read_ignore_file
    from cortex_git.services.clocks import today

    statements = read_ignore_file(repository.top / Path(settings.ignore_file).expanduser())
    row = RepositoryScan(str(repository.top), "scanned", findings=tuple(one.finding for one in found))
    report = ScanReport("", (row,), BatchTiming(0, 0, 0, 0, 1, "sequential"), "")
    told = suppress(report, statements, (), today()[0])
    [left] = told.repositories
    kept = set(left.findings)
    expired = tuple(note for note in told.notes if "expired" in note)
    return [one for one in found if one.finding in kept], told.suppressed, expired


def _commit(git: Git, name: str) -> str | None:
    done = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False)
    return done.text.strip() or None if done.status == 0 else None


def _bases(git: Git, commit: str, update: Update, remote: str) -> tuple[str, ...]:
    """What the remote has of it: the ref's own commit there, and where its other branches meet this one."""
    named = [old for old in (update.old and _commit(git, update.old),) if old]
    command = ["rev-list", "--boundary", commit, *(f"^{old}" for old in named)]
    try:
        out = git.text(*command, "--not", f"--remotes={remote}") if remote else git.text(*command)
    except GitFailed:
        return tuple(named)
    return tuple(dict.fromkeys([*named, *(line[1:] for line in out.splitlines() if line.startswith("-"))]))
