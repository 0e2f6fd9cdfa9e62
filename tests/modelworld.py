"""Servers that speak as model providers do, on 127.0.0.1, for tests and measurements.

`MessagesServer` speaks the Messages API: streamed and whole answers, tool use, counting, message batches,
errors and rate-limit headers. It bills what it says it used and keeps a log of it. What it answers is a
script: a list of answers, or a function of the request. Also a program: `python modelworld.py --help`.
"""

import argparse
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from httpworld import Served, Server

Block = dict[str, Any]


def text(words: str) -> Block:
    return {"type": "text", "text": words}


def use(name: str, **arguments: Any) -> Block:
    """A model's wish to use a tool; the server gives it an id."""
    return {"type": "tool_use", "name": name, "input": arguments}


@dataclass
class Answer:
    """What the model says, or with `status` how the server fails."""

    content: Sequence[Block] = ()
    stop: str | None = None
    output: int | None = None
    """Output tokens (default: counted)."""
    cache_read: int = 0
    cache_write: int = 0
    status: int = 200
    retry_after: float | None = None
    drop: bool = False
    """The connection is cut in the middle of the answer."""
    hang_s: float = 0.0
    """Silence before the answer goes on."""
    delay_s: float = 0.0


Script = Callable[[dict[str, Any]], Answer | Sequence[Block]]


@dataclass
class Faults:
    """How often a request fails, as parts of one."""

    throttled: float = 0.0
    overloaded: float = 0.0
    dropped: float = 0.0
    hangs: float = 0.0
    retry_after_s: float = 1.0
    hang_s: float = 30.0


