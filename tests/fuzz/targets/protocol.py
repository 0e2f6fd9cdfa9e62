"""What processes of one machine tell each other, what programs print, and recordings of models."""

import json
import socket
from typing import Any, cast

from cortex_git.errors import BadInput, CortexError
from cortex_git.llm.recording import _reply
from cortex_git.models import Result
from cortex_git.runners.command import _output, reported_tokens
from cortex_git.services.pool_client import understood
from cortex_git.services.pool_requests import _moment
from cortex_git.services.spawning import Overrides, described_task
from cortex_git.store.publishing import result_entry
from cortex_git.workers.door import MOST_BYTES, _read
from cortex_git.workers.messages import assignment_of, receive, report_of
from fuzz.targets import Target, assert_one_line

REQUEST = (
    b'{"kind": "spawn", "type": "scan-worker", "task_id": "t-1", "repo": "https://example.invalid/r",'
    b' "budget": 5, "deadline": 1.5, "priority": "low", "context": "a=b", "runner": "echo", "requested": 1}\n'
)
ASSIGNMENT = {
    "task": {"task": "t", "batch": "b", "type": "scan-worker", "master": "m"}, "runner": "echo",
    "worker": "w", "host": "h", "nonce": "n", "claim": "c", "epoch": 1, "attempt": 1, "path": "p",
    "repository": "r", "dispatched": 1.0, "deadline_s": 2.0, "budget": 3, "options": {}, "earlier": {},
}  # fmt: skip
REPORT = {
    "nonce": "n", "status": "completed", "output": {"a": 1}, "error": None, "retry": False, "tokens_used": 1,
    "started_at": "", "completed_at": "", "duration_s": 1.0, "spawn_s": 0.1,
}  # fmt: skip
RECORDING = (
    b'{"schema": 1, "provider": "claude", "request": {"model": "m", "messages": 1}, "reply": {"content":'
    b' [{"type": "text", "text": "yes"}], "stop": "end_turn", "usage": {"input": 1, "output": 2}}}'
)


class _Said:
    """The end of a connection at which one message has arrived."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv_bytes(self) -> bytes:
        return self._data


def _request(data: bytes) -> None:
    """A guest at the pool's door says this and leaves."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        theirs.send(data[:65536]) if data else None
        theirs.close()
        try:
            request = _read(ours)
        except BadInput:
            return
    assert isinstance(request, dict) and len(data) <= MOST_BYTES
    assert 0 <= _moment(request.get("requested"), 5.0) <= 5.0
    try:
        Overrides(request.get("runner"), request.get("budget"), request.get("deadline"))
        described_task(request)
    except CortexError as error:
        assert_one_line(error)


def _answer(data: bytes) -> None:
    """What a pool of another version, or something else at its socket, says to a client."""
    heard: list[str] = []
    try:
        for line in data.split(b"\n"):
            answer = understood(line, heard.append)
            assert answer is None or isinstance(answer, dict)
    except CortexError as error:
        assert_one_line(error)
    assert all(isinstance(text, str) for text in heard)


def _message(data: bytes) -> None:
    try:
        kind, body = receive(cast(Any, _Said(data)))
        assert isinstance(kind, str)
        if kind == "run":
            assignment_of(body)
        elif kind == "done":
            report_of(body)
    except ValueError:
        return


def _recorded(data: bytes) -> None:
    try:
        reply = _reply(data.decode("utf-8", "replace"), "here")
    except BadInput as error:
        assert_one_line(error)
        return
    assert all(isinstance(block, dict) for block in reply.content)


def _printed(data: bytes) -> None:
    """What a program of the `command` runner prints becomes a result that can be read again."""
    answer = data.decode("utf-8", "replace")
    tokens = reported_tokens(answer)
    assert tokens is None or tokens >= 0
    output = _output(answer)
    result = Result(
        task="t", batch="b", status="completed", worker="w", host="h", nonce="n" * 8, output=output
    )
    entry, stored = result_entry(result, "c", "p")
    assert Result.parse(entry.files["p"], "p").status == stored.status


TARGETS = {
    "request": Target(_request, (REQUEST, b'{"kind": "status"}\n')),
    "answer": Target(
        _answer,
        (
            b'{"note": "wait"}\n{"answer": {"state": "draining"}}\n',
            b'{"error": {"message": "m", "hint": "h", "exit_code": 3}}\n',
        ),
    ),
    "message": Target(
        _message, (json.dumps(["run", ASSIGNMENT]).encode(), json.dumps(["done", REPORT]).encode())
    ),
    "recording": Target(_recorded, (RECORDING,)),
    "printed": Target(
        _printed,
        (
            b'{"findings": [1], "tokens_used": 5}',
            b'{"a": 1}\n{"usage": {"input_tokens": 4, "output_tokens": 1}}',
        ),
    ),
}
