"""Calls handed in to a provider's message batches: what was handed in, and which answers are still to come.

Owns the tables `provider_batches` and `provider_requests`. A call is written down, and marked as sent in the
ledger, in one transaction before it goes out; it is open until its answer is settled. Must never forget an
open call: it may have been billed.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cortex_git.limits.ledger import mark_sent
from cortex_git.llm import Request
from cortex_git.state import now, transaction


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt's call. Its custom id at the provider is the nonce that the ledger knows it by."""

    nonce: str
    task: str
    reservation: int
    model: str
    complexity: int


@dataclass(frozen=True, slots=True)
class Handed:
    """A batch with calls that are still open."""

    id: int
    name: str | None
    """The provider's id; None where it is not known whether the batch ever reached it."""
    intended_at: str
    calls: tuple[Call, ...]


class ProviderBatches:
    """The batches of one clone, in the SQLite file that `connection` has open durably."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def hand_in(self, provider: str, calls: Sequence[tuple[Call, Request]]) -> Handed:
        """Write down a batch that is about to be made, with its calls, which may be billed from now on."""
        at = now()
        with transaction(self._connection) as connection:
            added = connection.execute(
                "INSERT INTO provider_batches (provider, intended_at) VALUES (?, ?)", (provider, at)
            )
            number = int(added.lastrowid or 0)
            for call, request in calls:
                mark_sent(connection, call.reservation)
                connection.execute(
                    "INSERT INTO provider_requests (nonce, batch, task, reservation, model, complexity, body)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (call.nonce, number, call.task, call.reservation, call.model, call.complexity,
                     json.dumps(asdict(request))),
                )  # fmt: skip
        return Handed(number, None, at, tuple(call for call, _ in calls))

    def requests(self, batch: int) -> dict[str, Request]:
        """The calls of a batch without a name that are open, as they are to be handed in."""
        rows = self._connection.execute(
            "SELECT nonce, body FROM provider_requests WHERE batch = ? AND state = 'open'", (batch,)
        ).fetchall()
        return {nonce: Request(**json.loads(body)) for nonce, body in rows}

    def made(self, batch: int, name: str) -> None:
        """The provider has the batch, under that id."""
        with transaction(self._connection) as connection:
            connection.execute("UPDATE provider_batches SET name = ? WHERE id = ?", (name, batch))
            connection.execute("UPDATE provider_requests SET body = '' WHERE batch = ?", (batch,))

    def names(self) -> set[str]:
        """The provider's ids of all batches that were made here."""
        rows = self._connection.execute("SELECT name FROM provider_batches WHERE name IS NOT NULL")
        return {name for (name,) in rows.fetchall()}

    def open(self) -> list[Handed]:
        """Batches with open calls, the oldest first."""
        rows = self._connection.execute(
            "SELECT b.id, b.name, b.intended_at, r.nonce, r.task, r.reservation, r.model, r.complexity"
            " FROM provider_batches b JOIN provider_requests r ON r.batch = b.id"
            " WHERE r.state = 'open' ORDER BY b.id, r.rowid"
        ).fetchall()
        found: dict[int, Handed] = {}
        for number, name, at, *call in rows:
            before = found.get(number)
            calls = (*before.calls, Call(*call)) if before else (Call(*call),)
            found[number] = Handed(number, name, at, calls)
        return list(found.values())

    def done(self, nonce: str) -> None:
        """The call's answer is settled, and what came of it is safe in the outbox or on the remote."""
        self._connection.execute(
            "UPDATE provider_requests SET state = 'done', body = '' WHERE nonce = ?", (nonce,)
        )
