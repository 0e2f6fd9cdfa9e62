"""How many workers a provider's limits keep busy, by the calls that ended lately.

Owns that estimate, which bounds the pool's size. Changes nothing.
"""

import math
import sqlite3

from cortex_git.limits.throttle import boot, throttle_of
from cortex_git.state import uptime

_LATELY = 5
"""Windows that are looked at."""
_BETWEEN = 2
"""A worker also does other things than call: so many times the workers that calls back to back would need."""


def workers_fed(connection: sqlite3.Connection, provider: str, window_s: float) -> int | None:
    """How many workers the limits feed; None where nothing limits, or no call with tokens ended lately."""
    throttle = throttle_of(connection, provider)
    calls, seconds, tokens = connection.execute(
        "SELECT count(*), coalesce(sum(ended - at), 0), coalesce(sum(tokens), 0) FROM gate_log"
        " WHERE provider = ? AND boot = ? AND kind = 'call' AND ended IS NOT NULL AND tokens > 0"
        " AND at > ?",
        (provider, boot(), uptime() - _LATELY * window_s),
    ).fetchone()
    if not calls or not seconds:
        return None
    in_a_window = calls / seconds * window_s
    fed = [
        most / (each * in_a_window)
        for most, each in ((throttle.requests, 1.0), (throttle.tokens, tokens / calls))
        if most is not None
    ]
    return math.ceil(_BETWEEN * min(fed)) + 1 if fed else None
