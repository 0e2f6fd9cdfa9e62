"""Importing OSV dumps: gather, build aside, replace. What `advisories update` calls.

Must never leave a half-built database where readers look: an error leaves the old one as it was.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.flocks import try_lock
from cortex_git.scan.advisories import archive, download
from cortex_git.scan.advisories.archive import Limits
from cortex_git.scan.advisories.build import NO_ECOSYSTEM, DatabaseBuilder, Tally
from cortex_git.scan.advisories.database import FILE, AdvisoryDatabase
from cortex_git.scan.advisories.digest import Soundness, soundness
from cortex_git.scan.advisories.inputs import Archive, Gathered, Progress, gather
from cortex_git.scan.advisories.osv import BadRecord, read
from cortex_git.scan.names import chosen

LOCK_WAIT_S = 900.0
_PROGRESS_RECORDS = 500


class NoAdvisories(BadInput):
    """An archive that is whole and holds no record that is wanted."""


@dataclass(frozen=True, slots=True)
class _Built:
    imported: dict[str, int]
    """Records by ecosystem."""
    empty: tuple[str, ...]
    """Ecosystems whose archive holds nothing."""


@dataclass(frozen=True, slots=True)
class UpdateSummary:
    """What an update did."""

    path: Path
    imported: dict[str, int]
    """Records imported now, by ecosystem."""
    unchanged: tuple[str, ...]
    """Ecosystems whose dump is the one already imported."""
    missing: tuple[str, ...]
    """Ecosystems that the source does not have; what was imported of them before is kept."""
    unreadable: int
    """Files in the dumps that are no OSV record; the scan cannot know what they were about."""
    withdrawn: int
    """Records left out because their database withdrew them."""
    records: int
    """Records in the database now."""
    duration_s: float
    was_damaged: bool = False
    """The old database was not as it had been imported, so nothing of it was kept."""


def update(
    data_dir: Path,
    source: str | Path | None,
    ecosystems: Sequence[str] | None,
    progress: Progress,
    limits: Limits | None = None,
) -> UpdateSummary:
    """Import advisories into the database of `data_dir`, keeping the ecosystems that are not imported.

    `source`: an http(s) address or a folder in the layout of the OSV dumps, or a ZIP (nested or flat,
    file or address); None for the public dump. `progress` gets bytes under `download …` and records
    under `import …`. Raises BadInput and EnvironmentProblem; the old database then stays.
    """
    wanted = chosen(list(ecosystems or ()))
    target = data_dir / FILE
    try:
        with _only_one(target):
            return _update(target, source, wanted, progress, limits or Limits())
    except (OSError, sqlite3.Error) as error:
        raise EnvironmentProblem(
            f"cannot write the advisory database {target} ({error})",
            "check the folder and its disk",
        ) from None


def _update(
    target: Path, source: str | Path | None, wanted: list[str], progress: Progress, limits: Limits
) -> UpdateSummary:
    begun = time.monotonic()
    for stale in target.parent.glob(f"{target.name}.*.tmp"):
        stale.unlink(missing_ok=True)
    damaged = target.exists() and soundness(target) is Soundness.DAMAGED
    carried = _known(target)
    if damaged:
        _refuse_loss(target, carried, wanted)
        carried = {}
    gathered = gather(source, wanted, target.parent / "downloads", carried, limits, progress)
    tally, built = Tally(), _Built({}, ())
    if gathered.archives:
        built = _build(
            target, gathered, frozenset(wanted) or None, limits, tally, progress, carry=bool(carried)
        )
    for item in gathered.archives:
        if item.downloaded:
            download.discard(item.path)
    with AdvisoryDatabase.open(target) as database:
        records = sum(count for count, _ in database.content.values())
    return UpdateSummary(
        path=target,
        imported=built.imported,
        unchanged=gathered.unchanged,
        missing=gathered.missing + built.empty,
        unreadable=tally.unreadable,
        withdrawn=sum(tally.withdrawn.values()),
        records=records,
        duration_s=time.monotonic() - begun,
        was_damaged=damaged,
    )


def _refuse_loss(target: Path, held: Iterable[str], wanted: Sequence[str]) -> None:
    """Raises EnvironmentProblem where a damaged database has ecosystems that would not be imported anew."""
    lost = sorted({name for name in held if name} - set(wanted)) if wanted else []
    if lost:
        raise EnvironmentProblem(
            f"{target} is damaged, and its advisories for {lost[0]} cannot be kept",
            "run `cortex-git advisories update` without --ecosystem",
        )


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Let one update run at a time; another one waits for it, up to 15 minutes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(target.with_name("update.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_WAIT_S
    try:
        while not try_lock(lock):
            if time.monotonic() > deadline:
                raise EnvironmentProblem("another advisories update is still running")
            time.sleep(0.1)
        yield
    finally:
        os.close(lock)


def _known(target: Path) -> dict[str, tuple[str, str]]:
    """Origin and ETag of each ecosystem held; empty where the old database can't be carried over."""
    try:
        AdvisoryDatabase.open(target).close()
        connection = sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro", uri=True)
    except EnvironmentProblem:
        return {}
    try:
        rows = connection.execute("SELECT ecosystem, origin, etag FROM source").fetchall()
    except sqlite3.DatabaseError:
        return {}
    finally:
        connection.close()
    return {ecosystem: (origin, etag) for ecosystem, origin, etag in rows}