@dataclass
class Logged:
    """One request as the server saw it; times are seconds of `time.monotonic`."""

    arrived: float
    path: str
    status: int
    ended: float = 0.0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    retry_after: float | None = None

    @property
    def tokens(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write


def count_tokens(request: dict[str, Any]) -> int:
    """Input tokens of a request, as this server counts them: always the same for the same words."""
    said = {key: request.get(key) for key in ("system", "messages", "tools")}
    return 8 + len(json.dumps(_plain(said), ensure_ascii=False).encode()) // 4


def count_output(content: Sequence[Block]) -> int:
    return 4 + sum(len(json.dumps(block, ensure_ascii=False).encode()) for block in content) // 4


def _plain(value: Any) -> Any:
    """Without the marks for the cache, which are no words."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key != "cache_control"}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def scripted(answers: Sequence[Answer | Sequence[Block]]) -> Script:
    """The answers in their order, whoever asks; after the last one an error."""
    left = deque(answers)
    guard = threading.Lock()

    def next_answer(_request: dict[str, Any]) -> Answer | Sequence[Block]:
        with guard:
            return left.popleft() if left else Answer(status=500)

    return next_answer


def submitting(request: dict[str, Any], **fields: Any) -> list[Block]:
    """A result by the tool `submit` with the fewest fields that its schema takes, or else plain text."""
    form = next((tool["input_schema"] for tool in request.get("tools", []) if tool["name"] == "submit"), None)
    if form is None:
        return [text("done")]
    return [use("submit", **{**_least(form, form), **fields})]


def _least(schema: dict[str, Any], whole: dict[str, Any]) -> Any:
    """The smallest value that a JSON schema takes."""
    if "$ref" in schema:
        return _least(whole["$defs"][schema["$ref"].rsplit("/", 1)[1]], whole)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _least(schema["anyOf"][0], whole)
    kind = schema.get("type", "object")
    if kind == "object":
        needed = schema.get("required", [])
        return {name: _least(schema["properties"][name], whole) for name in needed}
    return {"string": "done", "integer": 1, "number": 1.0, "boolean": True, "array": [], "null": None}[kind]


class MessagesServer(Served):
    """The Messages API on a port of 127.0.0.1. Use as a context manager."""

    def __init__(
        self,
        script: Script | Sequence[Answer | Sequence[Block]] = submitting,
        *,
        key: str | None = None,
        faults: Faults | None = None,
        seed: int = 0,
        latency_s: tuple[float, float] = (0.0, 0.0),
        random_usage: bool = False,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        window_s: float = 60.0,
        counting: bool = True,
        port: int = 0,
        batch_delay_s: float = 0.0,
    ) -> None:
        """`key`: the one it takes (default: any). Its limits are enforced, by arrival, in any `window_s`."""
        self._script = script if callable(script) else scripted(script)
        self.key = key
        self._faults = faults or Faults()
        self._random = random.Random(seed)
        self._latency = latency_s
        self._random_usage = random_usage
        self._limits = requests_per_minute, tokens_per_minute
        self._window_s = window_s
        self._counting = counting
        self._batch_delay_s = batch_delay_s
        self._guard = threading.Lock()
        self.log: list[Logged] = []
        self.requests: list[dict[str, Any]] = []
        """The bodies of calls of the model that were answered."""
        self.batches: dict[str, _Batch] = {}
        super().__init__(_Handler, port)

    @property
    def billed(self) -> int:
        """Tokens billed so far."""
        with self._guard:
            return sum(entry.tokens for entry in self.log)

    def calls(self, status: int = 200) -> list[Logged]:
        """Calls of the model that were answered with that status."""
        with self._guard:
            return [one for one in self.log if one.path == "/v1/messages" and one.status == status]

    def fault(self) -> Answer | None:
        """What goes wrong with this request, by the dice."""
        faults, dice = self._faults, self._roll()
        for part, answer in (
            (faults.throttled, Answer(status=429, retry_after=faults.retry_after_s)),
            (faults.overloaded, Answer(status=529)),
            (faults.dropped, Answer(drop=True)),
            (faults.hangs, Answer(drop=True, hang_s=faults.hang_s)),
        ):
            if dice < part:
                return answer
            dice -= part
        return None

    def _roll(self) -> float:
        with self._guard:
            return self._random.random()

    def delay_s(self) -> float:
        with self._guard:
            return self._random.uniform(*self._latency)

    def begin(self, path: str, request: dict[str, Any]) -> tuple[Logged, bool]:
        """Note a request at its arrival; whether it is beyond the limits."""
        now = time.monotonic()
        with self._guard:
            entry = Logged(now, path, 0)
            lately = [
                one for one in self.log if one.arrived > now - self._window_s and one.status in (0, 200)
            ]
            most_requests, most_tokens = self._limits
            beyond = most_requests is not None and len(lately) >= most_requests
            expected = count_tokens(request)
            if most_tokens is not None and sum(one.tokens for one in lately) + expected > most_tokens:
                beyond = True
            self.log.append(entry)
            return entry, beyond

    def answer(self, request: dict[str, Any]) -> Answer:
        """What the script says, with ids for its tools and the tokens it takes."""
        said = self._script(request)
        answer = said if isinstance(said, Answer) else Answer(list(said))
        content = []
        for block in answer.content:
            if block["type"] == "tool_use" and "id" not in block:
                with self._guard:
                    block = {**block, "id": f"toolu_{self._random.getrandbits(64):016x}"}
            content.append(block)
        answer.content = content
        if answer.stop is None:
            used = any(block["type"] == "tool_use" for block in content)
            answer.stop = "tool_use" if used else "end_turn"
        if answer.output is None:
            answer.output = min(count_output(content), request["max_tokens"])
            if self._random_usage:
                with self._guard:
                    answer.output = self._random.randint(1, request["max_tokens"])
        return answer

    def bill(self, entry: Logged, request: dict[str, Any], answer: Answer) -> dict[str, int]:
        """Count the tokens of an answer; its usage as the API gives it."""
        counted = count_tokens(request)
        with self._guard:
            entry.cache_read = min(answer.cache_read, counted)
            entry.cache_write = min(answer.cache_write, counted - entry.cache_read)
            entry.input = counted - entry.cache_read - entry.cache_write
            entry.output = answer.output or 0
        return {
            "input_tokens": entry.input,
            "cache_creation_input_tokens": entry.cache_write,
            "cache_read_input_tokens": entry.cache_read,
            "output_tokens": entry.output,
        }

    def headers(self) -> dict[str, str]:
        """The rate limits as the API tells them with each answer."""
        now = time.monotonic()
        with self._guard:
            lately = [
                one for one in self.log if one.arrived > now - self._window_s and one.status in (0, 200)
            ]
        reset = (datetime.now(UTC) + timedelta(seconds=self._window_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
        found: dict[str, str] = {}
        used = (len(lately), sum(one.tokens for one in lately))
        for kind, most, taken in zip(("requests", "tokens"), self._limits, used, strict=True):
            if most is not None:
                name = f"anthropic-ratelimit-{kind}"
                found |= {
                    f"{name}-limit": str(most),
                    f"{name}-remaining": str(max(most - taken, 0)),
                    f"{name}-reset": reset,
                }
        return found

    def to_json(self) -> dict[str, Any]:
        with self._guard:
            entries = [asdict(one) | {"tokens": one.tokens} for one in self.log]
        return {"billed": sum(one["tokens"] for one in entries), "now": time.monotonic(), "log": entries}


Serve = Callable[..., MessagesServer]
"""Starts a server that this host's claude is at; takes what a server does."""


@dataclass
class _Batch:
    """A message batch: what was asked, and since when."""

    id: str
    created: float
    requests: list[dict[str, Any]]
    results: list[dict[str, Any]] = field(default_factory=list)
    cancelled: bool = False
    done: bool = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server["MessagesServer"]

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(120)

    def log_message(self, *_: Any) -> None:
        """No lines on stderr."""

    @property
    def world(self) -> MessagesServer:
        return self.server.world

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/_log":
            self._send(200, self.world.to_json())
        elif not self._allowed():
            return
        elif path.startswith("/v1/messages/batches"):
            self._get_batch(path)
        else:
            self._error(404, "not_found_error", f"no {path}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = urlsplit(self.path).path
        if not self._allowed():
            return
        try:
            request = json.loads(body) if body else {}
            problem = None if "/batches" in path else _problem(request, counted=path.endswith("count_tokens"))
        except (ValueError, KeyError, TypeError) as error:
            request, problem = {}, f"not understood: {error}"
        if problem is not None:
            self._error(400, "invalid_request_error", problem)
        elif path == "/v1/messages":
            self._messages(request)
        elif path == "/v1/messages/count_tokens" and self.world._counting:
            entry, _ = self.world.begin(path, {})
            entry.status = 200
            self._send(200, {"input_tokens": count_tokens(request)})
        elif path == "/v1/messages/batches":
            self._create_batch(request)
        elif path.endswith("/cancel"):
            batch = self.world.batches[path.split("/")[-2]]
            batch.cancelled = True
            self._send(200, self._batch_json(batch))
        else:
            self._error(404, "not_found_error", f"no {path}")

    def _allowed(self) -> bool:
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        given = self.headers.get("x-api-key") or bearer
        if given and self.world.key in (None, given):
            return True
        self._error(401, "authentication_error", "invalid x-api-key")
        return False

    def _messages(self, request: dict[str, Any]) -> None:
        world = self.world
        entry, beyond = world.begin("/v1/messages", request)
        try:
            fault = Answer(status=429, retry_after=1.0) if beyond else world.fault()
            if fault is not None and fault.status != 200:
                self._fail(entry, fault)
                return
            answer = world.answer(request)
            if answer.status != 200:
                self._fail(entry, answer)
                return
            if fault is not None:
                answer.drop, answer.hang_s = fault.drop, fault.hang_s
            usage = world.bill(entry, request, answer)
            entry.status = 200
            world.requests.append(request)
            time.sleep(answer.delay_s or world.delay_s())
            message = _message(request["model"], answer, usage)
            if request.get("stream"):
                self._stream(message, answer)
            else:
                time.sleep(answer.hang_s)
                if answer.drop:
                    self.close_connection = True
                    return
                self._send(200, message, world.headers())
        except OSError:
            self.close_connection = True
        finally:
            entry.ended = time.monotonic()

    def _fail(self, entry: Logged, answer: Answer) -> None:
        entry.status, entry.retry_after = answer.status, answer.retry_after
        kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(answer.status, "api_error")
        extra = {} if answer.retry_after is None else {"retry-after": f"{answer.retry_after:g}"}
        self._error(answer.status, kind, "not now", {**self.world.headers(), **extra})

    def _stream(self, message: dict[str, Any], answer: Answer) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("request-id", message["id"])
        for name, value in self.world.headers().items():
            self.send_header(name, value)
        self.end_headers()
        events = list(_events(message))
        for number, event in enumerate(events):
            if number == len(events) // 2:
                time.sleep(answer.hang_s)
                if answer.drop:
                    self.close_connection = True
                    return
            self._chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _create_batch(self, request: dict[str, Any]) -> None:
        world = self.world
        entry, _ = world.begin("/v1/messages/batches", {})
        entry.status = 200
        batch = _Batch(f"msgbatch_{len(world.batches) + 1:04d}", time.monotonic(), request["requests"])
        for one in batch.requests:
            if problem := _problem(one["params"]):
                self._error(400, "invalid_request_error", problem)
                return
        with world._guard:
            world.batches[batch.id] = batch
        self._send(200, self._batch_json(batch))

    def _get_batch(self, path: str) -> None:
        parts = path.split("/")
        batches = self.world.batches
        if len(parts) == 4:
            newest = [self._batch_json(batch) for batch in reversed(list(batches.values()))]
            self._send(200, {"data": newest, "has_more": False, "first_id": None, "last_id": None})
            return
        batch = batches.get(parts[4])
        if batch is None:
            self._error(404, "not_found_error", "no such batch")
        elif parts[-1] == "results" and self._ended(batch):
            self._carry_out(batch)
            lines = "".join(json.dumps(one) + "\n" for one in reversed(batch.results)).encode()
            self._raw(200, lines, "application/x-jsonl", {})
        elif parts[-1] == "results":
            self._error(404, "not_found_error", "the batch has not ended")
        else:
            self._send(200, self._batch_json(batch))

    def _ended(self, batch: _Batch) -> bool:
        return batch.cancelled or time.monotonic() >= batch.created + self.world._batch_delay_s

    def _carry_out(self, batch: _Batch) -> None:
        """Answer every request of the batch, once; each is billed as it is answered."""
        with self.world._guard:
            if batch.done:
                return
            batch.done = True
        for one in batch.requests:
            entry, _ = self.world.begin("/v1/messages/batches/results", {})
            answer = self.world.answer(one["params"])
            entry.status = answer.status
            if batch.cancelled:
                result: dict[str, Any] = {"type": "canceled"}
            elif answer.status == 200:
                usage = self.world.bill(entry, one["params"], answer)
                message = _message(one["params"]["model"], answer, usage)
                result = {"type": "succeeded", "message": message}
            elif answer.status == 410:
                result = {"type": "expired"}
            else:
                error = {"type": "invalid_request_error", "message": "not now"}
                result = {"type": "errored", "error": {"type": "error", "error": error}}
            batch.results.append({"custom_id": one["custom_id"], "result": result})

    def _batch_json(self, batch: _Batch) -> dict[str, Any]:
        ended = self._ended(batch)
        created = datetime.now(UTC)
        counts = {"processing": 0 if ended else len(batch.requests), "succeeded": 0, "errored": 0}
        counts |= {"canceled": 0, "expired": 0}
        if ended:
            counts["succeeded"] = len(batch.requests)
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": created.isoformat(),
            "expires_at": (created + timedelta(days=1)).isoformat(),
            "ended_at": created.isoformat() if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{self.world.url}/v1/messages/batches/{batch.id}/results" if ended else None,
        }

    def _error(self, status: int, kind: str, words: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, {"type": "error", "error": {"type": kind, "message": words}}, headers)

    def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        self._raw(status, json.dumps(value).encode(), "application/json", headers or {})

    def _raw(self, status: int, data: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.send_header("request-id", f"req_{time.monotonic_ns():x}")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _message(model: str, answer: Answer, usage: dict[str, int]) -> dict[str, Any]:
    return {
        "id": f"msg_{time.monotonic_ns():x}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(answer.content),
        "stop_reason": answer.stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A message as the API streams it."""
    usage = message["usage"]
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        if block["type"] == "tool_use":
            yield {"type": "content_block_start", "index": index, "content_block": {**block, "input": {}}}
            words = json.dumps(block["input"])
            parts = [{"type": "input_json_delta", "partial_json": one} for one in _halves(words)]
        elif block["type"] == "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            yield {"type": "content_block_start", "index": index, "content_block": empty}
            parts = [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        else:
            empty = {"type": "text", "text": ""}
            yield {"type": "content_block_start", "index": index, "content_block": empty}
            parts = [{"type": "text_delta", "text": one} for one in _halves(block["text"])]
        for part in parts:
            yield {"type": "content_block_delta", "index": index, "delta": part}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _halves(words: str) -> list[str]:
    middle = len(words) // 2
    return [words[:middle], words[middle:]]


def _problem(request: dict[str, Any], *, counted: bool = False) -> str | None:
    """What is wrong with a request, as strictly as the API sees it."""
    if not isinstance(request.get("model"), str):
        return "model: field required"
    if not counted and (not isinstance(request.get("max_tokens"), int) or request["max_tokens"] < 1):
        return "max_tokens: field required"
    messages = request.get("messages")
    if not messages or messages[0]["role"] != "user":
        return "messages: first message must use the user role"
    for before, after in pairwise(messages):
        if before["role"] == after["role"]:
            return "messages: roles must alternate"
    marks = json.dumps(request).count('"cache_control"')
    if marks > 4:
        return f"a maximum of 4 blocks with cache_control may be provided, found {marks}"
    names = [tool["name"] for tool in request.get("tools", [])]
    if len(names) != len(set(names)):
        return "tools: names must be unique"
    choice = request.get("tool_choice") or {}
    if choice.get("type") == "tool" and choice.get("name") not in names:
        return "tool_choice: no such tool"
    return _unpaired(messages)


def _unpaired(messages: list[dict[str, Any]]) -> str | None:
    """Every use of a tool has its result in the very next message, and no result is without one."""
    wanted: set[str] = set()
    for message in messages:
        content = message["content"]
        blocks = content if isinstance(content, list) else [text(content)]
        if not blocks:
            return "messages: content must not be empty"
        if any(block["type"] == "text" and not block["text"] for block in blocks):
            return "messages: text content blocks must be non-empty"
        given = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if given != wanted:
            return f"messages: tool_use and tool_result do not match: {sorted(wanted ^ given)}"
        wanted = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return f"messages: tool_use without tool_result: {sorted(wanted)}" if wanted else None


def main() -> None:
    """Serve until killed; the first line on stdout is the address."""
    parser = argparse.ArgumentParser(
        description="A server that speaks the Messages API, with random answers."
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    for name in ("throttled", "overloaded", "dropped", "hangs"):
        parser.add_argument(f"--{name}", type=float, default=0.0, help="part of the requests")
    parser.add_argument("--retry-after", type=float, default=1.0)
    parser.add_argument("--hang", type=float, default=30.0, help="seconds")
    parser.add_argument("--latency", type=float, nargs=2, default=(0.0, 0.05), help="seconds, least and most")
    parser.add_argument("--requests-per-minute", type=int)
    parser.add_argument("--tokens-per-minute", type=int)
    parser.add_argument("--counted", action="store_true", help="usage as counted, not random")
    given = parser.parse_args()
    dice = random.Random(given.seed)

    def script(request: dict[str, Any]) -> Sequence[Block]:
        """Now and then it talks instead of handing in its result, until that is demanded."""
        talks = dice.random() < 0.4 and "tool_choice" not in request
        return [text("Let me think.")] if talks else submitting(request)

    faults = Faults(
        given.throttled, given.overloaded, given.dropped, given.hangs, given.retry_after, given.hang
    )
    with MessagesServer(
        script,
        faults=faults,
        seed=given.seed,
        port=given.port,
        latency_s=tuple(given.latency),
        random_usage=not given.counted,
        requests_per_minute=given.requests_per_minute,
        tokens_per_minute=given.tokens_per_minute,
    ) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
