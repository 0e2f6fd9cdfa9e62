"""The messages of one attempt, and the most input tokens that sending them again can cost.

Owns the bound. It is safe without asking anyone: a token stands for at least one byte of what is sent, so
that the bytes of the request bound its tokens; once the provider has counted a request, what was added
since is all that has to be bounded so. Must never send anything itself.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cortex_git.llm import Block, Message, Reply, Request

SLACK = 64
"""Tokens between what a provider counts before a call and what it bills ("a small amount", it says)."""
UNSEEN = 1024
"""Tokens that a provider may add before it has counted once: for tools it puts text of its own in front."""

CUT = frozenset({"max_tokens", "model_context_window_exceeded"})
"""Reasons to stop that leave an answer half said."""


class Conversation:
    """What was said so far, ready to be sent."""

    def __init__(self, model: str, system: str, tools: Sequence[Mapping[str, Any]], first: str) -> None:
        self.model = model
        self._system = system
        self._tools = tools
        self._messages: list[Message] = []
        self._known = 0
        """Tokens of the messages up to `_counted`, as the provider said or as was bounded."""
        self._added = _bytes([system, list(tools)]) + UNSEEN
        """The most that everything after that can be."""
        self.say([{"type": "text", "text": first}])

    @property
    def bound(self) -> int:
        """Most input tokens of the next request."""
        return self._known + self._added + SLACK

    @property
    def is_counted(self) -> bool:
        """Whether the provider has counted the next request."""
        return not self._added

    def request(self, max_output: int, must_use: str | None = None) -> Request:
        """The next call. The messages are not shared with it: it stays as it is."""
        return Request(
            self.model, self._system, tuple(self._messages), max_output, tools=self._tools, must_use=must_use
        )

    def counted(self, tokens: int) -> None:
        """The provider has counted the next request; it wins where it is less than our bound."""
        if tokens < self._known + self._added:
            self._known, self._added = tokens, 0

    def answered(self, reply: Reply) -> list[Block]:
        """Add the model's answer; the tools it wants to use, none of them cut off half-way.

        Its input and output are all that the next request has to hold, as far as it is known.
        """
        self._known, self._added = reply.usage.total, 0
        content = [block for block in reply.content if not _empty(block) and not _nameless(block)]
        if reply.stop in CUT:
            content = [block for block in content if not _half(block)]
        self._add("assistant", content or [{"type": "text", "text": "(nothing)"}])
        return [block for block in content if block.get("type") == "tool_use"]

    def say(self, content: Sequence[Block]) -> None:
        """Add what the model is told next."""
        self._add("user", list(content))
        self._added += _bytes(list(content)) + SLACK

    def _add(self, role: str, content: list[Block]) -> None:
        """Two messages of one role become one: providers want them to take turns."""
        last = self._messages[-1] if self._messages else None
        if last is not None and last["role"] == role:
            self._messages[-1] = {"role": role, "content": [*last["content"], *content]}
        else:
            self._messages.append({"role": role, "content": content})


def text_of(content: Sequence[Block]) -> str:
    """What a model said in plain text."""
    words = (block.get("text") or "" for block in content if block.get("type") == "text")
    return "\n".join(map(str, words)).strip()


def _half(block: Block) -> bool:
    """What may have been cut off half-way: no tool is used so, and unsigned thinking is not taken back."""
    kind = block.get("type")
    return kind == "tool_use" or (kind == "thinking" and not block.get("signature"))


def _empty(block: Block) -> bool:
    """An empty text, which the API gives and does not take back."""
    return block.get("type") == "text" and not str(block.get("text") or "").strip()


def _nameless(block: Block) -> bool:
    """A use of a tool that says no tool, or has no id to answer to: some gateways leave one out."""
    named = all(isinstance(block.get(key), str) and block[key] for key in ("id", "name"))
    return block.get("type") == "tool_use" and not named


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
