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
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from cortex_git.errors import EnvironmentProblem
from cortex_git.processes import end_marked, signal_session

MARK = "CORTEX_WORKER_MARK"
"""Environment variable that everything a cold worker starts inherits: nobody else adopts its orphans."""

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

    def spawn(self, log: int | None = None) -> Spawned:
        """Start one worker; what it prints goes to the file `log`, else where our own output goes."""
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

    def spawn(self, log: int | None = None) -> Spawned:
        connection, theirs = _pair()
        with theirs:
            files = [theirs.fileno()] if log is None else [theirs.fileno(), log]
            try:
                return Spawned(self._fork(files), connection)
            except OSError:
                # It was killed. Its workers live on until we let them go; new ones need a new one.
                self.close()
                self._start()
            try:
                return Spawned(self._fork(files), connection)
            except OSError as error:
                raise EnvironmentProblem(
                    "the process that workers are forked from does not stay alive", "see its messages above"
                ) from error

    def _fork(self, files: list[int]) -> int:
        socket.send_fds(self._control, [b"f"], files)
        while (pid := self._answer()) is None:
            pass
        self._ended.pop(pid, None)  # that was another process
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
        return self._ended.pop(pid, None)

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
        self._marks: dict[int, str] = {}

    def spawn(self, log: int | None = None) -> Spawned:
        self._reap()
        mark = uuid.uuid4().hex
        connection, theirs = _pair()
        command = python_command("cortex_git.workers.worker", str(theirs.fileno()), *self._runners)
        with theirs:
            process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, MARK: mark},
            )
        self._processes[process.pid], self._marks[process.pid] = process, mark
        return Spawned(process.pid, connection)

    def _reap(self) -> None:
        """Forget workers that were told to leave and have left."""
        for pid in [pid for pid, process in self._processes.items() if process.poll() is not None]:
            self._end_rest(pid)
            del self._processes[pid]

    def status_of(self, pid: int) -> int | None:
        process = self._processes.get(pid)
        if process is None:
            return None
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        if process.returncode is not None:
            self._end_rest(pid)
        return process.returncode

    def close(self) -> None:
        for pid, process in self._processes.items():
            if process.poll() is None:
                signal_session(pid, signal.SIGKILL)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                process.wait()
            self._end_rest(pid)
        self._marks.clear()

    def _end_rest(self, pid: int) -> None:
        """End what an ended worker left: in its session, or known by the mark in its environment."""
        signal_session(pid, signal.SIGKILL)
        if mark := self._marks.pop(pid, None):
            end_marked(MARK, mark)