def _build(
    target: Path,
    gathered: Gathered,
    wanted: frozenset[str] | None,
    limits: Limits,
    total: Tally,
    progress: Progress,
    *,
    carry: bool,
) -> _Built:
    """Build the new database and put it in place.

    An archive that holds nothing is an error only where its ecosystem was asked for, or where no other
    holds anything: some small ecosystems of OSV's list have no advisories yet.
    """
    imported: dict[str, int] = {}
    empty: list[str] = []
    with DatabaseBuilder(target, "osv") as builder:
        replaced: set[str] = set()
        for item in gathered.archives:
            try:
                tally = _import(builder, item, wanted, limits, progress)
            except NoAdvisories:
                empty.append(item.ecosystem or NO_ECOSYSTEM)
                useless = len(empty) == len(gathered.archives) and not gathered.unchanged
                if wanted or item.ecosystem is None or useless:
                    raise
                continue
            imported |= tally.records
            replaced |= set(tally.records) | ({NO_ECOSYSTEM} if item.ecosystem is None else set())
            total.unreadable += tally.unreadable
            for ecosystem, count in tally.withdrawn.items():
                total.withdrawn[ecosystem] = total.withdrawn.get(ecosystem, 0) + count
        if imported:
            if carry:
                builder.copy_from(target, replaced)
            builder.finish()
    return _Built(imported, tuple(empty))


def _import(
    builder: DatabaseBuilder, item: Archive, wanted: frozenset[str] | None, limits: Limits, progress: Progress
) -> Tally:
    """Store one archive's records. Raises BadInput, and drops a bad download, when there is nothing in it."""
    only = frozenset({item.ecosystem}) if item.ecosystem else wanted
    tally = Tally()
    label = f"import {item.ecosystem or item.path.name}"
    try:
        for count, raw in enumerate(archive.records(item.path, limits), start=1):
            try:
                builder.add(read(raw or b""), only, tally)
            except BadRecord:
                tally.unreadable += 1
            if count % _PROGRESS_RECORDS == 0:
                progress(label, count, None)
        lacking = sorted((only or frozenset()) - set(tally.records))
        if lacking or not tally.records:
            about = f" for {lacking[0]}" if lacking else ""
            problem = BadInput if tally.unreadable else NoAdvisories
            raise problem(f"{item.origin} holds no advisories{about}", "it is not imported")
    except BadInput:
        if item.downloaded:
            download.discard(item.path)
        raise
    sources = dict.fromkeys(tally.records, 0) | {item.ecosystem or NO_ECOSYSTEM: tally.unreadable}
    for name, unreadable in sources.items():
        builder.add_source(name, item.origin, item.etag, unreadable, tally.withdrawn.get(name, 0))
    return tally
