"""Reading the advisory database: which one it is, and which advisories name a package.

Must never write to a database file, nor take one that it cannot vouch for: a file of another layout or a
damaged one is an error that says what to do.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from cortex_git.errors import EnvironmentProblem
from cortex_git.scan.advisories.ranges import Span, decode, spans
from cortex_git.scan.advisories.schema import LAYOUT
from cortex_git.scan.records import Severity
from cortex_git.scan.versions import VersionError, parse

FILE = Path("advisories") / "osv.sqlite"
"""Where the imported database is, inside the data folder."""

_AGAIN = "run `cortex-git advisories update`"
_NAMES_A_QUERY = (8, 64, 512)
"""Names are asked for so many at once, padded: each number of names is a query of its own, and SQLite keeps
those that it prepared, large as they are, in each of many workers."""
_CACHED_NAMES = 2_000
"""Packages whose entries are kept; some 250 bytes each where there are none, in each of many workers."""
_PAGES_KIB = 512
"""SQLite's own memory of the file; the system's is shared by all workers."""


class Advised(NamedTuple):
    """One `affected` entry about a package."""

    advisory: str
    summary: str
    vulnerability: int
    spans: tuple[Span, ...]
    versions: frozenset[str]
    """Versions listed outside the spans, as spelled."""
    keys: frozenset[Any]
    """The sort keys of those versions that the ecosystem can order."""
    gap: str
    """Why the entry can't be evaluated in full, or empty."""


class Vulnerability(NamedTuple):
    """What several records say about one vulnerability, joined."""

    id: str
    aliases: tuple[str, ...]
    severity: Severity
    score: float | None


