"""Exchanges with a model, written to a file and played back from one: for demonstrations and tests offline.

Owns the file's form: a JSON object a line, `{schema, provider, request, reply}`. Keys are never in it; what
was said is, so a recording is as private as the work it shows.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.llm import Client, Rejected, Reply, Request, Usage, are_tokens

SCHEMA = 1


class Recorder:
    """A client whose exchanges are written down as well."""

    def __init__(self, client: Client, path: Path) -> None:
        """Raises BadInput for a file that cannot be written, before anything is billed."""
        self._client = client
        self._path = path
        self.provider = client.provider
        try:
            self._write(b"")
        except OSError as error:
            raise BadInput(
                f"{path} cannot be written: {error.strerror}", "name another file in CORTEX_RECORD"
            ) from error

    def reply(self, request: Request, on_sent: Callable[[], None] | None = None) -> Reply:
        reply = self._client.reply(request, on_sent)
        line = {
            "schema": SCHEMA,
            "provider": self.provider,
            "request": {"model": request.model, "messages": len(request.messages)},
            "reply": {"content": reply.content, "stop": reply.stop, "usage": asdict(reply.usage)},
        }
        data = (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        with suppress(OSError):  # a full disk must not cost an answer that was paid for
            self._write(data)
        return reply

    def _write(self, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)  # one write, so that processes don't mix their lines
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def count(self, request: Request) -> int | None:
        return self._client.count(request)


class Replay:
    """A client that answers from a recording, in its order. Each attempt begins at the first exchange."""

    provider = "replay"

    def __init__(self, path: Path) -> None:
        """Raises BadInput for a file that is no recording."""
        self._path = path
        self._replies: Iterator[Reply] = iter(replies(path))
        self._guard = threading.Lock()

    def reply(self, request: Request, on_sent: Callable[[], None] | None = None) -> Reply:  # noqa: ARG002
        """The next recorded answer, as if it had just been given. Raises Rejected after the last one."""
        if on_sent is not None:
            on_sent()
        with self._guard:
            reply = next(self._replies, None)
        if reply is None:
            raise Rejected(f"{self._path} holds no further answer", "record a longer exchange")
        return reply

    def count(self, request: Request) -> int | None:  # noqa: ARG002 - as every client's
        """A recording counts nothing."""
        return None


def replies(path: Path) -> list[Reply]:
    """The answers in a recording. Raises BadInput."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # an answer may hold other ends of lines
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadInput(f"{path} cannot be read: {reason}", "name a recording of CORTEX_RECORD") from error
    found = [_reply(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise BadInput(f"{path} holds no exchange", "name a recording of CORTEX_RECORD")
    return found


def _reply(line: str, where: str) -> Reply:
    try:
        value: dict[str, Any] = json.loads(line)
        if value["schema"] > SCHEMA:
            raise BadInput(f"{where}: written by a newer cortex-git", "install that version")
        reply = value["reply"]
        content = [dict(block) for block in reply["content"]]
        usage = Usage(**reply["usage"])
        if not are_tokens(*reply["usage"].values()):
            raise ValueError(reply["usage"])
        return Reply(content, str(reply["stop"]), usage)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{where}: no recorded exchange", "name a recording of CORTEX_RECORD") from error
