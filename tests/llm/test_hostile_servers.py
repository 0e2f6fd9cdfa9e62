"""What servers, gateways and files that do not keep to the protocol cost: never a crash, never a guess."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from modelworld import Answer, MessagesServer, text

from cortex_git.config import HostSettings, OpenAI, Provider
from cortex_git.errors import BadInput
from cortex_git.llm import Broken, Dropped, NoKey, Request
from cortex_git.llm.claude import Claude
from cortex_git.llm.clients import client
from cortex_git.llm.openai import OpenAIServer

ASKED = Request("m", "", [{"role": "user", "content": [text("hi")]}], 50)
START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "usage": {"input_tokens": 10, "output_tokens": 1},
    },
}  # fmt: skip

Serve = Callable[[Callable[[str], tuple[str, bytes, int]]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that answers every path with a content type, bytes and the length that it claims for them."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[str], tuple[str, bytes, int]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                kind, data, length = answer(f"{self.headers['host']}{self.path}")
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(length))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """No lines on stderr."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def whole(kind: str, data: bytes) -> tuple[str, bytes, int]:
    return kind, data, len(data)


def streamed(*events: dict[str, Any]) -> Callable[[str], tuple[str, bytes, int]]:
    data = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()
    return lambda _path: whole("text/event-stream", data)


def using_a_tool(arguments: str, stop: str = "tool_use") -> Callable[[str], tuple[str, bytes, int]]:
    block = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}
    return streamed(
        START,
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "input_json_delta", "partial_json": arguments}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 20}},
        {"type": "message_stop"},
    )  # fmt: skip


@pytest.mark.parametrize("arguments", ['{"path": oops}', '{"path": "a', "[1, 2]", "null"])
def test_arguments_that_are_no_object_are_marked_and_cost_what_was_reported(
    serve: Serve, arguments: str
) -> None:
    reply = Claude(Provider(base_url=serve(using_a_tool(arguments)))).reply(ASKED)
    (block,) = reply.content
    assert block["input"] == {}
    assert arguments in block["error"]
    assert reply.usage.total == 30


def test_the_mark_is_not_given_back() -> None:
    marked = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}, "error": "none"}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "path is missing", "error": True}
    messages = [
        *ASKED.messages,
        {"role": "assistant", "content": [marked]},
        {"role": "user", "content": [result]},
    ]
    with MessagesServer([[text("ok")]]) as server:
        Claude(Provider(base_url=server.url)).reply(Request("m", "", messages, 50))
        assert "error" not in server.requests[0]["messages"][1]["content"][0]


def test_an_answer_that_does_not_say_what_it_used_counts_at_its_worst(serve: Serve) -> None:
    silent = {**START, "message": {**START["message"], "usage": {}}}
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    with pytest.raises(Dropped, match="how many tokens"):
        Claude(Provider(base_url=serve(streamed(silent, ended)))).reply(ASKED)


@pytest.mark.parametrize(
    "used",
    [
        *({"output_tokens": -5000}, {"output_tokens": 10**30}),
        *({"output_tokens": 2, "cache_read_input_tokens": odd} for odd in (-5000, "many")),
    ],
)
def test_an_answer_that_gives_tokens_back_counts_at_its_worst(serve: Serve, used: dict[str, Any]) -> None:
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": used}
    with pytest.raises(Dropped, match="how many tokens"):
        Claude(Provider(base_url=serve(streamed(START, ended)))).reply(ASKED)


@pytest.mark.parametrize("used", [(-5000, 2, 0), (10, -1, 0), (10, 2, -5000), (10, 10**30, 0)])
def test_a_chat_server_that_gives_tokens_back_counts_at_its_worst(
    serve: Serve, used: tuple[int, int, int]
) -> None:
    usage = {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": 1}
    usage |= {"prompt_tokens_details": {"cached_tokens": used[2]}}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": usage}
    chunk |= {"choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop"}]}
    data = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    url = serve(lambda _path: whole("text/event-stream", data))
    with pytest.raises(Dropped, match="how many tokens"):
        OpenAIServer(OpenAI(base_url=url)).reply(ASKED)


@pytest.mark.parametrize(("kind", "data"), [("application/json", b"{}"), ("text/html", b"<html>")])
def test_a_gateway_that_cannot_count(serve: Serve, kind: str, data: bytes) -> None:
    assert Claude(Provider(base_url=serve(lambda _path: whole(kind, data)))).count(ASKED) is None


@pytest.mark.parametrize(("data", "missing"), [(b'{"custom_id": "a",', 100), (b"oops\n", 0)])
def test_results_of_a_batch_that_break_off(serve: Serve, data: bytes, missing: int) -> None:
    def answer(path: str) -> tuple[str, bytes, int]:
        if path.endswith("/results"):
            return "application/x-jsonl", data, len(data) + missing
        batch = {"id": "b", "type": "message_batch", "processing_status": "ended", "request_counts": {}}
        return whole(
            "application/json", json.dumps(batch | {"results_url": f"http://{path}/results"}).encode()
        )

    with pytest.raises(Broken, match="broke off"):
        list(Claude(Provider(base_url=serve(answer))).batch_results("b"))


@pytest.mark.parametrize("key", ["two\nlines", "two words", "kéy"])
def test_a_key_that_no_header_can_hold_is_refused_before_a_call(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    with pytest.raises(NoKey, match="ANTHROPIC_API_KEY does not hold a key") as raised:
        client("claude", HostSettings())
    assert key not in str(raised.value)


def test_a_recording_that_cannot_be_written_is_told_before_a_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CORTEX_RECORD", str(tmp_path / "none" / "file"))
    with MessagesServer([Answer([text("yes")])]) as server:
        with pytest.raises(BadInput, match="cannot be written"):
            client("claude", HostSettings(claude=Provider(base_url=server.url)))
        assert server.log == []


@pytest.mark.parametrize("index", [None, 0])
def test_two_calls_of_tools_that_a_server_does_not_number(serve: Serve, index: int | None) -> None:
    def chunk(delta: dict[str, Any], stop: str | None = None) -> dict[str, Any]:
        return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": stop}]}

    def call(name: str, arguments: str) -> dict[str, Any]:
        one = {"id": name, "type": "function", "function": {"name": "read", "arguments": arguments}}
        return chunk({"tool_calls": [one if index is None else {**one, "index": index}]})

    used = {"id": "c", "choices": None, "usage": {"prompt_tokens": 5, "completion_tokens": 3}}
    chunks = [call("x", "{}"), call("y", '{"a": 1}'), chunk({}, "tool_calls"), used]
    data = "".join(f"data: {json.dumps(one)}\n\n" for one in chunks).encode() + b"data: [DONE]\n\n"
    url = serve(lambda _path: whole("text/event-stream", data))
    reply = OpenAIServer(OpenAI(base_url=f"{url}/v1")).reply(ASKED)
    assert [(block["id"], block["input"]) for block in reply.content] == [("x", {}), ("y", {"a": 1})]
