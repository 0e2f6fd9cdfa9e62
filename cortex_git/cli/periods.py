"""Periods as a person gives them: `24h`, `7d`, `2026-11-01`, `2026-11-01T08:00+01:00`, `all`.

Owns their form. Where no time zone is given it is UTC, as in every stored moment.
"""

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cortex_git.errors import BadInput

if TYPE_CHECKING:
    from cortex_git.services.reporting import Period

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhdw])")
EVERYTHING = "all"
USUAL = "24h"


def period_of(since: str | None, until: str | None, batch: str | None) -> "Period":
    """What the options say; without `--since` the 24 hours before `--until`, or all of the batch.

    Raises BadInput.
    """
    from cortex_git.services.reporting import Period

    now = time.time()
    end = None if until is None else moment_of(until, "--until", now)
    if since is None:
        since = EVERYTHING if batch is not None else USUAL
        start = None if batch is not None else moment_of(USUAL, "--since", now if end is None else end)
    else:
        start = None if since == EVERYTHING else moment_of(since, "--since", now)
    if start is not None and start >= (now if end is None else end):
        if end is None:
            raise BadInput(f"--since {since!r} has not come yet", "give an earlier moment")
        raise BadInput(f"--since {since!r} is not before --until {until!r}", "give them the other way round")
    return Period(start, end, batch, now)


def moment_of(text: str, option: str, now: float) -> float:
    """The moment in seconds since 1970: so long before `now`, or the one that is named. Raises BadInput."""
    found = _AGO.fullmatch(text)
    if found is not None:
        return max(now - float(found[1]) * _UNITS[found[2]], 0.0)
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return max(moment.timestamp(), 0.0)
    except (ValueError, OverflowError, OSError):
        raise BadInput(
            f"{option} {text!r} is no moment", "give 24h, 7d, 2026-11-01 or 2026-11-01T08:00Z (UTC)"
        ) from None
