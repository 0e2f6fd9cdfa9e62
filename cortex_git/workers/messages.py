"""What a pool and its workers say to each other, as JSON over one connection.

Owns the form of the messages and how an attempt's outcome becomes a result document.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from cortex_git.models import Result


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt handed to a worker, with all it needs to save the result by itself."""

    task: dict[str, Any]
    runner: str
    worker: str
    host: str
    nonce: str
    claim: str
    epoch: int
    attempt: int
    path: str
    """Where the result document lies in the coordination repository."""
    repository: str
    dispatched: float
    """`state.monotonic` when the request was made."""
    deadline_s: float
    budget: int
    options: Mapping[str, Any] = field(default_factory=dict)
    earlier: Mapping[str, Any] = field(default_factory=dict)
    """The output of the attempt that this one continues."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says of an attempt; `retry` asks for another one."""

    nonce: str
    status: str
    output: dict[str, Any]
    error: str | None
    retry: bool
    tokens_used: int
    started_at: str
    completed_at: str
    duration_s: float
    spawn_s: float


def send(connection: "Connection[bytes, bytes]", kind: str, body: Assignment | Report | str = "") -> None:
    """Send one message. Raises OSError when the other side is gone."""
    # Not `asdict`: it copies the task deeply, which was a third of the pool's own time.
    value = body if isinstance(body, str) else {name: getattr(body, name) for name in body.__slots__}
    connection.send_bytes(json.dumps([kind, value]).encode())


def receive(connection: "Connection[bytes, bytes]") -> tuple[str, Any]:
    """The next message: its kind and its body as JSON gives it. Raises EOFError, OSError or ValueError."""
    try:
        kind, body = json.loads(connection.recv_bytes())
    except (TypeError, RecursionError) as error:
        raise ValueError("not a message") from error
    return str(kind), body


def assignment_of(body: Any) -> Assignment:
    """The assignment in a message's body. Raises ValueError."""
    try:
        return Assignment(**body)
    except TypeError as error:
        raise ValueError("not an assignment") from error


def report_of(body: Any) -> Report:
    """The report in a message's body. Raises ValueError."""
    try:
        return Report(**body)
    except TypeError as error:
        raise ValueError("not a report") from error


def to_result(assignment: Assignment, report: Report) -> Result:
    """The document that publishes what `report` says."""
    task = assignment.task
    return Result.model_validate(
        {
            "schema": 1,
            "task": task["task"],
            "batch": task["batch"],
            "status": report.status,
            "type": task["type"],
            "master": task["master"],
            "worker": assignment.worker,
            "host": assignment.host,
            "nonce": assignment.nonce,
            "epoch": assignment.epoch,
            "attempt": assignment.attempt,
            "started_at": report.started_at,
            "completed_at": report.completed_at,
            "duration_s": report.duration_s,
            "spawn_s": report.spawn_s,
            "tokens_used": report.tokens_used,
            "error": report.error,
            "output": report.output,
        }
    )
