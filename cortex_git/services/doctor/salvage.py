"""Reading what is left of a damaged state.db: row by row where SQLite can, page by page where it cannot.

Owns which rows are worth having. The outbox is: nothing else has it. What is read too much does no harm,
because publishing recognises what was published already. Changes nothing.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cortex_git.services.doctor.sqlite_pages import records_of

Row = dict[str, object]
_OUTBOX = ("id", "nonce", "task", "claim", "message", "files", "state")
_STATES = {"queued": 0, "fencing": 1, "fenced": 2, "done": 3}
"""An entry only ever goes on to a later one of these: of two versions that one is the newer."""
_BESIDES = ("own", "intents")
"""What a publish is recognised by, and where the own result ref stands: without them it takes a new id."""
_TOGETHER = (
    ("grants", "allocations", "reservations", "spent"),
    ("provider_batches", "provider_requests"),
    ("feedback",),
)
"""Tables that are of use only if all of each group can be read."""


@dataclass
class Salvaged:
    """Rows by table."""

    rows: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def waiting(self) -> list[Row]:
        """Entries of the outbox that the remote has not acknowledged, as far as they say."""
        return [row for row in self.rows.get("outbox", []) if row["state"] in ("queued", "fencing")]


def salvage(path: Path) -> Salvaged:
    """What can be read of the file and the log beside it; best of a copy, which SQLite may write to."""
    found = Salvaged()
    entries: dict[str, Row] = {}
    for row in [*_by_pages(path), *_by_rows(path, "outbox")]:
        if _is_entry(row):
            nonce = str(row["nonce"])
            if nonce not in entries or _STATES[str(row["state"])] >= _STATES[str(entries[nonce]["state"])]:
                entries[nonce] = row
    found.rows["outbox"] = sorted(entries.values(), key=lambda row: int(str(row["id"])))
    for table in _BESIDES:
        found.rows[table] = list(_by_rows(path, table))
    for group in _TOGETHER:
        with suppress(sqlite3.DatabaseError):
            found.rows |= {table: _whole(path, table) for table in group}
    return found


def _is_entry(row: Row) -> bool:
    """Whether it is an entry whose content is all there."""
    if not all(isinstance(row.get(name), str) for name in ("nonce", "task", "message", "files", "state")):
        return False
    if row["state"] not in _STATES or not isinstance(row.get("claim"), str | None):
        return False
    try:
        files = json.loads(str(row["files"]))
    except ValueError:
        return False
    return isinstance(files, dict) and all(isinstance(text, str) for text in files.values())


def _by_pages(path: Path) -> Iterator[Row]:
    """Everything in the file that looks like an entry of the outbox, whatever leads to it."""
    for number, values in records_of(path, len(_OUTBOX)):
        yield dict(zip(_OUTBOX, (number, *values[1:]), strict=True))


def _by_rows(path: Path, table: str) -> Iterator[Row]:
    """The table's rows, each by itself, so that one that cannot be read hides no other."""
    try:
        with closing(_opened(path)) as connection:
            for number in _numbers(connection, table):
                with suppress(sqlite3.DatabaseError):
                    query = f"SELECT * FROM {table} WHERE rowid = ?"  # noqa: S608 - names of ours
                    row = connection.execute(query, (number,)).fetchone()
                    if row is not None:
                        yield dict(row)
    except (sqlite3.DatabaseError, OSError):
        return


def _numbers(connection: sqlite3.Connection, table: str) -> list[int]:
    """The row numbers that can be told, from either end of the table."""
    found: set[int] = set()
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError):
            for (number,) in connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid {order}"):  # noqa: S608
                found.add(number)
    return sorted(found)


def _whole(path: Path, table: str) -> list[Row]:
    with closing(_opened(path)) as connection:
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - names of ours


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5.0)
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection
