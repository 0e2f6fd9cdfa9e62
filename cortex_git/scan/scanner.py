"""Scans one repository: opens it, reads its lockfiles, matches the packages, and makes its row.

Must never raise for anything that a repository does, and never call one scanned while a part of it was
not: that is an `incomplete` row which names the part.
"""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cortex_git.errors import CortexError, EnvironmentProblem
from cortex_git.gitio import redact
from cortex_git.scan import gap_kinds
from cortex_git.scan.cache import ScanCache, match_key
from cortex_git.scan.direct_only import open_list_gaps
from cortex_git.scan.lockfiles import kind_of, manifest_without_lock, unread_lockfiles
from cortex_git.scan.marks import row_mark
from cortex_git.scan.matching import MatchResult, match
from cortex_git.scan.names import lookup_name
from cortex_git.scan.packages import PackageReader
from cortex_git.scan.reading import HostGate, Limits, NoCommit, OutOfTime, Snapshot, open_repository
from cortex_git.scan.records import NotScanned, Package, RepositoryScan, SecretFound
from cortex_git.scan.secrets_in_files import SecretsRead, secrets_in
from cortex_git.scan.secrets_in_files import mark as secrets_mark
from cortex_git.scan.secrets_looked import SecretsLooked
from cortex_git.scan.sources import Credentials, Source

if TYPE_CHECKING:
    from cortex_git.scan.advisories.database import AdvisoryDatabase
    from cortex_git.scan.others.programs import Chosen
    from cortex_git.scan.others.seen import Answer

WHOLE = "the repository"
_WARMING = ("billing-service", "edge-proxy", "metrics-agent", "payments-api")
"""Samples with the most usual kinds of lockfiles."""


class _Read(NamedTuple):
    commit: str
    packages: tuple[Package, ...]
    not_scanned: tuple[NotScanned, ...]
    answers: tuple["Answer", ...] = ()
    """Of the other scanners that were asked for."""
    secrets: tuple[SecretFound, ...] = ()
    secrets_looked: SecretsLooked | None = None


def scan_repository(
    source: Source,
    *,
    database: "AdvisoryDatabase",
    cache: ScanCache | None = None,
    credentials: Credentials | None = None,
    limits: Limits | None = None,
    gate: HostGate | None = None,
    others: Sequence["Chosen"] = (),
    secrets: bool = False,
) -> RepositoryScan:
    """The row of one repository: scanned, incomplete or failed, with its duration in seconds.

    `others`: scanners whose findings are joined to ours; such a row has no mark, as theirs change unseen.
    `secrets`: look through its files for keys and passwords, too.
    A folder that is not a repository is scanned as it lies there, and has no commit.
    """
    started = time.monotonic()
    cache = cache or ScanCache(None)
    read, result, error = _Read("", (), ()), MatchResult((), ()), None
    try:
        read = _read(source, cache, credentials or Credentials(), limits or Limits(), gate, others, secrets)
        result = _match(database, read.packages, cache)
        if read.answers:
            from cortex_git.scan.others.voting import voted

            findings = voted(result.findings, read.packages, read.answers)
            result = MatchResult(findings, result.not_scanned)
        cache.save()
    except NoCommit as problem:
        read = _Read("", (), (NotScanned(WHOLE, problem.message, gap_kinds.NO_COMMIT),))
    except OutOfTime as problem:
        error = f"{source.repo} {problem}"
    except CortexError as problem:
        error = str(problem)
    except Exception as problem:
        # A mistake of ours that one repository provokes must be seen, and cost only its row.
        error = f"internal error ({type(problem).__name__}: {problem})"
    not_scanned = tuple(dict.fromkeys(read.not_scanned + result.not_scanned))
    return RepositoryScan(
        repo=source.repo,
        status="failed" if error else "incomplete" if not_scanned else "scanned",
        commit=read.commit or None,
        packages=_count(read.packages),
        error=redact(error) if error else None,
        duration_s=time.monotonic() - started,
        findings=result.findings,
        not_scanned=not_scanned,
        database=_named(database),
        mark="" if others else row_mark(database.identity, limits, secrets=secrets_mark() if secrets else ""),
        secrets=read.secrets,
        secrets_looked=read.secrets_looked,
    )


