"""One turn of a model: bounded, reserved, sent at the gate's leave, and tried again where that may help.

Owns the only retries there are, the SDKs' own being off. Nothing is sent that the attempt's tokens do not
cover at its worst, and a call that was lost has cost its worst.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cortex_git.limits.gate import TooLate
from cortex_git.limits.ledger import Exhausted
from cortex_git.limits.meter import Meter
from cortex_git.llm import CallFailed, Client, Reply, Request, Throttled
from cortex_git.runners.agent.answers import SUBMIT
from cortex_git.runners.agent.conversation import Conversation
from cortex_git.runners.agent.prompts import LAST_TURN
from cortex_git.state import monotonic

FLOOR = 256
"""Fewest output tokens that a call is worth making for."""
MOST_FAILURES = 6
"""Calls in a row that may fail before the attempt does."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Turn(NamedTuple):
    """A model's answer. `last`: it was told that no further turn is affordable."""

    reply: Reply
    last: bool


@dataclass
class Caller:
    """A model, and the tokens and time that one attempt has for it."""

    client: Client
    meter: Meter
    most_output: int
    """Tokens of one answer."""
    deadline: float
    """By `state.monotonic`."""
    insist: bool
    """The last affordable turn has to be the result. Otherwise it may still change files, too."""
    sleep: Callable[[float], None] = time.sleep

    def ask(self, conversation: Conversation, *, finish: bool = False) -> Turn:
        """The model's next answer; with `finish` it is the result.

        Raises Exhausted, TooLate, or what the last of several calls failed with.
        """
        last = self._is_last(conversation)
        if last and not finish:
            conversation.say([{"type": "text", "text": LAST_TURN}])
        must_use = SUBMIT if finish or (last and self.insist) else None
        failures = 0
        while True:
            room = self.meter.left - conversation.bound
            if room < FLOOR:
                raise Exhausted(conversation.bound + FLOOR, self.meter.left)
            request = conversation.request(min(self.most_output, room), must_use)
            try:
                return Turn(self._call(request, conversation.bound), last)
            except CallFailed as error:
                failures += 1
                if not error.again or failures == MOST_FAILURES:
                    raise
                if not isinstance(error, Throttled):  # for that one the gate waits
                    self._pause(failures)

    def _call(self, request: Request, bound: int) -> Reply:
        with self.meter.call(bound + request.max_output, self.deadline) as call:
            try:
                reply = self.client.reply(request, call.on_sent)
            except CallFailed as error:
                call.failed(error)
                raise
            call.settle(reply.usage, reply.limits)
        return reply

    def _is_last(self, conversation: Conversation) -> bool:
        """Whether no turn after the next one is affordable.

        Where our own bound says so the provider is asked to count, since a byte is not yet a token.
        """
        if self.meter.left < 2 * conversation.bound + self.most_output and not conversation.is_counted:
            counted = self._count(conversation)
            if counted is not None:
                conversation.counted(counted)
        return self.meter.left < 2 * (conversation.bound + FLOOR)

    def _count(self, conversation: Conversation) -> int | None:
        """None where the gate lets nothing out now, or the provider does not say."""
        if not self.meter.may_ask():
            return None
        try:
            return self.client.count(conversation.request(self.most_output))
        except CallFailed as error:
            self.meter.refused(error)
            return None

    def _pause(self, failures: int) -> None:
        """Exponential, with full jitter. Raises TooLate where the time is up before its end."""
        pause = random.uniform(0.1, 1.0) * min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (failures - 1))  # noqa: S311
        if monotonic() + pause >= self.deadline:
            raise TooLate("the attempt's time is up", "give the task a longer --deadline")
        self.sleep(pause)
