"""A streamed answer of the Messages API, put together from its events.

Owns what becomes of a tool's arguments that are no JSON object: `{}`, marked, so that the tool says what is
missing and the call costs what the provider reported, not its worst.
"""

import json
from typing import Any

MALFORMED = "error"
"""Key of a `tool_use` block: what was said in the place of arguments. Never sent."""
_GROWS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
"""Deltas that are the next part of a field of their block."""


class Parts:
    """The message so far, in the form of an answer that is not streamed."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        self._arguments: dict[int, str] = {}

    def add(self, event: dict[str, Any]) -> None:
        """Take in the next event. One of a kind that is not known adds nothing."""
        kind = event["type"]
        if kind == "message_start":
            self.message = {**event["message"], "content": []}
        elif kind == "content_block_start":
            self.message["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            self._grow(event["index"], event["delta"])
        elif kind == "content_block_stop":
            self._close(event["index"])
        elif kind == "message_delta":
            self.message.update(event["delta"])
            self.message["usage"] = {**(self.message.get("usage") or {}), **(event.get("usage") or {})}

    def _grow(self, index: int, delta: dict[str, Any]) -> None:
        block = self.message["content"][index]
        if delta["type"] == "input_json_delta":
            self._arguments[index] = self._arguments.get(index, "") + delta["partial_json"]
        elif delta["type"] == "citations_delta":
            block["citations"] = [*block.get("citations", ()), delta["citation"]]
        elif field := _GROWS.get(delta["type"]):
            block[field] = block.get(field, "") + delta[field]

    def _close(self, index: int) -> None:
        text = self._arguments.pop(index, "")
        if not text:
            return
        block = self.message["content"][index]
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        block["input"] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            block[MALFORMED] = f"its arguments are no JSON object: {text[:200]}"
