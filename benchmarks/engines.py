"""Echo tasks through `--engine local` and through `--engine dask` on this machine, in turn.

    python benchmarks/engines.py [--tasks 300] [--workers 4] [--dask-workers 2] [--runs 1]

Starts its own scheduler and Dask workers on 127.0.0.1 and a local bare remote, in a temporary folder. The
seconds are the whole command's: for Dask with the connection, in the first run
also with the making of the clones.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(CHECKOUT), "GIT_CONFIG_GLOBAL": os.devnull}
WAIT_S = 60.0


def cortex(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    command = [sys.executable, "-m", "cortex_git", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def dask(folder: Path, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{program}", "--host", "127.0.0.1", *arguments],
        cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def add(folder: Path, batch: str, tasks: int) -> None:
    lines = [
        json.dumps(
            {"title": f"no-op {number}", "id": f"{batch}-{number:05d}", "batch": batch, "runner": "echo"}
        )
        for number in range(tasks)
    ]
    cortex(folder, "task", "add", "--file", "-", stdin="\n".join(lines))


def timed(folder: Path, batch: str, tasks: int, workers: int, engine: str) -> dict[str, float | str]:
    """One command over a fresh batch; an error unless the remote then holds every result once."""
    add(folder, batch, tasks)
    began = time.monotonic()
    said = json.loads(
        cortex(
            folder, "spawn-workers", "--batch", batch, "--count", str(workers), "--engine", engine,
            "--format", "json",
        )
    )  # fmt: skip
    seconds = time.monotonic() - began
    if said["completed"] != tasks:
        raise SystemExit(f"{said['completed']} of {tasks} tasks completed")
    return {
        "engine": engine.partition(":")[0],
        "seconds": round(seconds, 2),
        "work_s": said["wall_s"],
        "tasks_per_min": round(60 * tasks / seconds),
        "pushes": said["pushes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    for name, default in (("tasks", 300), ("workers", 4), ("dask-workers", 2), ("runs", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    rows: list[dict[str, float | str]] = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="cortex-engines-", ignore_cleanup_errors=True) as scratch:
        top = Path(scratch)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(top / "remote.git")], check=True)
        (top / "host").mkdir()
        cortex(top / "host", "init", "--remote", str(top / "remote.git"))
        port = free_port()
        started = [dask(top, "dask_scheduler", "--port", str(port), "--no-dashboard")]
        try:
            for number in range(given.dask_workers):
                own = ("--local-directory", str(top / f"worker-{number}"), "--nthreads", "1")
                address = f"tcp://127.0.0.1:{port}"
                started.append(dask(top, "dask_worker", address, "--no-nanny", "--no-dashboard", *own))
            _ready(port, given.dask_workers)
            for run in range(given.runs + 1):
                for name in ("local", f"dask://127.0.0.1:{port}"):
                    batch = f"r{run}-{name[:4]}"
                    row = timed(top / "host", batch, given.tasks, given.workers, name)
                    rows.append({"run": "first" if run == 0 else str(run), **row})
                    print(json.dumps(rows[-1]), file=sys.stderr)
        finally:
            for process in reversed(started):
                process.terminate()
            for process in started:
                process.wait()
    machine = {"cores": os.cpu_count(), "load_before": round(load, 1), "python": sys.version.split()[0]}
    print(json.dumps({"schema": 1, **vars(given), "rows": rows, "machine": machine}, indent=2))


def _ready(port: int, workers: int) -> None:
    from distributed import Client

    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with Client(f"tcp://127.0.0.1:{port}", timeout=5) as client:
                client.wait_for_workers(workers, timeout=WAIT_S)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise


if __name__ == "__main__":
    main()
