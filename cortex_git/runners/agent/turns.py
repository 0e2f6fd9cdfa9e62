"""The turns of an attempt: a model talks and uses tools until it hands in its result, or has to end.

Owns when that is. Must never raise for what a model does or a provider fails with: each is an ending.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cortex_git.limits.gate import TooLate
from cortex_git.limits.ledger import Exhausted
from cortex_git.llm import Block, CallFailed, Reply
from cortex_git.runners import OutcomeStatus
from cortex_git.runners.agent.answers import SUBMIT, Answer, Unusable, parsed
from cortex_git.runners.agent.calling import Caller
from cortex_git.runners.agent.conversation import CUT, Conversation, text_of
from cortex_git.runners.agent.prompts import ASK_FOR_RESULT, CUT_OFF, NOT_OF_ITS_FORM, Marks, cut
from cortex_git.runners.agent.record import Record
from cortex_git.runners.agent.tools import Toolbox
from cortex_git.state import monotonic

MOST_TOOL_ANSWER = 6000
"""Bytes of a tool's answer that the model gets; fewer where few tokens are left."""
_LEAST_TOOL_ANSWER = 500


@dataclass(frozen=True, slots=True)
class Ending:
    """How the turns ended; `answer` is the model's result where there is one in its form."""

    status: OutcomeStatus
    answer: Answer | None = None
    error: str | None = None
    retry: bool = False


@dataclass
class Turns:
    """One attempt's conversation with its tools."""

    conversation: Conversation
    caller: Caller
    tools: Toolbox | None
    """None where there is no folder to use any in: then there is only the result to hand in."""
    form: type[Answer]
    marks: Marks
    record: Record
    most: int
    """Most turns."""
    _asked: bool = False
    """For a result, or for one that can be read: that is done once."""
    _unread: bool = False
    """A result was handed in that could not be read."""

    def work(self) -> Ending:
        """Take turns until there is an ending."""
        finish = False
        while True:
            ending = self._limit() or self._turn(finish or self._final)
            if isinstance(ending, Ending):
                return ending
            finish = ending

    @property
    def _final(self) -> bool:
        """Whether the next turn is the last that there may be."""
        return self.record.turns + 1 >= self.most

    def _limit(self) -> Ending | None:
        if monotonic() >= self.caller.deadline:
            return Ending("timed_out", error="the time ran out")
        if self.record.turns >= self.most:
            return Ending("budget_exhausted", error=f"took all of its {self.most} turns")
        return None

    def _turn(self, finish: bool) -> Ending | bool:
        """One turn: the ending, or whether the next has to be the result."""
        final = self._final
        try:
            reply, last = self.caller.ask(self.conversation, finish=finish)
        except Exhausted as error:
            return Ending("budget_exhausted", error=error.message)
        except TooLate as error:
            return Ending("timed_out", error=error.message)
        except CallFailed as error:
            return Ending("failed", error=str(error), retry=error.again)
        last = last or final
        uses = self.conversation.answered(reply)
        self.record.answered(reply.usage, text_of(reply.content))
        if uses:
            return self._use(uses, last)
        return self._said(reply, last)

    def _said(self, reply: Reply, last: bool) -> Ending | bool:
        """The model used no tool: it was cut off, paused, refused, or takes itself to be done."""
        if reply.stop == "refusal":
            return Ending("failed", error="the model refused the task")
        if reply.stop == "pause_turn":
            return False
        if reply.stop in CUT:
            self._tell(CUT_OFF)
            return False
        if self._asked or last:
            return self._as_text(last)
        self._asked = True
        self._tell(ASK_FOR_RESULT)
        return True

    def _use(self, uses: Sequence[Block], last: bool) -> Ending | bool:
        """Use the tools in the order that the model gave, its result after all others."""
        answers: list[Block] = []
        allowance = 2 * MOST_TOOL_ANSWER
        for use in (one for one in uses if one["name"] != SUBMIT):
            most = max(_LEAST_TOOL_ANSWER, min(MOST_TOOL_ANSWER, allowance, self.caller.meter.left))
            text, failed = self._used(str(use["name"]), use.get("input"))
            text = cut(text, most)
            allowance -= len(text)
            answers.append(_result(use, self.marks.data(text), failed=failed))
        handed_in = [one for one in uses if one["name"] == SUBMIT]
        if not handed_in:
            self.conversation.say(answers)
            return False
        return self._handed_in(handed_in, answers, last)

    def _used(self, name: str, arguments: object) -> tuple[str, bool]:
        if monotonic() >= self.caller.deadline:
            return "not done: the time is up", True
        if self.tools is None:
            return f"there is no tool {name[:40]!r}; there is {SUBMIT}", True
        answer = self.tools.use(name, arguments if isinstance(arguments, dict) else {})
        self.record.used(name, arguments, failed=answer.error)
        self.record.worked(self.tools.log, self.tools.changed)
        return answer.text, answer.error

    def _handed_in(self, handed_in: Sequence[Block], answers: list[Block], last: bool) -> Ending | bool:
        """The ending that the model's result makes; one that cannot be read is asked for once more."""
        try:
            answer = parsed(self.form, handed_in[-1].get("input"))
        except Unusable as error:
            self.record.so_far["unread"] = cut(str(handed_in[-1].get("input")), MOST_TOOL_ANSWER)
            if self._unread or last:
                return self._as_text(last)
            self._unread = self._asked = True
            why = NOT_OF_ITS_FORM.format(why=error)
            self.conversation.say([*answers, *(_result(use, why, failed=True) for use in handed_in)])
            return True
        self.record.so_far.pop("unread", None)
        self.record.handed_in(answer.model_dump(mode="json"))
        if last and answer.remaining:
            return Ending("budget_exhausted", answer, "the tokens or turns ran out before all was done")
        return Ending("completed", answer)

    def _as_text(self, last: bool) -> Ending:
        """The model is done and its result, if any, is in no form: what it said stays."""
        if last:
            return Ending("budget_exhausted", error="the tokens or turns ran out before there was a result")
        return Ending("completed")

    def _tell(self, text: str) -> None:
        self.conversation.say([{"type": "text", "text": text}])


def _result(use: Block, text: str, *, failed: bool) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": use["id"], "content": text}
    return {**block, "is_error": True} if failed else block
