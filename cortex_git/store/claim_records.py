"""The records that take a given-back claim's place, and how long its task then waits.

Owns what they say of epochs and attempts; `claims` writes them.
"""

import secrets
import uuid

from cortex_git.models import ClaimRecord


def given_back(record: ClaimRecord, *, begun: bool) -> ClaimRecord:
    """The record of a claim given back, of a task that was tried before: anybody's at once.

    `begun`: an attempt under it was broken off, which uses none up; the next run of it is of the next epoch.
    """
    changes = {"state": "released", "retry_after_s": 0.0, "epoch": record.epoch + int(begun)}
    return record.model_copy(update={**changes, "nonce": uuid.uuid4().hex})


def released(record: ClaimRecord, retry_after_s: float) -> ClaimRecord:
    """The record of a claim given back after a failed attempt."""
    changes = {"state": "released", "attempt": record.attempt + 1, "retry_after_s": retry_after_s}
    return record.model_copy(update={**changes, "nonce": uuid.uuid4().hex})


def backoff_s(attempt: int, base_s: float, most_s: float) -> float:
    """Seconds to wait after failed attempt number `attempt`: doubled each time, with jitter of half."""
    full = min(most_s, base_s * 2.0 ** min(attempt - 1, 30))
    return full * (0.5 + secrets.randbelow(1000) / 2000)
