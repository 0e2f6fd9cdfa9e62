"""Talking to a running pool: from `spawn-worker`, `pool`, `status` and `top`.

Owns the client's side of the socket. Imports nothing heavy, because a command that has a pool to ask
must not take longer to start than its task takes.
"""

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cortex_git.errors import CortexError, EnvironmentProblem, ExitCode
from cortex_git.locating import private_folder, socket_address

_ANSWER_S = 10.0
"""Seconds in which a living pool says something about itself."""
_LET_IN_S = 60.0
"""Seconds in which a busy pool lets somebody in who waits for a task's end however long it takes."""
_PAUSE_S = 0.02


class PoolError(CortexError):
    """An error that the pool met while it served a request, with the pool's exit code for it."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = ExitCode(exit_code)


def _ignore(_text: str) -> None:
    """Nobody wants to hear of it."""


def ask_pool(
    folder: Path,
    request: dict[str, Any],
    note: Callable[[str], None] = _ignore,
    timeout_s: float | None = None,
) -> dict[str, Any] | None:
    """The running pool's answer; None where no pool runs for the repository at `folder`.

    Raises PoolError with what the pool says is wrong, EnvironmentProblem where it ends meanwhile, lets
    nobody in, or says nothing for `timeout_s` (None: there is no limit once it has let us in).
    """
    private = private_folder(folder)
    if private is None:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            _let_in(connection, private, _LET_IN_S if timeout_s is None else timeout_s)
        except OSError:  # there is no socket, or nobody listens on it any more
            return None
        connection.settimeout(timeout_s)
        try:
            with connection.makefile("rwb") as stream:
                stream.write(json.dumps(request).encode() + b"\n")
                stream.flush()
                for line in stream:
                    answer = understood(line, note)
                    if answer is not None:
                        return answer
        except TimeoutError:
            raise _hangs(f"the pool has said nothing for {timeout_s:g} s") from None
        except OSError:
            pass  # it has gone
    raise EnvironmentProblem(
        "the pool ended before it answered", "what it ran is safe: see `cortex-git task list`"
    )


def _let_in(connection: socket.socket, private: Path, limit_s: float) -> None:
    """Connect to the pool, however many others wait before its door. Raises OSError where there is none."""
    deadline = time.monotonic() + limit_s
    connection.settimeout(limit_s)
    with socket_address(private) as address:
        while True:
            try:
                connection.connect(address)
            except (BlockingIOError, TimeoutError):  # as many wait as the kernel lets wait
                if time.monotonic() > deadline:
                    raise _hangs(f"the pool has let nobody in for {limit_s:g} s") from None
                time.sleep(_PAUSE_S)
            else:
                return


def _hangs(what: str) -> EnvironmentProblem:
    return EnvironmentProblem(what, "try again; if it stays so, end its process with `kill`")


def understood(line: bytes, note: Callable[[str], None]) -> dict[str, Any] | None:
    """The answer in one line of what a pool says; None for a note, which is passed on.

    Raises PoolError where it tells of an error, EnvironmentProblem where it cannot be understood.
    """
    try:
        message = json.loads(line)
        if "note" in message:
            note(str(message["note"]))
            return None
        if "error" in message:
            error = message["error"]
            told = PoolError(str(error["message"]), str(error["hint"]), error["exit_code"])
        else:
            answer = message["answer"]
            if isinstance(answer, dict):
                return answer
            raise TypeError(answer)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise EnvironmentProblem(
            "the pool's answer cannot be understood",
            "was it started by another version? End it with `kill`, and start it again",
        ) from None
    raise told


def pool_status(folder: Path) -> dict[str, Any] | None:
    """What the pool of the repository at `folder` looks like now; None where none runs."""
    return ask_pool(folder, {"kind": "status"}, timeout_s=_ANSWER_S)


def stop_pool(folder: Path, *, dry_run: bool = False) -> dict[str, Any] | None:
    """Have the pool drain, or end at once if it drains already; None where none runs.

    The answer's `state` is `draining` or `killing`, `pid` is the pool's process.
    """
    return ask_pool(folder, {"kind": "stop", "dry_run": dry_run}, timeout_s=_ANSWER_S)


def wake_pool(folder: Path) -> None:
    """There is something new: a running pool looks at once instead of a little later."""
    with suppress(CortexError):
        ask_pool(folder, {"kind": "look"}, timeout_s=1.0)
