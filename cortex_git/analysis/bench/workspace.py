"""The ground a benchmark runs on: a temporary folder, a local bare remote, clones, a warm pool.

Owns that nothing is left behind: processes are ended and the folder is removed, also on Ctrl-C and
SIGTERM. Must never touch a repository of the user's.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import cortex_git
from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git
from cortex_git.models import Task
from cortex_git.processes import kill_group
from cortex_git.state import now
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.tasks import new_batch
from cortex_git.workers.pool import Died, Pool, running
from cortex_git.workers.spawning import Spawner

Say = Callable[[str], None]
"""Where a benchmark tells how far it is."""

OWN = (sys.executable, "-m", "cortex_git")
"""This program, as a process of its own."""
_MOST_TRIES = 50


@contextmanager
def workspace() -> Iterator[Path]:
    """A temporary folder that is gone when the block is left, also by Ctrl-C or SIGTERM."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    folder = Path(tempfile.mkdtemp(prefix="cortex-bench-")).resolve()
    try:
        yield folder
    finally:
        _remove(folder)
        signal.signal(signal.SIGTERM, before)


@contextmanager
def part_of(folder: Path) -> Iterator[Path]:
    """A folder below `folder` for one run, removed after it so that no run finds another's files."""
    part = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    try:
        yield part
    finally:
        _remove(part)


def _remove(folder: Path) -> None:
    """Remove the folder; a killed process may still be writing its last file."""
    for _ in range(_MOST_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def plain_environment(**more: str) -> dict[str, str]:
    """The environment for a program that calls git itself: no user's git settings, an identity, no prompt."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "bench"), ("EMAIL", "bench@example.invalid"))
    }
    fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    return {**kept, **identity, **fixed, **more}


def own_environment(**more: str) -> dict[str, str]:
    """The environment in which `OWN` finds this very package, wherever it is run."""
    paths = [str(Path(cortex_git.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


def new_remote(folder: Path) -> Path:
    """An empty bare repository, with git's own settings."""
    folder.mkdir(parents=True)
    Git(folder).run("init", "--quiet", "--bare", "--initial-branch=main")
    return folder


def new_host(folder: Path, remote: Path) -> Coordination:
    """A clone of the coordination repository at `remote`, which is made one by the first."""
    create(folder, str(remote))
    return Coordination.open(folder)


def add_no_ops(
    coordination: Coordination, count: int, runner: str = "echo", context: Mapping[str, float] | None = None
) -> str:
    """Publish a batch of `count` tasks that do nothing, or only wait; its name."""
    batch = new_batch("bench", count, coordination.repository.host)
    tasks = [
        Task(
            task=f"bench-{number:05d}",
            batch=batch.batch,
            title=f"no-op {number}",
            runner=runner,
            context=dict(context or {}),
            created_at=now(),
        )
        for number in range(count)
    ]
    coordination.add_batch(batch, tasks)
    return batch.batch


@contextmanager
def ready_pool(spawner: Spawner, size: int) -> Iterator[Pool]:
    """A pool of `size` workers, every one of them waiting for work; its processes are gone at the end."""
    with running(Pool(spawner, size, lambda number: f"worker-bench-{number:03d}")) as pool:
        until_ready(pool)
        yield pool


def until_ready(pool: Pool) -> None:
    """Wait until every worker of a started pool waits for work."""
    while len(pool.idle()) < len(pool.slots):
        for event in pool.wait(0.5):
            if isinstance(event, Died):
                raise EnvironmentProblem(
                    f"a worker ended before it was ready (status {event.status})", "see its message above"
                )


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run: `stdin` is a file that it reads, its stdout goes to `output`."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    output: Path
    stdin: Path | None = None


def run_together(commands: Sequence[Command], timeout_s: float) -> float:
    """Run the programs at the same time; seconds from the first start to the last end.

    Raises EnvironmentProblem, with the last line it said, when one fails or takes over `timeout_s`.
    """
    processes: list[subprocess.Popen[bytes]] = []
    started = time.monotonic()
    try:
        for command in commands:
            processes.append(_start(command))
        for process in processes:
            process.wait(timeout=max(0.0, timeout_s - (time.monotonic() - started)))
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(
            f"{commands[0].arguments[0]} took over {timeout_s:g} s", "is the machine busy?"
        ) from None
    finally:
        for process in processes:
            kill_group(process)
    took = time.monotonic() - started
    for command, process in zip(commands, processes, strict=True):
        if process.returncode:
            raise EnvironmentProblem(
                f"{' '.join(command.arguments[:6])} … ended with status {process.returncode}",
                _last_line(_errors(command)),
            )
    return took


def _start(command: Command) -> "subprocess.Popen[bytes]":
    source = command.stdin.open("rb") if command.stdin else subprocess.DEVNULL
    try:
        with command.output.open("wb") as out, _errors(command).open("wb") as errors:
            return subprocess.Popen(
                list(command.arguments),
                cwd=command.folder,
                env=dict(command.environment),
                stdin=source,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
    finally:
        if not isinstance(source, int):
            source.close()


def _errors(command: Command) -> Path:
    return command.output.with_suffix(".errors")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
