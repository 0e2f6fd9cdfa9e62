"""A server that speaks OpenAI's chat completions, on 127.0.0.1, for tests.

It answers from a script in the words of `modelworld`, streamed, and counts what it bills.
"""

import json
import time
from collections import deque
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

from httpworld import Served, Server
from modelworld import Answer, Block


class ChatServer(Served):
    """Chat completions on a port of 127.0.0.1. Use as a context manager."""

    def __init__(
        self,
        answers: Sequence[Answer | Sequence[Block]],
        *,
        old: bool = False,
        tells_usage: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        """`old`: it knows `max_tokens` only. `headers` come with every answer."""
        self.answers = deque(answers)
        self.old = old
        self.tells_usage = tells_usage
        self.headers = headers or {}
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.billed = 0
        super().__init__(_Handler)

    @property
    def url(self) -> str:
        return f"{super().url}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server["ChatServer"]

    def log_message(self, *_: Any) -> None:
        """No lines on stderr."""

    def do_POST(self) -> None:
        world = self.server.world
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        world.keys.append(self.headers.get("authorization", ""))
        if self.path != "/v1/chat/completions":
            self._fail(404, "no such path")
            return
        wanted = "max_tokens" if world.old else "max_completion_tokens"
        if wanted not in request:
            unknown = "max_completion_tokens" if world.old else "max_tokens"
            self._fail(400, f"Unrecognized request argument supplied: {unknown}")
            return
        world.requests.append(request)
        said = world.answers.popleft()
        answer = said if isinstance(said, Answer) else Answer(list(said))
        if answer.status != 200:
            self._fail(answer.status, "not now", answer.retry_after)
            return
        self._stream(request, answer)

    def _fail(self, status: int, words: str, retry_after: float | None = None) -> None:
        data = json.dumps({"error": {"message": words, "type": "error", "code": None}}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if retry_after is not None:
            self.send_header("retry-after", f"{retry_after:g}")
        for name, value in self.server.world.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, request: dict[str, Any], answer: Answer) -> None:
        world = self.server.world
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        for name, value in world.headers.items():
            self.send_header(name, value)
        self.end_headers()
        used = [block for block in answer.content if block["type"] == "tool_use"]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": block["text"]} for block in answer.content if block["type"] == "text"]
        for index, block in enumerate(used):
            function = {"name": block["name"], "arguments": ""}
            deltas.append({"tool_calls": [{"index": index, "id": f"call_{index}", "function": function}]})
            for part in (json.dumps(block["input"])[:5], json.dumps(block["input"])[5:]):
                deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
        stop = answer.stop or ("tool_calls" if used else "stop")
        for number, delta in enumerate(deltas):
            if answer.drop and number:
                self.close_connection = True
                return
            self._chunk(request, [{"index": 0, "delta": delta, "finish_reason": None}])
        self._chunk(request, [{"index": 0, "delta": {}, "finish_reason": stop}])
        usage = {"prompt_tokens": len(json.dumps(request["messages"])) // 4, "completion_tokens": 20}
        usage |= {"total_tokens": sum(usage.values())}
        usage_read = {"prompt_tokens_details": {"cached_tokens": answer.cache_read}}
        world.billed += usage["total_tokens"]
        if world.tells_usage:
            self._chunk(request, [], usage | usage_read)
        self._write(b"data: [DONE]\n\n")
        self._write(b"")

    def _chunk(
        self, request: dict[str, Any], choices: list[dict[str, Any]], usage: dict[str, Any] | None = None
    ) -> None:
        value = {
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": int(time.time()),
            "model": request["model"], "choices": choices, "usage": usage,
        }  # fmt: skip
        self._write(f"data: {json.dumps(value)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