def _count(packages: Iterable[Package]) -> int:
    """How many packages there are, whichever files pin them and in whatever spelling."""
    return len({(p.ecosystem, lookup_name(p.ecosystem, p.name), p.version) for p in packages})


def _read(
    source: Source,
    cache: ScanCache,
    credentials: Credentials,
    limits: Limits,
    gate: HostGate | None,
    others: Sequence["Chosen"],
    secrets: bool,
) -> _Read:
    with open_repository(source, credentials, limits, gate) as snapshot:
        lockfiles = sorted(path for path in snapshot.entries if kind_of(path))
        reader = PackageReader(snapshot, cache)
        try:
            reader.read(lockfiles[: limits.lockfiles])
        except OutOfTime as problem:
            snapshot.skip("the lockfiles not read by then", f"the repository {problem}", gap_kinds.LIMIT)
        packages = reader.packages()
        gaps = [*_without_lockfiles(snapshot, lockfiles), *snapshot.not_scanned, *snapshot.submodules]
        gaps += open_list_gaps(reader.open_lists(), packages)
        if len(lockfiles) > limits.lockfiles:
            over = len(lockfiles) - limits.lockfiles
            reason = f"the limit is {limits.lockfiles:,}"
            gaps.append(NotScanned(f"{over:,} more lockfiles", reason, gap_kinds.LIMIT))
        answers: tuple[Answer, ...] = ()
        if others:
            from cortex_git.scan.others.running import ask

            pinned = {package.lockfile for package in packages}
            asked = ask(snapshot, lockfiles[: limits.lockfiles], others, pinned)
            answers, gaps = asked.answers, [*gaps, *map(_of_another, asked.gaps)]
        looked = SecretsRead()
        if secrets:
            looked = secrets_in(snapshot, cache)
            gaps += (replace(gap, kind=gap_kinds.SECRETS, path=None) for gap in looked.not_scanned)
        return _Read(snapshot.commit, packages, tuple(gaps), answers, looked.found, looked.looked)


def _without_lockfiles(snapshot: Snapshot, lockfiles: list[str]) -> Iterable[NotScanned]:
    manifests = [*manifest_without_lock(snapshot.entries), *unread_lockfiles(snapshot.entries)]
    if lockfiles:
        return manifests
    nothing = "no lockfile found" if manifests else "no lockfile or manifest found"
    return [NotScanned(WHOLE, nothing, gap_kinds.NOTHING_FOUND), *manifests]


def _of_another(gap: NotScanned) -> NotScanned:
    """A gap of another scanner; what could not be read for it has its kind already."""
    return replace(gap, kind=gap_kinds.OTHER_SCANNER) if gap.kind == gap_kinds.OTHER else gap


def _match(database: "AdvisoryDatabase", packages: tuple[Package, ...], cache: ScanCache) -> MatchResult:
    key = match_key(database.identity, packages)
    known = cache.matched(key)
    if known is None:
        try:
            known = match(database, packages)
        except sqlite3.DatabaseError as problem:
            raise EnvironmentProblem(
                f"the advisory database cannot be read ({problem})", "run `cortex-git advisories update`"
            ) from None
        cache.remember_match(key, known)
    return known


def _named(database: "AdvisoryDatabase") -> str:
    if database.name == "starter":
        return database.name
    return f"{database.name} {database.built_at:%Y-%m-%d}"


def warm_up() -> None:
    """Read a few sample repositories, some 5 ms: whoever is forked from here then shares what the first use
    of code and patterns makes of them, about a megabyte that each worker had for itself."""
    samples = Path(__file__).with_name("samples")
    for name in _WARMING:
        with suppress(CortexError, OutOfTime):
            source = Source(name, str(samples / name))
            _read(source, ScanCache(None), Credentials(), Limits(), None, (), False)


def open_cache(cache_dir: Path | None) -> ScanCache:
    """The cache in the user's cache folder, or one that remembers nothing."""
    return ScanCache(cache_dir)
