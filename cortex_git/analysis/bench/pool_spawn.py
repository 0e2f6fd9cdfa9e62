"""`bench spawn` with a running pool: the whole `spawn-worker` command, as a person or a hook calls it.

Owns that measurement. The pool and the commands are real processes; the commands alternate with
`python -c 'import typer'`, the least that a command line like ours can take.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from cortex_git.analysis.bench.workspace import OWN, Say, own_environment
from cortex_git.errors import EnvironmentProblem

_MOST_S = 120.0
_WORKERS = 5
_BARE = (OWN[0], "-c", "import typer")


@dataclass
class CommandTimes:
    """Seconds, one entry a run."""

    warm: list[float] = field(default_factory=list)
    """From the request to the first instruction of the task's runner, the claim not included."""
    command: list[float] = field(default_factory=list)
    """The whole command: claimed, run, published and acknowledged."""
    bare: list[float] = field(default_factory=list)
    """`python -c 'import typer'`."""

    def to_json(self) -> dict[str, object]:
        """Medians in milliseconds, and the command's in times the bare one's."""
        return {
            "command_ms_p50": round(1000 * median(self.command), 1),
            "typer_ms_p50": round(1000 * median(self.bare), 1),
            "command_to_typer": round(median(self.command) / median(self.bare), 2),
            "warm_runs": len(self.warm),
        }


def measure_commands(folder: Path, tasks: list[str], say: Say) -> CommandTimes:
    """Run each of the open tasks with `spawn-worker` against a pool kept for the host at `folder`."""
    times = CommandTimes()
    with _kept_pool(folder):
        for number, task in enumerate(tasks, 1):
            times.bare.append(_timed(_BARE, folder)[0])
            command = (*OWN, "spawn-worker", "-t", "analysis-worker", "-i", task, "--format", "json")
            took, out = _timed(command, folder)
            answer = json.loads(out)
            if answer["spawn"] != "warm" or not answer["output"]["imported"]:
                raise EnvironmentProblem(
                    f"a worker began cold or without its import ({answer['error']})",
                    "that is no fair measurement: run it again",
                )
            times.command.append(took)
            times.warm.append(answer["spawn_ms"] / 1000)
            say(f"spawn-worker {number} of {len(tasks)}: {took:.3f} s, warm {answer['spawn_ms']} ms")
    return times


@contextmanager
def _kept_pool(folder: Path) -> Iterator[None]:
    """A pool that takes no task by itself, ready to be asked.

    It is one of a host with a key, so that its workers begin with the imports of a Claude worker.
    """
    command = [*OWN, "pool", "start", "--workers", str(_WORKERS), "--batch", "none-of-its-own"]
    environment = {**own_environment(), "ANTHROPIC_API_KEY": "of-nobody"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + _MOST_S
        while not _ready(folder):
            if process.poll() is not None or time.monotonic() > until:
                raise EnvironmentProblem("the pool did not start", "run `cortex-git pool start` to see why")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _ready(folder: Path) -> bool:
    command = [*OWN, "pool", "status", "--format", "json"]
    shown = subprocess.run(command, cwd=folder, env=own_environment(), capture_output=True, check=False)
    found = json.loads(shown.stdout)
    states = [worker["status"] for worker in found.get("workers", ())]
    return states.count("idle") == _WORKERS


def _timed(command: tuple[str, ...], folder: Path) -> tuple[float, str]:
    started = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=own_environment(),
        capture_output=True,
        text=True,
        timeout=_MOST_S,
        check=False,
    )
    took = time.perf_counter() - started
    if done.returncode:
        raise EnvironmentProblem(f"{' '.join(command[:4])} ended with {done.returncode}", done.stderr.strip())
    return took, done.stdout
