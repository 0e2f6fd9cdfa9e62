"""huey on SQLite: tasks and results in one file, each written through to the disk as ours are."""

import os
import subprocess
import sys

from huey import SqliteHuey

from cortex_git.analysis.bench.peer_programs.told import asked, between, tell, work

queue = SqliteHuey(filename="huey.db", fsync=True, results=True)


@queue.task()  # type: ignore[untyped-decorator]
def one(task_s: float) -> int:
    return work(task_s)


def main() -> None:
    wanted = asked()
    for _ in range(wanted.tasks):
        one(wanted.task_s)
    kind = os.environ.get("PEER_WORKERS", "process")
    options = ["-w", str(wanted.workers), "-k", kind, "-q", "-d", "0.01", "-m", "0.1"]
    consumer = subprocess.Popen(
        [sys.executable, "-m", "huey.bin.huey_consumer", f"{__spec__.name}.queue", *options]
    )
    try:
        seconds = between(queue.storage.result_store_size, wanted.tasks)
    finally:
        consumer.terminate()
        consumer.wait()
    tell("huey", seconds)
