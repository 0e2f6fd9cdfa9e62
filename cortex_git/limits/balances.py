"""Looking at the ledger: an account's balance, and what was spent by day, master, batch and model.

Owns how the stored columns become the figures people see. Changes nothing.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Grouping = Literal["day", "master", "batch", "provider", "model"]


@dataclass(frozen=True, slots=True)
class Balance:
    """One account of this host, in tokens: `allocated + in_use + available == total`, nothing negative."""

    account: str
    limited: bool
    """False: it has no limit, `total` is what is bound, and nothing is kept available."""
    total: int
    """What this host may spend in all: its slice."""
    allocated: int
    """What open attempts may still reserve."""
    in_use: int
    """Spent, or reserved for calls under way."""
    available: int
    spent: int
    overdrawn: int
    """What was used beyond the total."""


def balance(connection: sqlite3.Connection, host: str, account: str) -> Balance:
    """The host's account at this moment; all zero where there is none."""
    row = connection.execute(
        "SELECT tokens, spent, reserved, allocated FROM grants WHERE host = ? AND account = ?",
        (host, account),
    ).fetchone()
    return balanced(account, *(row or (None, 0, 0, 0)))


def balances(connection: sqlite3.Connection, host: str) -> list[Balance]:
    """Every account of the host."""
    rows = connection.execute(
        "SELECT account, tokens, spent, reserved, allocated FROM grants WHERE host = ? ORDER BY account",
        (host,),
    )
    return [balanced(*row) for row in rows]


def balanced(account: str, tokens: int | None, spent: int, reserved: int, allocated: int) -> Balance:
    """The figures that the columns mean. What goes beyond the total is `overdrawn`."""
    bound = spent + reserved
    total = bound + allocated if tokens is None else tokens
    kept = min(allocated, total)
    in_use = min(bound, total - kept)
    return Balance(
        account=account,
        limited=tokens is not None,
        total=total,
        allocated=kept,
        in_use=in_use,
        available=total - kept - in_use,
        spent=spent,
        overdrawn=bound + allocated - kept - in_use,
    )


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent under one name, or one combination of names."""

    names: tuple[str, ...]
    input: int
    output: int
    cache_write: int
    cache_read: int
    unknown: int
    calls: int

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_write + self.cache_read + self.unknown


def spending(
    connection: sqlite3.Connection, hosts: Sequence[str], by: Sequence[Grouping], since: str = ""
) -> list[Spending]:
    """What these hosts' attempts spent, grouped; `since` is the first day (`2026-11-24`) that counts.

    The day is the one that the attempt began on, by UTC.
    """
    columns = ", ".join(by)
    marks = ",".join("?" * len(hosts))
    rows = connection.execute(
        f"SELECT {columns}, sum(input), sum(output), sum(cache_write), sum(cache_read), sum(unknown),"  # noqa: S608
        f" sum(calls) FROM spent WHERE host IN ({marks}) AND day >= ? GROUP BY {columns} ORDER BY {columns}",
        (*hosts, since),
    ).fetchall()
    return [Spending(tuple(row[: len(by)]), *row[len(by) :]) for row in rows]