class AdvisoryDatabase:
    """A database opened for reading. Each process opens its own; the file never changes in place."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._advised: dict[tuple[str, str], tuple[Advised, ...]] = {}
        self._vulnerabilities: dict[int, Vulnerability] = {}
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        if meta.get("layout") != LAYOUT:
            raise EnvironmentProblem(f"{path} was made by another version of cortex-git", _AGAIN)
        self.name: str = meta["name"]
        self.identity: str = meta["identity"]
        self.built_at = datetime.fromisoformat(meta["built_at"])
        self.content: dict[str, tuple[int, str]] = {
            ecosystem: (count, newest)
            for ecosystem, count, newest in connection.execute("SELECT * FROM content ORDER BY ecosystem")
        }
        self.unreadable: int = connection.execute("SELECT total(unreadable) FROM source").fetchone()[0]

    @classmethod
    def open(cls, path: Path) -> "AdvisoryDatabase":
        """Open a database file. Raises EnvironmentProblem when it is missing, damaged or too old."""
        if not path.is_file():
            raise EnvironmentProblem(f"there is no advisory database at {path}", _AGAIN)
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA cache_size = -{_PAGES_KIB}")
            return cls(path, connection)
        except (sqlite3.DatabaseError, KeyError, ValueError) as error:
            connection.close()
            raise EnvironmentProblem(
                f"{path} is not a readable advisory database ({error})", _AGAIN
            ) from None
        except EnvironmentProblem:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def ecosystems(self) -> frozenset[str]:
        """The ecosystems with at least one advisory."""
        return frozenset(self.content)

    @property
    def age_days(self) -> int:
        """Whole days since the import; negative where the clock says that it is still to come."""
        return (datetime.now(UTC) - self.built_at).days

    def description(self) -> str:
        """One line: which database, how old, how many records, which ecosystems, what was unreadable."""
        total = sum(count for count, _ in self.content.values())
        days_known = [newest[:10] for _, newest in self.content.values() if not newest.startswith("0001")]
        newest = max(days_known, default="")
        covers = ", ".join(self.content) or "nothing"
        records = f"{total:,} records for {covers}, newest from {newest or 'an unknown day'}"
        if self.name == "starter":
            return f"starter set: {records}; it covers only well-known advisories"
        days = self.age_days
        age = "today" if days < 1 else f"{days} day{'s' if days > 1 else ''} ago"
        bad = f"; {int(self.unreadable):,} records could not be read" if self.unreadable else ""
        return f"{self.name} imported {self.built_at:%Y-%m-%d} ({age}): {records}{bad}"

    def advised(self, ecosystem: str, names: Iterable[str]) -> dict[str, tuple[Advised, ...]]:
        """The entries about each of these packages (lookup names), empty for one that none is about."""
        wanted = dict.fromkeys(names)
        if len(self._advised) > _CACHED_NAMES:
            self._advised.clear()
        missing = [name for name in wanted if (ecosystem, name) not in self._advised]
        most = _NAMES_A_QUERY[-1]
        for start in range(0, len(missing), most):
            self._load(ecosystem, missing[start : start + most])
        return {name: self._advised[ecosystem, name] for name in wanted}

    def vulnerability(self, number: int) -> Vulnerability:
        """The vulnerability of an `Advised.vulnerability`."""
        known = self._vulnerabilities.get(number)
        if known is None:
            query = "SELECT id, ids, severity, score FROM vulnerability WHERE number = ?"
            id_, ids, severity, score = self._rows(query, (number,))[0]
            known = Vulnerability(id_, tuple(json.loads(ids)), severity, score)
            self._vulnerabilities[number] = known
        return known

    def knows(self, name: str) -> bool:
        """Whether it has a vulnerability of that name, in any case. Looks through all of them."""
        wanted = name.lower()
        query = "SELECT EXISTS (SELECT 1 FROM vulnerability WHERE lower(id) = ? OR instr(lower(ids), ?))"
        return bool(self._rows(query, (wanted, json.dumps(wanted)))[0][0])

    def _load(self, ecosystem: str, names: Sequence[str]) -> None:
        found: dict[str, list[Advised]] = {name: [] for name in names}
        size = next(size for size in _NAMES_A_QUERY if size >= len(names))
        asked = [*names, *[names[-1]] * (size - len(names))]
        marks = ", ".join("?" * len(asked))
        query = (
            "SELECT f.name, a.id, a.summary, a.vulnerability, f.intervals, f.versions, f.gap FROM affected f"  # noqa: S608
            " JOIN advisory a ON a.number = f.advisory"
            f" WHERE f.ecosystem = ? AND f.name IN ({marks}) ORDER BY a.id"
        )
        for name, id_, summary, number, intervals, versions, gap in self._rows(query, (ecosystem, *asked)):
            listed = json.loads(versions) if versions != "[]" else ()
            keys = frozenset(key for text in listed if (key := _key(ecosystem, text)) is not None)
            covered = spans(ecosystem, decode(intervals))
            entry = Advised(id_, summary, number, covered, frozenset(listed), keys, gap)
            found[name].append(entry)
        for name, entries in found.items():
            self._advised[ecosystem, name] = tuple(entries)

    def _rows(self, query: str, values: Sequence[object]) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise EnvironmentProblem(f"{self.path} is damaged ({error})", _AGAIN) from None


def open_default(data_dir: Path) -> AdvisoryDatabase | None:
    """The imported database of a data folder, None where nothing was imported yet."""
    path = data_dir / FILE
    return AdvisoryDatabase.open(path) if path.exists() else None


def open_starter(cache_dir: Path) -> AdvisoryDatabase:
    """The starter set inside the package, built once per content into `cache_dir` (about 0.1 s)."""
    from cortex_git.scan.advisories.starter_set import build, content_key

    path = cache_dir / "advisories" / f"starter-{LAYOUT}-{content_key()}.sqlite"
    if not path.exists():
        build(path)
    return AdvisoryDatabase.open(path)


def _key(ecosystem: str, text: str) -> Any:
    try:
        return parse(ecosystem, text)
    except VersionError:
        return None
