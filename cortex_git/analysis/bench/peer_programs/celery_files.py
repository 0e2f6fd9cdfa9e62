"""Celery with its file system broker and results in files: a queue without a server, on one machine."""

import subprocess
import sys
from pathlib import Path

from celery import Celery

from cortex_git.analysis.bench.peer_programs.told import asked, between, tell, work

_HERE = Path.cwd()
_MESSAGES, _RESULTS = _HERE / "messages", _HERE / "results"
queue = Celery("peer", broker="filesystem://", backend=f"file://{_RESULTS}")
queue.conf.update(
    broker_transport_options={
        "data_folder_in": str(_MESSAGES),
        "data_folder_out": str(_MESSAGES),
        "control_folder": str(_HERE / "control"),
    },
    worker_prefetch_multiplier=1,
    task_acks_late=True,
)


@queue.task(name="peer.one")  # type: ignore[untyped-decorator]
def one(task_s: float) -> int:
    return work(task_s)


def main() -> None:
    for folder in (_MESSAGES, _RESULTS, _HERE / "control"):
        folder.mkdir(exist_ok=True)
    wanted = asked()
    for _ in range(wanted.tasks):
        one.delay(wanted.task_s)
    options = ["--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    consumer = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", f"{__spec__.name}:queue", "worker"),
            *options,
            *("--concurrency", str(wanted.workers)),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        seconds = between(lambda: sum(1 for _ in _RESULTS.iterdir()), wanted.tasks)
    finally:
        consumer.kill()  # its own way to end takes long; what it started goes with our group
        consumer.wait()
    tell("celery", seconds)
