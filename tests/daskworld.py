"""A Dask cluster for tests: a scheduler and workers, each a real process on 127.0.0.1."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gitworld import CHECKOUT, git
from poolworld import until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Cluster:
    """A scheduler and its workers; `folder` holds their logs and local directories."""

    folder: Path
    port: int = field(default_factory=free_port)
    scheduler: "subprocess.Popen[bytes] | None" = None
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def engine(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        self.scheduler = self._start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"
        )
        until(lambda: is_open(self.port))

    def add_worker(self, *, path: str | None = None) -> "subprocess.Popen[bytes]":
        name = f"worker-{len(self.workers)}"
        worker = self._start(
            "dask_worker", f"tcp://127.0.0.1:{self.port}", "--host", "127.0.0.1", "--no-nanny",
            "--nthreads", "1", "--no-dashboard", "--name", name,
            "--local-directory", str(self.folder / name), path=path,
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def wait_for(self, workers: int) -> None:
        """Wait until the scheduler knows so many workers."""
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{self.port}", timeout=60, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(workers, timeout=60)

    def _start(self, program: str, *arguments: str, path: str | None = None) -> "subprocess.Popen[bytes]":
        log = (self.folder / f"{program}-{len(self.workers)}.log").open("wb")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", *arguments],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT) if path is None else path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def close(self) -> None:
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """A cluster with so many workers for the block; all its processes are killed at the end."""
    folder.mkdir()
    made = Cluster(folder)
    try:
        made.start_scheduler()
        for _ in range(workers):
            made.add_worker()
        if workers:
            made.wait_for(workers)
        yield made
    finally:
        made.close()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def share(host: Path, settings: str) -> None:
    """Settings for every host, those that join as well."""
    config = host / "coordination" / "config.toml"
    config.write_text(f"{config.read_text()}\n{settings}\n")
    git(host, "-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "-qam", "settings")
    git(host, "push", "-q", "origin", "HEAD:main")
