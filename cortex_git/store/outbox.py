"""What this host has still to publish: durable the moment it is entered, gone only when acknowledged.

Owns the table of waiting entries and the record of the push under way. Must never drop an entry that
the remote has not acknowledged and that is not kept as fenced.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cortex_git.state import now, transaction
from cortex_git.store.repository import Repository

PROBLEM = "publish problem"
"""Key of the last one in table `own`: when, and what."""
_REMEMBERED = 50
"""Pushes given up that are remembered."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit to be: the files it adds, and the claim it ends (None for tasks and batches).

    `nonce` names it for ever: a result carries the nonce of its claim, so that a push whose
    acknowledgement was lost is recognised.
    """

    nonce: str
    task: str
    claim: str | None
    message: str
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Intent:
    """A push that was about to be made: `tip` is where the host's result ref would stand after it."""

    tip: str
    host: str
    nonces: tuple[str, ...]


class Outbox:
    """The waiting entries of one clone, shared by all its processes."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._repository.durable_state

    def add(self, entries: Iterable[Entry]) -> None:
        """Enter them, on disk when this returns. An entry that is there already stays as it is."""
        rows = [
            (e.nonce, e.task, e.claim, e.message, json.dumps({p: c.decode() for p, c in e.files.items()}))
            for e in entries
        ]
        with transaction(self._connection) as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO outbox (nonce, task, claim, message, files) VALUES (?, ?, ?, ?, ?)",
                rows,
            )

    def waiting(self, state: str = "queued", limit: int = -1) -> list[Entry]:
        """Entries in `state`, oldest first: `queued` to be published, `fencing` to be kept aside."""
        rows = self._connection.execute(
            "SELECT nonce, task, claim, message, files FROM outbox WHERE state = ? ORDER BY id LIMIT ?",
            (state, limit),
        )
        return [
            Entry(nonce, task, claim, message, {p: c.encode() for p, c in json.loads(files).items()})
            for nonce, task, claim, message, files in rows
        ]

    def newest(self) -> int:
        """The number of the last entry that is to be published; 0 where there is none."""
        query = "SELECT max(id) FROM outbox WHERE state = 'queued'"
        return int(self._connection.execute(query).fetchone()[0] or 0)

    def waits_to(self, number: int) -> bool:
        """Whether an entry is to be published that has this number, or was entered before that one."""
        query = "SELECT 1 FROM outbox WHERE state = 'queued' AND id <= ? LIMIT 1"
        return self._connection.execute(query, (number,)).fetchone() is not None

    def count(self) -> int:
        """How many entries the remote has not acknowledged."""
        query = "SELECT count(*) FROM outbox WHERE state IN ('queued', 'fencing')"
        return int(self._connection.execute(query).fetchone()[0])

    def states(self, nonces: Sequence[str]) -> dict[str, str]:
        """`queued`, `done`, `fencing` or `fenced` for each nonce that is known."""
        found: dict[str, str] = {}
        for nonce in nonces:
            row = self._connection.execute("SELECT state FROM outbox WHERE nonce = ?", (nonce,)).fetchone()
            if row is not None:
                found[nonce] = row[0]
        return found

    def settle(self, nonces: Iterable[str], state: str) -> None:
        """Set the state of entries; what is acknowledged gives its content back to the disk."""
        files = ", files = '{}'" if state == "done" else ""
        with transaction(self._connection) as connection:
            connection.executemany(
                f"UPDATE outbox SET state = ?{files} WHERE nonce = ?",  # noqa: S608 - a constant
                [(state, nonce) for nonce in nonces],
            )

    def intend(self, intent: Intent) -> None:
        """Record, before a push, what it would make true; on disk when this returns."""
        columns = "intents (tip, host, entries)"
        row = (intent.tip, intent.host, json.dumps(intent.nonces))
        self._connection.execute(f"INSERT OR REPLACE INTO {columns} VALUES (?, ?, ?)", row)  # noqa: S608

    def intents(self, state: str = "open") -> list[Intent]:
        """Pushes whose outcome nobody has recorded yet, or those that were `given up`, newest first."""
        query = "SELECT tip, host, entries FROM intents WHERE state = ? ORDER BY id DESC"
        rows = self._connection.execute(query, (state,))
        return [Intent(tip, host, tuple(json.loads(entries))) for tip, host, entries in rows]

    def acknowledge(self, intent: Intent) -> None:
        """The push of `intent` is on the remote: its entries are done and its tip is our own."""
        with transaction(self._connection) as connection:
            connection.executemany(
                "UPDATE outbox SET state = 'done', files = '{}' WHERE nonce = ?",
                [(n,) for n in intent.nonces],
            )
            connection.execute("INSERT OR REPLACE INTO own VALUES (?, ?)", (f"tip {intent.host}", intent.tip))
            connection.execute("DELETE FROM intents WHERE tip = ?", (intent.tip,))

    def give_up(self, intent: Intent) -> None:
        """The push of `intent` did not take place as far as we can see: its entries are still queued.

        It is remembered for a while, because it may land late and is to be known as ours then.
        """
        with transaction(self._connection) as connection:
            connection.execute("UPDATE intents SET state = 'given up' WHERE tip = ?", (intent.tip,))
            newest = f"SELECT id FROM intents ORDER BY id DESC LIMIT {_REMEMBERED}"  # noqa: S608
            connection.execute(f"DELETE FROM intents WHERE state != 'open' AND id NOT IN ({newest})")  # noqa: S608

    def note_problem(self, text: str) -> None:
        """Keep why the last publish did not take place, for whoever asks what the entries wait for."""
        row = (PROBLEM, f"{now()} {text}")
        self._connection.execute("INSERT OR REPLACE INTO own VALUES (?, ?)", row)

    def own_tip(self, host: str) -> str | None:
        """Where this host's result ref stands after its last acknowledged push."""
        row = self._connection.execute("SELECT value FROM own WHERE key = ?", (f"tip {host}",)).fetchone()
        return row[0] if row else None
