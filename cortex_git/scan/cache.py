"""What earlier scans found out, by content: a lockfile's packages, and what a database says about them.

Owns one SQLite file in the user's cache folder, shared by all worker processes. Must never fail a scan
nor answer for other content: every error is a miss, a damaged file is dropped and begun anew.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from cortex_git.flocks import file_lock
from cortex_git.scan import marks
from cortex_git.scan.matching import MatchResult
from cortex_git.scan.records import Finding, LockfileContent, NotScanned, Package, RepositoryScan
from cortex_git.scan.secrets_looked import FileSecrets

_MAX_BYTES = 512 * 1024 * 1024
_BUSY_S = 0.5
_PAGES_KIB = 256
"""What SQLite keeps of the file in each of many workers: hardly anything is asked for twice."""
_TABLES = """
CREATE TABLE IF NOT EXISTS lockfile (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS matched (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secrets (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_PACKAGE_FIELDS = attrgetter(*Package.__dataclass_fields__)
"""A package as a plain tuple; `astuple` copies deeply, which takes eight times as long."""
_FINDING_FIELDS = attrgetter(*Finding.__dataclass_fields__)
_FORM = 3
"""Of what is stored; a change of it makes everything older a miss."""
_CODE = (
    "lockfiles",
    "versions",
    "advisories",
    "names.py",
    "purls.py",
    "severity.py",
    "matching.py",
    "upgrades.py",
    "records.py",
    "gap_kinds.py",
    "cache.py",
)

OidOf = Callable[[str], str | None]


class ScanCache:
    """A connection to the cache; not to be carried over a fork. Without a folder it remembers nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / "scan.sqlite" if folder else None
        self._pending: list[tuple[str, str, str]] = []
        self._connection = self._open()

    def lockfile(self, path: str, oid: str, oid_of: OidOf) -> LockfileContent | None:
        """What the lockfile with this blob id at this path held, None when it is not known.

        `oid_of` gives the blob id of the files it included then: they must be the same now.
        """
        value = self._get("lockfile", _lockfile_key(path, oid))
        try:
            if value is None or any(oid_of(name) != was for name, was in value["includes"].items()):
                return None
            packages = tuple(_package(fields) for fields in value["packages"])
            gaps = tuple(NotScanned(*gap) for gap in value["not_scanned"])
            return LockfileContent(packages, gaps, tuple((path, kind) for path, kind in value["open_lists"]))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return None

    def remember_lockfile(
        self, path: str, oid: str, includes: Mapping[str, str | None], content: LockfileContent
    ) -> None:
        """Keep what a lockfile held, and which other files that depended on."""
        value = {
            "includes": dict(includes),
            "packages": [_PACKAGE_FIELDS(package) for package in content.packages],
            "not_scanned": [astuple(gap) for gap in content.not_scanned],
            "open_lists": [list(one) for one in content.open_lists],
        }
        self._pending.append(("lockfile", _lockfile_key(path, oid), json.dumps(value)))

    def matched(self, key: str) -> MatchResult | None:
        """The match kept under this `match_key`, None when it is not known."""
        value = self._get("matched", key)
        try:
            if value is None:
                return None
            findings = tuple(_finding(fields) for fields in value["findings"])
            return MatchResult(findings, tuple(NotScanned(*gap) for gap in value["not_scanned"]))
        except (KeyError, TypeError, IndexError):
            return None

    def remember_match(self, key: str, result: MatchResult) -> None:
        """Keep what a database said about a set of packages."""
        value = {
            "findings": [_FINDING_FIELDS(finding) for finding in result.findings],
            "not_scanned": [astuple(gap) for gap in result.not_scanned],
        }
        self._pending.append(("matched", key, json.dumps(value)))

    def secrets(self, key: str) -> FileSecrets | None:
        """What the file known by this key held, None when it is not known."""
        value = self._get("secrets", key)
        try:
            if value is None:
                return None
            found = tuple((str(kind), int(line)) for kind, line in value["found"])
            return FileSecrets(int(value["size"]), bool(value["text"]), found)
        except (KeyError, TypeError, ValueError):
            return None

    def remember_secrets(self, key: str, found: FileSecrets) -> None:
        """Keep the kinds and lines of a file's secrets, never the secrets."""
        self._pending.append(("secrets", key, json.dumps(found._asdict())))

    def rows(self, keys: Sequence[str]) -> dict[str, RepositoryScan]:
        """The rows kept under these keys, of those that are known."""
        found: dict[str, RepositoryScan] = {}
        for key in keys:
            value = self._get("rows", f"{_FORM} {key}")
            try:
                if value is not None:
                    found[key] = RepositoryScan.from_json(value)
            except (KeyError, TypeError, AttributeError):
                continue
        return found

    def remember_row(self, key: str, row: RepositoryScan) -> None:
        """Keep a row under the object id of its result, which stands for its content."""
        self._pending.append(("rows", f"{_FORM} {key}", json.dumps(row.to_json())))

    def save(self) -> None:
        """Write what is to be remembered, in one transaction; lost when others hold the file too long."""
        pending, self._pending = self._pending, []
        if self._connection is None or not pending:
            return
        try:
            with self._connection:
                for table, key, value in pending:
                    query = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)"  # noqa: S608  our own names
                    self._connection.execute(query, (key, value))
        except sqlite3.OperationalError:
            return
        except sqlite3.DatabaseError:
            self._start_anew()

    def close(self) -> None:
        """Give the file back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _get(self, table: str, key: str) -> Any:
        if self._connection is None:
            return None
        try:
            query = f"SELECT value FROM {table} WHERE key = ?"  # noqa: S608  our own names
            row = self._connection.execute(query, (key,)).fetchone()
            return json.loads(row[0]) if row else None
        except (sqlite3.OperationalError, ValueError, TypeError):
            return None
        except sqlite3.DatabaseError:
            self._start_anew()
            return None

    def _open(self) -> sqlite3.Connection | None:
        """The connection, made under a lock so that nobody opens a file that is being dropped."""
        if self._file is None:
            return None
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with file_lock(self._file.with_suffix(".lock")):
                if self._file.exists() and self._file.stat().st_size > _MAX_BYTES:
                    self._drop()
                try:
                    return _connect(self._file)
                except sqlite3.OperationalError:
                    return None
                except sqlite3.DatabaseError:
                    self._drop()
                    return _connect(self._file)
        except (OSError, sqlite3.Error):
            return None

    def _start_anew(self) -> None:
        self.close()
        if self._file is not None:
            try:
                with file_lock(self._file.with_suffix(".lock")):
                    self._drop()
            except OSError:
                return
            self._connection = self._open()

    def _drop(self) -> None:
        if self._file is not None:
            for suffix in ("-wal", "-shm", ""):
                Path(f"{self._file}{suffix}").unlink(missing_ok=True)


def match_key(database_identity: str, packages: Sequence[Package]) -> str:
    """Names a match: the database, the packages with their places, and the code that matches."""
    digest = hashlib.sha256(f"{code_mark()}\0{database_identity}\0".encode())
    digest.update(json.dumps([_PACKAGE_FIELDS(package) for package in packages]).encode())
    return digest.hexdigest()


def _lockfile_key(path: str, oid: str) -> str:
    return f"{code_mark()} {oid} {path}"


@cache
def code_mark() -> str:
    """A mark of the code that reads and matches: after an upgrade nothing old is answered."""
    others = hashlib.sha256("\0".join(marks.others()).encode()).hexdigest()[:8]
    return f"{_FORM}.{marks.code_mark(*_CODE)}.{others}"


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=_BUSY_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{_PAGES_KIB}")
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _package(fields: Sequence[Any]) -> Package:
    return Package(*(*fields[:-1], tuple(fields[-1])))


def _finding(fields: Sequence[Any]) -> Finding:
    values = dict(zip(Finding.__dataclass_fields__, fields, strict=True))
    values["aliases"] = tuple(values["aliases"])
    values["other_lockfiles"] = tuple(values["other_lockfiles"])
    values["via"] = tuple(values["via"])
    for name in ("other_versions", "found_by", "missed_by"):
        values[name] = tuple(values[name])
    return Finding(**values)
