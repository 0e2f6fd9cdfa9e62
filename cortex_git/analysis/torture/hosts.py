"""A host under test: a thread that runs the product's commands in its clone, one after the other.

Owns what a person or a service would do on that machine: start a command again when it ended early, and
mend a damaged state.db as the documentation says.
"""

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from cortex_git.analysis.torture import between, reach
from cortex_git.analysis.torture.plan import HostPlan
from cortex_git.analysis.torture.world import MARK_HOST, World
from cortex_git.errors import ExitCode

_PAUSE_S = 0.3
_STATE_FILES = ("state.db", "state.db-wal", "state.db-shm")


class Host:
    """Runs a host's commands until it is told that all is over."""

    def __init__(self, world: World, plan: HostPlan, inside: Sequence[str] = ()) -> None:
        """`inside` is what a command is put behind to run where this clone's file system is."""
        self.world = world
        self.plan = plan
        self.name = plan.name
        self._inside = list(inside)
        self._over = threading.Event()
        self._guard = threading.Lock()
        self._current: list[subprocess.Popen[bytes]] = []
        self._between: list[str] = []
        self._thread = threading.Thread(target=self._run, name=plan.name, daemon=True)
        self.internal_errors: list[str] = []
        """What commands said that ended with the exit code of a bug."""

    @property
    def clone(self) -> Path:
        return self.world.clone(self.name)

    @property
    def running(self) -> int:
        """How many commands run just now."""
        return len(self._current)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Start no further command."""
        self._over.set()

    def join(self, seconds: float) -> bool:
        """Wait for the command that runs; False where it did not end in time."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def terminate(self) -> None:
        """SIGTERM to the commands: they drain."""
        for process in list(self._current):
            with suppress(OSError):
                process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill everything of this host at once."""
        reach.kill_all(MARK_HOST, self.world.host_mark(self.name))

    def between_commands(self, what: str) -> None:
        """Do something to the clone while no command runs: its commands are killed, then the next waits."""
        with self._guard:
            self._between.append(what)
        self.kill()

    def log(self, event: str, **more: object) -> None:
        entry = {"t": time.monotonic(), "host": self.name, "event": event, **more}
        between.append(str(self.world.events), entry)

    def waiting(self) -> int:
        """Results in the outbox that the remote has not acknowledged; 0 where it cannot be read."""
        database = self.clone / ".git" / "cortex" / "state.db"
        query = "SELECT count(*) FROM outbox WHERE state IN ('queued', 'fencing')"
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as state:
            return int(state.execute(query).fetchone()[0])
        return 0

    def _run(self) -> None:
        turn = 0
        while not self._over.is_set():
            arguments = self.plan.commands[min(turn, len(self.plan.commands) - 1)]
            turn += 1
            began = time.monotonic()
            code = self._pool() if arguments == ("pool",) else self.command(*arguments)
            self._mend()
            if self._over.is_set():
                return
            if code or time.monotonic() - began < 1:
                self._over.wait(_PAUSE_S)

    def _pool(self) -> int:
        """A pool that is kept, and a batch that joins it; the pool is told to stop at its end."""
        pool = self._start(("pool", "start", "--workers", "2"))
        deadline = time.monotonic() + 15
        socket = self.clone / ".git" / "cortex" / "pool.sock"
        while pool.poll() is None and time.monotonic() < deadline and not socket.exists():
            time.sleep(0.05)
        code = self.command("spawn-workers", "--count", "2")
        with suppress(OSError):
            pool.send_signal(signal.SIGTERM)
        self._ended(pool, ("pool", "start"))
        return code

    def command(self, *arguments: str) -> int:
        """Run a command of the product to its end; its exit code, negative for a signal."""
        return self._ended(self._start(arguments), arguments)

    def _start(self, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
        command = self.world.command(self.plan, arguments)
        if self._inside:
            command = [*self._inside, "sh", "-c", 'cd "$0" && exec "$@"', str(self.clone), *command]
        said = self.world.control(self.name) / f"said-{time.monotonic_ns()}"
        with said.open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=self.world.folder if self._inside else self.clone,
                env=self.world.environment(self.name),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        said.rename(said.with_name(f"said-{process.pid}"))
        self._current.append(process)
        self.log("command", pid=process.pid, arguments=list(arguments))
        if self.plan.clock_s:
            how = f"{self.plan.clock_s:+g} s"
            self.log("fault", fault="clock", how=how, kind="command", pid=process.pid, tasks=[])
        return process

    def _ended(self, process: "subprocess.Popen[bytes]", arguments: Sequence[str]) -> int:
        code = process.wait()
        self._current.remove(process)
        with suppress(OSError):
            os.unlink(self.world.control(self.name) / "pids" / str(process.pid))  # noqa: PTH108
        last = self._last_line(process.pid)
        self.log("ended", pid=process.pid, code=code, arguments=list(arguments), said=last)
        if code == ExitCode.INTERNAL:
            self.internal_errors.append(f"{self.name}: {' '.join(arguments)}: {last}")
        if code == ExitCode.ENVIRONMENT and "state.db" in last and self._is_rubbish():
            self._recover()
        return code

    def _last_line(self, pid: int) -> str:
        said = self.world.control(self.name) / f"said-{pid}"
        with suppress(OSError):
            lines = said.read_text(errors="replace").strip().splitlines()
            return lines[-1][:400] if lines else ""
        return ""

    def _is_rubbish(self) -> bool:
        """Whether it is the file that is damaged, and not the disk that is full or read-only."""
        with suppress(OSError), (self.clone / ".git" / "cortex" / "state.db").open("rb") as state:
            return not state.read(16).startswith(b"SQLite format 3")
        return False

    def _recover(self) -> None:
        """What docs/coordination.md says for a damaged state.db: out of the way, and on with it."""
        aside = self.world.folder / "damaged" / f"{self.name}-{time.monotonic_ns()}"
        aside.mkdir(parents=True)
        for name in _STATE_FILES:
            with suppress(OSError):
                (self.clone / ".git" / "cortex" / name).rename(aside / name)
        self.log("recovered", what="state.db was moved away")
        self.command("sync")

    def _mend(self) -> None:
        """Between two commands: what `between_commands` was asked for."""
        with self._guard:
            asked, self._between = self._between, []
        for what in asked:
            self.kill()
            if what == "corrupt-state":
                rubbish = b"this was never a database\n" * 400
                (self.clone / ".git" / "cortex" / "state.db").write_bytes(rubbish)
                for name in _STATE_FILES[1:]:
                    (self.clone / ".git" / "cortex" / name).unlink(missing_ok=True)
            self.log("fault", fault=what, how="between commands", kind="clone", tasks=[])
