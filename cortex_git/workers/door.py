"""The pool's door: a Unix socket on which this user's other processes ask a running pool for something.

Owns the socket, who may come in, and the form of what is said: one JSON object a line, one request a
connection, answered by notes and one last object. It knows nothing of what is asked.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput, CortexError
from cortex_git.locating import SOCKET, socket_address

MOST_BYTES = 1024 * 1024
"""Bytes of a request."""
_MOST_GUESTS = 128
"""Requests served at the same time; more wait."""
_ASK_S = 10.0
"""Seconds a guest has to say what it wants."""

Note = Callable[[str], None]
Handler = Callable[[dict[str, Any], Note], dict[str, Any]]
"""Carries out one request, in a thread of its own; `CortexError` is told to whoever asked."""


class Door:
    """Serves requests until it is closed."""

    def __init__(self, private: Path, handler: Handler) -> None:
        self._path = private / SOCKET
        self._handler = handler
        self._threads = ThreadPoolExecutor(_MOST_GUESTS, thread_name_prefix="door")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Whoever opens a door holds the pool's lock: a socket that lies here is a dead pool's.
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with socket_address(private) as address:
                self._socket.bind(address)
        finally:
            os.umask(before)
        self._socket.listen(_MOST_GUESTS)
        threading.Thread(target=self._listen, name="door", daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more, and wait until everybody has an answer."""
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._threads.shutdown(wait=True)

    def _listen(self) -> None:
        while True:
            try:
                guest, _ = self._socket.accept()
            except OSError:
                if self._socket.fileno() < 0:
                    return
                continue  # the guest has left again, or there are no descriptors just now
            try:
                self._threads.submit(self._serve, guest)
            except RuntimeError:  # the door is being closed
                guest.close()
                return

    def _serve(self, guest: socket.socket) -> None:
        with guest:
            if not same_user(guest):
                return
            try:
                answer = self._answer(guest)
            except CortexError as error:
                answer = {
                    "error": {
                        "message": error.message, "hint": error.hint, "exit_code": int(error.exit_code),
                    }
                }  # fmt: skip
            except OSError:
                return  # it has left
            except Exception as error:  # one bad request must not end the pool
                answer = {
                    "error": {"message": f"{type(error).__name__}: {error}", "hint": "", "exit_code": 70}
                }
            _say(guest, answer)

    def _answer(self, guest: socket.socket) -> dict[str, Any]:
        guest.settimeout(_ASK_S)
        request = _read(guest)
        guest.settimeout(None)
        return {"answer": self._handler(request, lambda text: _say(guest, {"note": text}))}


def same_user(guest: socket.socket) -> bool:
    """Whether the other end belongs to the user we run as."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket's mode lets nobody else in
    raw = guest.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", raw)[1] == os.getuid())


def _read(guest: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        part = guest.recv(65536)
        data += part
        if not part or len(data) > MOST_BYTES:
            break
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or len(data) > MOST_BYTES:
        raise BadInput("a request is one line of at most 1 MiB with a JSON object", "see docs/pool.md")
    return value


def _say(guest: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):
        guest.sendall(json.dumps(message).encode() + b"\n")
