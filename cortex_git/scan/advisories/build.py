"""Building an advisory database aside, and putting it in place in one step.

Owns all writing to the database. Must never change a database that somebody may be reading: the new one
is a file of its own until it is complete and synced, then it replaces the old name.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from cortex_git.scan.advisories import digest
from cortex_git.scan.advisories.grouping import write_vulnerabilities
from cortex_git.scan.advisories.osv import Advisory
from cortex_git.scan.advisories.ranges import encode
from cortex_git.scan.advisories.schema import INDEX, LAYOUT, TABLES

NO_ECOSYSTEM = ""
"""Where records without a package of ours are kept."""
STARTER = "starter"

_COPIED = {
    "source": "*",
    "advisory": "number #, ecosystem, id, same_as, modified, severity, score, basis, summary, 0",
    "affected": "ecosystem, name, advisory #, intervals, versions, gap",
}
"""Tables taken over from an older database; `#` stands for the shift of the advisory numbers."""
_COUNT = """
INSERT INTO content SELECT f.ecosystem, count(DISTINCT a.number), max(a.modified)
FROM affected f JOIN advisory a ON a.number = f.advisory GROUP BY f.ecosystem
"""
_IDENTITY_QUERIES = (
    "SELECT ecosystem, id, same_as, modified, severity, score, summary FROM advisory ORDER BY ecosystem, id",
    "SELECT f.ecosystem, f.name, a.id, f.intervals, f.versions, f.gap FROM affected f"
    " JOIN advisory a ON a.number = f.advisory ORDER BY 1, 2, 3, 4, 5",
)


@dataclass(slots=True)
class Tally:
    """What one import brought, per ecosystem: records kept, records withdrawn, and files unreadable."""

    records: dict[str, int] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0


class DatabaseBuilder:
    """Writes a new database beside `target`; `finish` puts it in place, leaving without it drops it."""

    def __init__(self, target: Path, name: str) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._target = target
        self._name = name
        self._path = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        self._path.unlink(missing_ok=True)
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;" + TABLES + "BEGIN;"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._path.unlink(missing_ok=True)

    def add(self, advisory: Advisory, ecosystems: frozenset[str] | None, tally: Tally) -> None:
        """Store an advisory: its packages of `ecosystems`, or of every ecosystem when that is None.

        One without packages of ours is kept for its severity, which its aliases may lack. Of two with
        one id, the one modified last stays.
        """
        found = {affected.ecosystem for affected in advisory.affected}
        wanted = found if ecosystems is None else found & ecosystems
        alone = next(iter(ecosystems)) if ecosystems and len(ecosystems) == 1 else NO_ECOSYSTEM
        if advisory.withdrawn:
            tally.withdrawn[alone] = tally.withdrawn.get(alone, 0) + 1
        elif not found and advisory.rating.basis:
            self._store(advisory, NO_ECOSYSTEM)
        for ecosystem in sorted(wanted):
            if self._store(advisory, ecosystem):
                tally.records[ecosystem] = tally.records.get(ecosystem, 0) + 1

    def add_source(self, ecosystem: str, origin: str, etag: str, unreadable: int, withdrawn: int) -> None:
        """Say where an ecosystem's records came from (user info already stripped from `origin`)."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._connection.execute(
            "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?, ?, ?)",
            (ecosystem, origin, etag, now, unreadable, withdrawn),
        )

    def copy_from(self, old: Path, without: Iterable[str]) -> None:
        """Take over everything of an older database of the same layout but the ecosystems `without`."""
        connection = self._connection
        left_out = sorted(set(without))
        marks = ", ".join("?" * len(left_out))
        offset = connection.execute("SELECT ifnull(max(number), 0) FROM advisory").fetchone()[0]
        connection.execute("COMMIT")
        connection.execute("ATTACH ? AS old", (str(old),))
        connection.execute("BEGIN")
        for table, columns in _COPIED.items():
            numbered = columns.replace("#", f"+ {offset}")
            query = f"INSERT INTO {table} SELECT {numbered} FROM old.{table} WHERE ecosystem NOT IN ({marks})"  # noqa: S608
            connection.execute(query, left_out)
        connection.execute("COMMIT")
        connection.execute("DETACH old")
        connection.execute("BEGIN")

    def finish(self) -> None:
        """Join the aliases, work out the identity, sync, and replace the target in one step."""
        connection = self._connection
        write_vulnerabilities(connection)
        connection.execute(_COUNT)
        meta = {"layout": LAYOUT, "name": self._name, "identity": self._identity()}
        meta["built_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute(INDEX)
        connection.execute("COMMIT")
        connection.close()
        with self._path.open("rb") as written:
            os.fsync(written.fileno())
        if self._name != STARTER:  # that one is made of the package whenever it is missing
            digest.remember(self._path, self._target)
        self._path.replace(self._target)
        folder = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _store(self, advisory: Advisory, ecosystem: str) -> bool:
        """True when the advisory is new; one already there is replaced by a later one."""
        connection = self._connection
        known = connection.execute(
            "SELECT number, modified FROM advisory WHERE ecosystem = ? AND id = ?", (ecosystem, advisory.id)
        ).fetchone()
        if known is not None:
            if known[1] >= advisory.modified:
                return False
            connection.execute("DELETE FROM affected WHERE advisory = ?", (known[0],))
            connection.execute("DELETE FROM advisory WHERE number = ?", (known[0],))
        rating = advisory.rating
        number = connection.execute(
            "INSERT INTO advisory (ecosystem, id, same_as, modified, severity, score, basis, summary)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                ecosystem,
                advisory.id,
                json.dumps(advisory.same_as),
                advisory.modified,
                rating.severity,
                rating.score,
                rating.basis,
                advisory.summary,
            ),
        ).lastrowid
        connection.executemany(
            "INSERT INTO affected VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    ecosystem,
                    item.name,
                    number,
                    encode(covered.intervals),
                    json.dumps(covered.versions),
                    covered.gap,
                )
                for item in advisory.affected
                if item.ecosystem == ecosystem and (covered := item.coverage)
            ),
        )
        return known is None

    def _identity(self) -> str:
        """A short digest of the content, the same for the same records whatever their order."""
        digest = hashlib.sha256(f"{LAYOUT} {self._name}".encode())
        for query in _IDENTITY_QUERIES:
            for row in self._connection.execute(query):
                digest.update(json.dumps(row).encode())
        return f"{self._name}-{digest.hexdigest()[:16]}"
