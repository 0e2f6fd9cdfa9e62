"""Moving tokens between the accounts' columns: the steps that every change of the ledger is made of.

Owns the rule of where tokens come from when more was used than was reserved: the attempt's own rest, then
what is available, then the rest of other attempts, the latest first, and only then the account is
overdrawn. Every function runs inside the caller's write transaction.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cortex_git.llm import Usage
from cortex_git.state import now


@dataclass(frozen=True, slots=True)
class Allocation:
    """The tokens of one attempt."""

    nonce: str
    host: str
    batch: str
    master: str
    accounts: tuple[str, ...]
    day: str
    tokens: int
    spent: int
    reserved: int
    open: bool

    @property
    def rest(self) -> int:
        """What may still be reserved."""
        return self.tokens - self.spent - self.reserved if self.open else 0


_COLUMNS = "nonce, host, batch, master, accounts, day, tokens, spent, reserved, closed_at IS NULL"


def allocation(connection: sqlite3.Connection, nonce: str) -> Allocation | None:
    """The attempt's allocation, open or closed; None where it never had one."""
    query = f"SELECT {_COLUMNS} FROM allocations WHERE nonce = ?"  # noqa: S608 - constants
    row = connection.execute(query, (nonce,)).fetchone()
    return None if row is None else _allocation(row)


def open_allocations(connection: sqlite3.Connection, host: str) -> list[Allocation]:
    """All open allocations of the host, the latest first."""
    query = f"SELECT {_COLUMNS} FROM allocations WHERE closed_at IS NULL AND host = ? ORDER BY id DESC"  # noqa: S608
    return [_allocation(row) for row in connection.execute(query, (host,)).fetchall()]


def _allocation(row: tuple[str, str, str, str, str, str, int, int, int, int]) -> Allocation:
    nonce, host, batch, master, accounts, day, tokens, spent, reserved, is_open = row
    names = tuple(json.loads(accounts))
    return Allocation(nonce, host, batch, master, names, day, tokens, spent, reserved, bool(is_open))


def move(
    connection: sqlite3.Connection, old: Allocation, *, tokens: int = 0, spent: int = 0, reserved: int = 0
) -> Allocation:
    """Change an allocation by these differences, and its accounts with it; what it is afterwards.

    Where it uses more than it holds, it is given as much, whoever has to go short.
    """
    new = replace(old, spent=old.spent + spent, reserved=old.reserved + reserved)
    bound = new.spent + new.reserved
    new = replace(new, tokens=max(old.tokens + tokens, bound) if old.open else bound)
    allocated = new.rest - old.rest
    for account in old.accounts:
        _make_room(connection, old, account, spent + reserved + allocated)
    connection.executemany(
        "UPDATE grants SET spent = spent + ?, reserved = reserved + ?, allocated = allocated + ?"
        " WHERE host = ? AND account = ?",
        [(spent, reserved, allocated, old.host, account) for account in old.accounts],
    )
    connection.execute(
        "UPDATE allocations SET tokens = ?, spent = ?, reserved = ? WHERE nonce = ?",
        (new.tokens, new.spent, new.reserved, old.nonce),
    )
    return new


def _make_room(connection: sqlite3.Connection, user: Allocation, account: str, more: int) -> None:
    """Take from others' rests what the account cannot hold when `more` is bound in it."""
    row = connection.execute(
        "SELECT tokens, spent + reserved + allocated FROM grants WHERE host = ? AND account = ?",
        (user.host, account),
    ).fetchone()
    if more > 0 and row is not None and row[0] is not None and row[1] + more > row[0]:
        cut(connection, user.host, account, row[1] + more - row[0], spare=user.nonce)


def cut(connection: sqlite3.Connection, host: str, account: str, tokens: int, spare: str = "") -> int:
    """Take up to `tokens` from what open attempts of the account have left, the latest first; how many."""
    missing = tokens
    for other in open_allocations(connection, host):
        taken = min(other.rest, missing)
        if taken > 0 and account in other.accounts and other.nonce != spare:
            move(connection, other, tokens=-taken)
            missing -= taken
    return tokens - missing


def note_spent(
    connection: sqlite3.Connection,
    who: Allocation,
    usage: Usage,
    unknown: int,
    *,
    model: str = "",
    provider: str = "",
) -> None:
    """Keep what was spent, by kind; `unknown` are tokens of which only the sum, or a bound, is known."""
    connection.execute(
        "INSERT INTO spent (host, nonce, day, batch, master, provider, model, input, output, cache_write,"
        " cache_read, unknown, calls) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
        " ON CONFLICT (nonce, provider, model) DO UPDATE SET input = input + excluded.input,"
        " output = output + excluded.output, cache_write = cache_write + excluded.cache_write,"
        " cache_read = cache_read + excluded.cache_read, unknown = unknown + excluded.unknown,"
        " calls = calls + 1",
        (who.host, who.nonce, who.day, who.batch, who.master, provider, model, usage.input, usage.output,
         usage.cache_write, usage.cache_read, unknown),
    )  # fmt: skip


def close(connection: sqlite3.Connection, nonce: str) -> int:
    """End the attempt's allocation: what was sent counts as spent, the rest goes back; tokens it spent."""
    found = allocation(connection, nonce)
    if found is None or not found.open:
        return found.spent if found else 0
    pending = connection.execute(
        "SELECT id, tokens, state, model, provider FROM reservations"
        " WHERE nonce = ? AND state IN ('held', 'sent')",
        (nonce,),
    ).fetchall()
    for number, tokens, state, model, provider in pending:
        billed = tokens if state == "sent" else 0
        found = move(connection, found, spent=billed, reserved=-tokens)
        if billed:
            note_spent(connection, found, Usage(), billed, model=model, provider=provider)
        ended = "worst" if billed else "released"
        connection.execute("UPDATE reservations SET state = ? WHERE id = ?", (ended, number))
    move(connection, found, tokens=-found.rest)
    connection.execute("UPDATE allocations SET closed_at = ? WHERE nonce = ?", (now(), nonce))
    return found.spent


def grant(connection: sqlite3.Connection, host: str, account: str, tokens: int | None) -> None:
    """Let the host spend so many tokens of the account in all; None: as many as it likes.

    Where more is bound already, open attempts lose what they have left.
    """
    connection.execute("INSERT OR IGNORE INTO grants (host, account) VALUES (?, ?)", (host, account))
    if tokens is not None:
        row = connection.execute(
            "SELECT spent + reserved + allocated FROM grants WHERE host = ? AND account = ?", (host, account)
        ).fetchone()
        if row[0] > tokens:
            cut(connection, host, account, row[0] - tokens)
    connection.execute("UPDATE grants SET tokens = ? WHERE host = ? AND account = ?", (tokens, host, account))


def ensure_accounts(connection: sqlite3.Connection, host: str, accounts: Iterable[str]) -> None:
    """Have a row for each account, without a limit where it is new."""
    connection.executemany(
        "INSERT OR IGNORE INTO grants (host, account) VALUES (?, ?)", [(host, name) for name in accounts]
    )
