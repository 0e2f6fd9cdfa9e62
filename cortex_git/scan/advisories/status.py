"""What the imported advisory database holds and how old it is: what `advisories status` shows."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cortex_git.errors import EnvironmentProblem
from cortex_git.scan.advisories.database import FILE, AdvisoryDatabase
from cortex_git.scan.advisories.digest import Soundness, soundness


@dataclass(frozen=True, slots=True)
class EcosystemStatus:
    """One ecosystem of the database."""

    ecosystem: str
    records: int
    newest: str
    """When its newest record was modified, as the record says (RFC 3339); empty where none says."""
    source: str
    """Where it was imported from, without user info."""
    imported_at: str
    etag: str
    unreadable: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """The imported database; `identity` is None where nothing was imported yet."""

    path: Path
    identity: str | None = None
    imported_at: datetime | None = None
    records: int = 0
    size_bytes: int = 0
    ecosystems: tuple[EcosystemStatus, ...] = ()
    checked: str | None = None
    """`sound`, or `no digest` for an import from before there were any; None where nobody checked."""


def status(data_dir: Path, *, check: bool = False) -> DatabaseStatus:
    """The state of a data folder's database; `check` compares all of it with its digest.

    Raises EnvironmentProblem for a damaged one.
    """
    path = data_dir / FILE
    if not path.exists():
        return DatabaseStatus(path)
    checked = _checked(path) if check else None
    with AdvisoryDatabase.open(path) as database:
        try:
            rows = _rows(path)
        except sqlite3.DatabaseError as error:
            raise EnvironmentProblem(
                f"{path} is damaged ({error})", "run `cortex-git advisories update`"
            ) from None
        return DatabaseStatus(
            path=path,
            identity=database.identity,
            imported_at=database.built_at.astimezone(UTC),
            records=sum(count for count, _ in database.content.values()),
            size_bytes=path.stat().st_size,
            ecosystems=tuple(rows),
            checked=checked,
        )


def _checked(path: Path) -> str:
    try:
        found = soundness(path)
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be read ({error.strerror})", "check its disk") from None
    if found is Soundness.DAMAGED:
        raise EnvironmentProblem(
            f"{path} is damaged: it is not as it was imported",
            "run `cortex-git advisories update`, which imports all of it anew, and check the disk",
        )
    return str(found.value)


def _rows(path: Path) -> list[EcosystemStatus]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    query = (
        "SELECT c.ecosystem, c.records, iif(c.newest LIKE '0001%', '', c.newest),"
        " s.origin, s.imported_at, s.etag, s.unreadable, s.withdrawn"
        " FROM content c JOIN source s ON s.ecosystem = c.ecosystem ORDER BY c.ecosystem"
    )
    try:
        return [EcosystemStatus(*row) for row in connection.execute(query)]
    finally:
        connection.close()
