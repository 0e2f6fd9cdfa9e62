"""What a claim is to its holder, the records that take its place when it is given back, and the wait then.

Owns what they say of epochs and attempts; `releasing` writes them.
"""

import secrets
import uuid
from dataclasses import dataclass

from cortex_git.models import ClaimRecord, Result, ResultStatus, Task
from cortex_git.state import now


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim this host holds: `oid`, the ref's exact object id, is the fencing token."""

    task: Task
    oid: str
    record: ClaimRecord

    def ended(self, status: ResultStatus, error: str | None = None) -> Result:
        """The result that ends the task now, under this claim and without a worker's report."""
        record = self.record
        return Result(
            task=self.task.task,
            batch=self.task.batch,
            status=status,
            type=self.task.type,
            master=self.task.responsible,
            worker=record.worker,
            host=record.host,
            nonce=record.nonce,
            epoch=record.epoch,
            attempt=min(record.attempt, self.task.max_attempts),
            completed_at=now(),
            error=error,
        )


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
