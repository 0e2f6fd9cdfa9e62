"""Starting workers: warm, forked from a preloaded process, or cold, each a fresh interpreter.

Owns the two ways and what they have in common: a connection, a process id, and the news of its end.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from cortex_git.errors import EnvironmentProblem
from cortex_git.processes import signal_session

_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); from importlib import import_module; "
    "import_module(sys.argv.pop(1)).main(sys.argv[1:])"
)


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs `main` of one of our modules in a fresh interpreter.

    The current folder is kept off the module path (-P): it is the person's, and may hold anything.
    Where this package lies is named instead, because it need not be installed.
    """
    return [sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2]), module, *arguments]


@dataclass(frozen=True, slots=True)
class Spawned:
    """A worker process that was started: it says `ready` on its connection when it is."""

    pid: int
    connection: "Connection[bytes, bytes]"


class Spawner(Protocol):
    """A way to start workers."""

    warm: bool

    def spawn(self) -> Spawned:
        """Start one worker."""
        ...

    def status_of(self, pid: int) -> int | None:
        """How a worker ended (negative: by that signal), None when it is not known (yet)."""
        ...

    def close(self) -> None:
        """Let go of everything; workers still running are ended."""
        ...


def _pair() -> tuple["Connection[bytes, bytes]", socket.socket]:
    ours, theirs = socket.socketpair()
    return Connection(ours.detach()), theirs


class WarmSpawner:
    """Forks workers from one process that has imported what the runners need."""

    warm = True

    def __init__(self, runners: Sequence[str]) -> None:
        self._runners = list(runners)
        self._ended: dict[int, int] = {}
        self._start()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = python_command("cortex_git.workers.forkserver", str(theirs.fileno()), *self._runners)
        with theirs:
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )

    def spawn(self) -> Spawned:
        connection, theirs = _pair()
        with theirs:
            try:
                return Spawned(self._fork(theirs), connection)
            except OSError:
                # It was killed. Its workers live on until we let them go; new ones need a new one.
                self.close()
                self._start()
            try:
                return Spawned(self._fork(theirs), connection)
            except OSError as error:
                raise EnvironmentProblem(
                    "the process that workers are forked from does not stay alive", "see its messages above"
                ) from error

    def _fork(self, theirs: socket.socket) -> int:
        socket.send_fds(self._control, [b"f"], [theirs.fileno()])
        while (pid := self._answer()) is None:
            pass
        return pid

    def _answer(self) -> int | None:
        """The process id of a fork, or None when the news was of a worker's end."""
        message = self._control.recv(4096)
        if not message:
            raise OSError("closed")
        news = json.loads(message)
        if "pid" in news:
            return int(news["pid"])
        self._ended[int(news["exit"])] = int(news["status"])
        return None

    def status_of(self, pid: int) -> int | None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            while pid not in self._ended and selector.select(timeout=0.5):
                try:
                    self._answer()
                except OSError:
                    break
        return self._ended.get(pid)

    def close(self) -> None:
        self._control.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ColdSpawner:
    """Starts a fresh interpreter for each worker."""

    warm = False

    def __init__(self, runners: Sequence[str]) -> None:
        self._runners = list(runners)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def spawn(self) -> Spawned:
        connection, theirs = _pair()
        command = python_command("cortex_git.workers.worker", str(theirs.fileno()), *self._runners)
        with theirs:
            process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._processes[process.pid] = process
        return Spawned(process.pid, connection)

    def status_of(self, pid: int) -> int | None:
        process = self._processes.get(pid)
        if process is None:
            return None
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        if process.returncode is not None:
            signal_session(pid, signal.SIGKILL)
        return process.returncode

    def close(self) -> None:
        for pid, process in self._processes.items():
            if process.poll() is None:
                signal_session(pid, signal.SIGKILL)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                process.wait()
