"""The Dask engine on the side of a join: what a Dask worker carries out, and how it hears its command.

Owns the join's connection to the scheduler. The command is believed to live as long as it beats.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from cortex_git.services.joining import JoinReport, Order, Placement, join

if TYPE_CHECKING:
    from distributed import Worker

_ANSWER_S = 10.0
"""Longest wait for one answer of the scheduler."""
_SILENT_S = 60.0
"""A join that heard nothing of its command for so long drains: nobody is there to wait for it."""


def join_here(placement: Placement, number: int, name: str) -> JoinReport:
    """What Dask carries out on a worker: join number `number` of the command of that `name`."""
    from distributed import get_worker

    worker = get_worker()
    sender = _Command(worker, number, name)
    sender.say("")
    return join(placement, Path(worker.local_directory), worker.address, sender)


class _Command:
    """The command that sent a join, as the join sees it through the scheduler."""

    def __init__(self, worker: "Worker", number: int, name: str) -> None:
        from distributed import Variable, get_client

        self._worker = worker
        self._number = number
        self._name = name
        self._variable = Variable(name, client=get_client(timeout=_ANSWER_S))
        self._beat: int | None = None
        self._heard_at = time.monotonic()

    def say(self, text: str) -> None:
        self._worker.log_event(
            self._name, {"join": self._number, "place": self._worker.address, "text": text}
        )

    tell = say

    def order(self) -> Order:
        """The order that holds. A Dask worker that is being closed ends its join: it is gone in a moment."""
        status = self._worker.status.name
        if status in ("closing", "closed", "stopping", "stopped", "failed"):
            return "end"
        try:
            value = self._variable.get(timeout=_ANSWER_S / 2, callback_timeout=_ANSWER_S)
        except Exception:  # the scheduler is away, or the command and its variable are gone
            silent = self._beat is None or time.monotonic() - self._heard_at > _SILENT_S
            return "drain" if silent else "work"
        now = time.monotonic()
        if value["beat"] != self._beat:
            self._beat, self._heard_at = value["beat"], now
        if now - self._heard_at > _SILENT_S or (status == "closing_gracefully" and value["order"] == "work"):
            return "drain"
        order: Order = value["order"]
        return order
