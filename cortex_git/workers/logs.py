"""What workers print: one file for each worker of a long-lived pool, kept small.

Owns the files under `.git/cortex/logs`. Must never hold a worker up: a file that is full is cut, and its
end is kept beside it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = "logs"
MOST_BYTES = 4 * 1024 * 1024


@contextmanager
def opened_log(folder: Path | None, worker: str) -> Iterator[int | None]:
    """A descriptor that appends to the log of `worker`; None where there is no folder for logs."""
    if folder is None:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log_path(folder, worker), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def log_path(folder: Path, worker: str) -> Path:
    return folder / f"{worker}.log"


def keep_small(folder: Path) -> None:
    """Set aside what is in logs that have grown too large, in place: their writers have them open."""
    for path in folder.glob("*.log"):
        with suppress(OSError):  # a disk that is full is no reason to stop working
            if path.stat().st_size > MOST_BYTES:
                shutil.copyfile(path, path.with_suffix(".log.1"))
                os.truncate(path, 0)
