"""A long-lived pool as a person starts it, for tests: `pool start` as a real process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gitworld import start_cortex

from cortex_git.models import Result
from cortex_git.services.pool_client import pool_status
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.allowances import Allowances
from cortex_git.workers.events import Event

WAIT_S = 60.0


class Quiet:
    """A watcher that tells nobody anything."""

    def started(self, task: str, worker: str, repo: str | None) -> None: ...

    def finished(self, result: Result) -> None: ...

    def event(self, event: Event) -> None: ...

    def note(self, text: str) -> None: ...


def until(what: Callable[[], object], seconds: float = WAIT_S) -> None:
    """Wait until `what` is true; how long is no promise, only that it ends."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@contextmanager
def pool(folder: Path, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """A pool that runs for the block, ready to be asked; killed at the end if it runs still."""
    process = start_cortex("pool", "start", *arguments, cwd=folder)
    try:
        until(lambda: is_ready(folder) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def is_ready(folder: Path) -> bool:
    """Whether its pool answers and has a worker that waits for work."""
    found = pool_status(folder)
    return found is not None and any(worker["status"] != "starting" for worker in found["workers"])


def plug_in(folder: Path, name: str, code: str) -> None:
    """Another package that offers the runner `name`: put `folder` on PYTHONPATH to have it installed."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[cortex_git.runners]\n{name} = {module}\n")


def with_path(folder: Path) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def said(process: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    """The JSON document that a command printed."""
    value = json.loads(process.stdout)
    assert isinstance(value, dict), sys.stdout
    return value


def untold(coordination: Coordination) -> Allowances:
    """The tokens of a run that wakes nobody."""
    return Allowances(coordination, Scope(), lambda: None, runner=None, kept=False)
