"""What holds for a provider at a moment, as its row says: this host's part of the limits, and any closure.

Owns how the limits of the settings, of the provider's answers and of the hosts become one. Changes nothing.
"""

import sqlite3
from dataclasses import dataclass

from cortex_git import state


@dataclass(frozen=True, slots=True)
class Throttle:
    """Limits are for one window and this host alone; None: there is none. Times are by `state.uptime`."""

    requests: int | None = None
    tokens: int | None = None
    closed_until: float = 0.0
    pause_s: float = 0.0
    """Length of the last closure."""
    strikes: int = 0
    """Refusals in a row."""
    left_requests: int | None = None
    left_tokens: int | None = None
    """This host's part of what the provider said was left of its allowance at `heard_at`."""
    heard_at: float | None = None
    heard_of: int = 0
    """Number of the call whose answer said so."""


def boot() -> str:
    """This boot of the machine, the same in all of its containers: they share its clock and this gate."""
    return state.boot_id().partition("/")[0]


def throttle_of(connection: sqlite3.Connection, provider: str) -> Throttle:
    """The provider's throttle now; an open one without limits where nothing is known."""
    row = connection.execute(
        "SELECT boot, requests, tokens, heard_requests, heard_tokens, hosts, closed_until, pause_s, strikes,"
        " left_requests, left_tokens, heard_at, heard_of FROM gates WHERE provider = ?",
        (provider,),
    ).fetchone()
    if row is None:
        return Throttle()
    known, requests, tokens, heard_requests, heard_tokens, hosts = row[:6]
    most_requests = _part(_lower(requests, heard_requests), hosts)
    most_tokens = _part(_lower(tokens, heard_tokens), hosts)
    if known != boot():
        return Throttle(most_requests, most_tokens)
    closed_until, pause_s, strikes, left_requests, left_tokens, heard_at, heard_of = row[6:]
    return Throttle(
        requests=most_requests,
        tokens=most_tokens,
        closed_until=closed_until,
        pause_s=pause_s,
        strikes=strikes,
        left_requests=None if left_requests is None else left_requests // hosts,
        left_tokens=None if left_tokens is None else left_tokens // hosts,
        heard_at=heard_at,
        heard_of=heard_of,
    )


def _lower(one: int | None, other: int | None) -> int | None:
    known = [limit for limit in (one, other) if limit is not None]
    return min(known, default=None)


def _part(limit: int | None, hosts: int) -> int | None:
    """An equal part, and at least one of it: a host that may ask nothing would never end."""
    return None if limit is None else max(limit // hosts, 1)
