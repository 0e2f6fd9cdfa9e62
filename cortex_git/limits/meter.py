"""One attempt's tokens and its turn at the provider: what stands between an agent and every call it makes.

Owns the order: tokens are reserved first, then the gate is waited for, and the transaction that admits the
call also marks it as sent. Must never leave a call open: it is settled, given back, or counted at its worst.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from cortex_git.limits.gate import Gate
from cortex_git.limits.ledger import Ledger, mark_sent
from cortex_git.llm import CallFailed, Limits, Throttled, Usage


class Meter:
    """The tokens of the attempt `nonce`, for calls of `model`."""

    def __init__(self, ledger: Ledger, gate: Gate, nonce: str, model: str) -> None:
        self._ledger = ledger
        self._gate = gate
        self._nonce = nonce
        self._model = model

    @property
    def left(self) -> int:
        """Tokens that the attempt may still reserve."""
        return self._ledger.left(self._nonce)

    def call(self, worst: int, deadline: float) -> "Call":
        """Leave for a call that takes at most so many tokens; it is to be made at once.

        `deadline` is by `state.monotonic`. Raises Exhausted, or TooLate. The leave is in the log before
        the client makes the request ready, which takes it milliseconds: give it `Call.on_sent` for those.
        """
        reservation = self._ledger.reserve(
            self._nonce, worst, model=self._model, provider=self._gate.provider
        )
        try:
            admission = self._gate.wait(
                worst, deadline, before_commit=lambda connection: mark_sent(connection, reservation)
            )
        except BaseException:
            self._ledger.release(reservation)
            raise
        again = lambda: self.call(worst, deadline)  # noqa: E731
        return Call(self._ledger, self._gate, reservation, admission, worst, again)

    def may_ask(self) -> bool:
        """Leave for a request that costs no tokens, such as one to count some; it counts as a request."""
        admission = self._gate.admit(0)
        if not isinstance(admission, int):
            return False
        self._gate.done(admission, 0, answered=False)
        return True

    def refused(self, error: CallFailed) -> None:
        """A request without tokens failed: everyone waits where the provider says so."""
        self._gate.heard(error.limits)
        if isinstance(error, Throttled):
            self._gate.close(error.retry_after_s)


@dataclass
class Call:
    """A call under way. As a context manager it counts at its worst where nobody says how it ended."""

    _ledger: Ledger
    _gate: Gate
    _reservation: int
    _admission: int
    _worst: int
    _again: "Callable[[], Call]"
    _ended: bool = field(default=False)

    @property
    def alone(self) -> bool:
        """Whether it is larger than a whole minute's limit, and so goes out with no other beside it."""
        return self._gate.is_larger(self._worst)

    def on_sent(self) -> None:
        """For the client, right before its request goes out: if the gate has been closed since, wait again.

        Raises Exhausted or TooLate, with nothing left to end.
        """
        while not self._ended and not self._gate.stands(self._admission):
            self._end()
            self._gate.withdraw(self._admission)
            self._ledger.release(self._reservation)
            fresh = self._again()
            self._reservation, self._admission, self._ended = fresh._reservation, fresh._admission, False

    def settle(self, usage: Usage, limits: Limits | None = None) -> None:
        """It was answered, and used that."""
        if self._end():
            self._ledger.settle(self._reservation, usage)
            self._gate.done(self._admission, usage.total, answered=True)
            self._gate.heard(limits or Limits(), self._admission)

    def failed(self, error: CallFailed) -> None:
        """It brought no answer. What may have been billed counts at its worst."""
        if not self._end():
            return
        if isinstance(error, Throttled):  # first, so that as few as can be still go out
            self._gate.close(error.retry_after_s)
        if error.billed:
            self._ledger.worst(self._reservation)
        else:
            self._ledger.release(self._reservation)
        self._gate.done(self._admission, self._worst if error.billed else 0, answered=False)
        self._gate.heard(error.limits, self._admission)

    def lost(self) -> None:
        """Nobody knows how it ended: it counts at its worst."""
        if self._end():
            self._ledger.worst(self._reservation)
            self._gate.done(self._admission, self._worst, answered=False)

    def _end(self) -> bool:
        first, self._ended = not self._ended, True
        return first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lost()
