"""The token ledger: what this host may spend, what is promised to attempts, and what was spent.

Owns the invariant `allocated + in_use + available == total` for every account, with nothing negative, at
every committed moment: each method is one write transaction that is on disk when it returns. Any process
may use it; each thread has a connection of its own. Must never let a call be sent that is not reserved.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cortex_git import state
from cortex_git.errors import LimitReached
from cortex_git.limits import accounts as names
from cortex_git.limits import booking
from cortex_git.limits.balances import Balance, balance
from cortex_git.llm import Usage
from cortex_git.state import transaction

_KEPT_S = 24 * 3600.0
"""Seconds that a closed allocation is remembered, for an answer that comes late."""


class Exhausted(LimitReached):
    """The attempt's own tokens do not cover the call; `left` are those it has."""

    def __init__(self, needed: int, left: int) -> None:
        super().__init__(
            f"the call may need {needed:,} tokens and the attempt has {left:,} left",
            "give the task a larger --budget",
        )
        self.left = left


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens that an attempt spent, by kind; of `unknown` ones only the sum, or a bound, is known."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_write + self.cache_read + self.unknown


class Ledger:
    """The tokens of the host called `host`, in the SQLite file that `connection` has open durably."""

    def __init__(self, connection: sqlite3.Connection, host: str) -> None:
        self._connection = connection
        self.host = host

    @classmethod
    def open(cls, folder: Path, host: str) -> "Ledger":
        """The ledger of the clone at `folder`."""
        return cls(state.of_clone(folder), host)

    def grant(self, slices: Mapping[str, int | None]) -> None:
        """Set how many tokens this host may spend in all, by account; None: no limit.

        Where more is bound already, open attempts lose what they have left.
        """
        with transaction(self._connection) as connection:
            for account, tokens in slices.items():
                booking.grant(connection, self.host, account, tokens)

    def shrink(self, slices: Mapping[str, int]) -> dict[str, int]:
        """Lower what this host may spend to these, or to what is bound; what each account holds then."""
        with transaction(self._connection) as connection:
            held: dict[str, int] = {}
            for account, tokens in slices.items():
                row = connection.execute(
                    "SELECT tokens, spent + reserved + allocated FROM grants WHERE host = ? AND account = ?",
                    (self.host, account),
                ).fetchone()
                if row is not None and row[0] is not None:
                    held[account] = min(row[0], max(tokens, row[1]))
                    booking.grant(connection, self.host, account, held[account])
            return held

    def allocate(
        self,
        nonce: str,
        *,
        task: str,
        batch: str,
        master: str,
        worker: str,
        tokens: int,
        accounts: Sequence[str],
    ) -> bool:
        """Promise the attempt all of `tokens`; False where one of the accounts has not as many available.

        `accounts` are those that have a limit. The owner is this process. The same nonce again changes
        nothing while its allocation is open.
        """
        if self._allocate(nonce, task, batch, master, worker, tokens, accounts):
            return True
        return bool(self.reap()) and self._allocate(nonce, task, batch, master, worker, tokens, accounts)

    def _allocate(
        self, nonce: str, task: str, batch: str, master: str, worker: str, tokens: int, limited: Sequence[str]
    ) -> bool:
        at = datetime.now(UTC)
        given = {names.kind(account): account for account in limited}
        every = tuple(
            given.get(names.kind(name), name) for name in names.of_attempt(batch, master, at)
        )  # a limit that was looked up just before midnight is the one to hold
        with transaction(self._connection) as connection:
            booking.ensure_accounts(connection, self.host, every)
            found = booking.allocation(connection, nonce)
            if found is not None and found.open:
                return True
            if not self._has(connection, every, limited, tokens):
                return False
            pid, started, boot = state.own_process()
            if found is None:
                connection.execute(
                    "INSERT INTO allocations (nonce, host, task, batch, master, worker, accounts, day,"
                    " tokens, pid, started, boot, allocated_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
                    (nonce, self.host, task, batch, master, worker, json.dumps(every), f"{at:%Y-%m-%d}",
                     pid, started, boot, state.now()),
                )  # fmt: skip
            else:  # an attempt that could not be started, and is now
                connection.execute(
                    "UPDATE allocations SET closed_at = NULL, worker = ?, pid = ?, started = ?, boot = ?,"
                    " allocated_at = ? WHERE nonce = ?",
                    (worker, pid, started, boot, state.now(), nonce),
                )
            if (fresh := booking.allocation(connection, nonce)) is not None:
                booking.move(connection, fresh, tokens=tokens)
            self._forget(connection, at)
            return True

    def _has(
        self, connection: sqlite3.Connection, every: Sequence[str], limited: Sequence[str], tokens: int
    ) -> bool:
        for account in dict.fromkeys((*every, *limited)):
            found = balance(connection, self.host, account)
            if found.limited and found.available < tokens:
                return False
            if not found.limited and account in limited:
                return False
        return True

    def left(self, nonce: str) -> int:
        """What the attempt may still reserve."""
        found = booking.allocation(self._connection, nonce)
        return found.rest if found else 0

    def reserve(self, nonce: str, tokens: int, *, model: str, provider: str) -> int:
        """Hold the most that a call may use; the reservation's number. Raises Exhausted.

        The owner is this process.
        """
        with transaction(self._connection) as connection:
            found = booking.allocation(connection, nonce)
            if found is None or tokens > found.rest:
                raise Exhausted(tokens, found.rest if found else 0)
            booking.move(connection, found, reserved=tokens)
            added = connection.execute(
                "INSERT INTO reservations (nonce, tokens, model, provider, pid, started, boot)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (nonce, tokens, model, provider, *state.own_process()),
            )
            return int(added.lastrowid or 0)

    def sent(self, reservation: int) -> None:
        """From here on the call may be billed. Raises Exhausted where its attempt has been closed."""
        with transaction(self._connection) as connection:
            mark_sent(connection, reservation)

    def settle(self, reservation: int, usage: Usage) -> None:
        """Put what the call used in the place of what was reserved, also where that is more."""
        self._settle(reservation, usage, 0, "settled")

    def worst(self, reservation: int) -> None:
        """Count the whole reservation as spent, because nobody knows what was used."""
        self._settle(reservation, Usage(), None, "worst")

    def release(self, reservation: int) -> None:
        """Give the reservation back: nothing was billed."""
        self._settle(reservation, Usage(), 0, "released")

    def _settle(self, reservation: int, usage: Usage, unknown: int | None, ended: str) -> None:
        """Once: a second settlement changes nothing, unless an end from outside took the place of the first.

        Then what was used beyond that is added, since it was used all the same.
        """
        with transaction(self._connection) as connection:
            row = connection.execute(
                "SELECT nonce, tokens, state, model, provider FROM reservations WHERE id = ?", (reservation,)
            ).fetchone()
            found = booking.allocation(connection, row[0]) if row else None
            if row is None or found is None:
                return
            _, tokens, before, model, provider = row
            unknown = tokens if unknown is None else unknown
            actual = usage.total + unknown
            if before in ("held", "sent"):
                found = booking.move(connection, found, spent=actual, reserved=-tokens)
            elif before in ("worst", "released") and not found.open:
                actual = max(0, actual - (tokens if before == "worst" else 0))
                found = booking.move(connection, found, spent=actual)
                usage, unknown = Usage(), actual
            else:
                return
            connection.execute("UPDATE reservations SET state = ? WHERE id = ?", (ended, reservation))
            if actual:
                booking.note_spent(connection, found, usage, unknown, model=model, provider=provider)

    def spend(self, nonce: str, tokens: int) -> None:
        """Count tokens of which only the sum is known, after they were used."""
        with transaction(self._connection) as connection:
            found = booking.allocation(connection, nonce)
            if found is not None and tokens > 0:
                booking.move(connection, found, spent=tokens)
                booking.note_spent(connection, found, Usage(), tokens)

    def close(self, nonce: str) -> int:
        """End the attempt: what was sent is spent in full, all else goes back; tokens that it spent.

        Any process may, and more than once.
        """
        with transaction(self._connection) as connection:
            return booking.close(connection, nonce)

    def reap(self) -> int:
        """Close what processes hold that have ended; how many attempts that were.

        What a provider's batch is still to answer waits for that answer, whoever handed it in.
        """
        open_ones = self._connection.execute(
            "SELECT nonce, pid, started, boot FROM allocations WHERE closed_at IS NULL"
            " UNION ALL SELECT r.nonce, r.pid, r.started, r.boot FROM reservations r"
            " JOIN allocations a ON a.nonce = r.nonce"
            " WHERE a.closed_at IS NULL AND r.state IN ('held', 'sent')"
        ).fetchall()
        verdicts = {owner: owner_gone(*owner) for owner in {tuple(row[1:]) for row in open_ones}}
        kept = {nonce for nonce, *owner in open_ones if not verdicts[tuple(owner)]}
        kept |= open_calls(self._connection)
        dead = {nonce for nonce, *_ in open_ones} - kept
        for nonce in dead:
            self.close(nonce)
        return len(dead)

    def used(self, nonce: str) -> Used:
        """What the attempt spent so far."""
        row = self._connection.execute(
            "SELECT coalesce(sum(input), 0), coalesce(sum(output), 0), coalesce(sum(cache_write), 0),"
            " coalesce(sum(cache_read), 0), coalesce(sum(unknown), 0) FROM spent WHERE nonce = ?",
            (nonce,),
        ).fetchone()
        return Used(*row)

    def balance(self, account: str = names.TOTAL) -> Balance:
        """The account at this moment."""
        return balance(self._connection, self.host, account)

    @staticmethod
    def _forget(connection: sqlite3.Connection, at: datetime) -> None:
        """Drop closed allocations that nobody asks about any more; what they spent stays counted."""
        oldest = (at - timedelta(seconds=_KEPT_S)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        connection.execute(
            "DELETE FROM reservations WHERE nonce IN (SELECT nonce FROM allocations WHERE closed_at < ?)",
            (oldest,),
        )
        connection.execute("DELETE FROM allocations WHERE closed_at < ?", (oldest,))


def mark_sent(connection: sqlite3.Connection, reservation: int) -> None:
    """`Ledger.sent` inside a transaction of the caller's."""
    done = connection.execute(
        "UPDATE reservations SET state = 'sent' WHERE id = ? AND state IN ('held', 'sent')", (reservation,)
    )
    if done.rowcount != 1:
        raise Exhausted(0, 0)


def open_calls(connection: sqlite3.Connection) -> set[str]:
    """Nonces of attempts whose call was handed in to a provider's batch and is not settled."""
    rows = connection.execute("SELECT nonce FROM provider_requests WHERE state = 'open'").fetchall()
    return {nonce for (nonce,) in rows}


def owner_gone(pid: int, started: float, boot: str) -> bool:
    """Whether the process that wrote these of itself has ended for sure.

    With a boot that is over all its processes are; one in another namespace of this boot may live.
    """
    if boot == state.boot_id():
        return not state.process_alive(pid, started, boot)
    ours, theirs = (text.partition("/") for text in (state.boot_id(), boot))
    return bool(ours[1] and theirs[1]) and ours[0] != theirs[0]
