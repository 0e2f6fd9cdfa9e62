"""A pool in the background: starting it, and waiting for its start and its end.

Owns the process that outlives the command which started it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cortex_git.errors import EnvironmentProblem
from cortex_git.flocks import try_lock
from cortex_git.locating import LOCK, private_folder
from cortex_git.services.pool_client import pool_status

_START = "import sys; sys.path.append(sys.argv.pop(1)); from cortex_git.__main__ import main; main()"
_LOOK_S = 0.1
_SAY_S = 5.0
_LAST_LINES = 5


def start_detached(folder: Path, arguments: Sequence[str], log: Path) -> int:
    """Start `cortex-git` with `arguments` in the background; its process id when its pool can be asked.

    What it prints is added to `log`. Raises EnvironmentProblem, with the end of that, where it ends first.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # As in `workers.spawning`: the current folder stays off the module path, and this package on it.
    command = [sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2]), *arguments]
    with log.open("ab") as end:
        began = end.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=end,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    while process.poll() is None:
        found = pool_status(folder)
        if found is not None and found["pid"] == process.pid:
            return process.pid
        time.sleep(_LOOK_S)
    lines = log.read_bytes()[began:].decode("utf-8", "replace").strip().splitlines()
    said = " / ".join(lines[-_LAST_LINES:]).removeprefix("error: ")
    raise EnvironmentProblem(f"the pool did not start: {said}", f"its log is {log}")


def wait_for_end(folder: Path, note: Callable[[str], None]) -> None:
    """Wait until the pool of the repository at `folder` has ended; `note` says every so often why not yet."""
    private = private_folder(folder)
    if private is None:
        return
    said = time.monotonic()
    with (private / LOCK).open("a") as lock:
        while not try_lock(lock):
            time.sleep(_LOOK_S)
            if time.monotonic() - said > _SAY_S:
                said = time.monotonic()
                note("it finishes what runs; `pool stop` again ends it at once")
