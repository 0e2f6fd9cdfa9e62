"""Where a coordination repository and what is this host's own in it lie, found without running git.

Owns the search upwards and the layout of `.git`. Imports nothing heavy: a command that only talks to a
running pool has to start in a moment.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cortex_git.errors import EnvironmentProblem

VARIABLE = "CORTEX_REPOSITORY"
CONFIG = "coordination/config.toml"
SOCKET = "pool.sock"
LOCK = "pool.lock"
"""Held by the pool of this clone for as long as it lives."""
_LONGEST_ADDRESS = 100
"""Bytes of a path that fits a Unix socket's address everywhere."""


def located(explicit: Path | None) -> Path | None:
    """The folder of the coordination repository a command means; None where there is none."""
    if explicit is not None:
        return explicit
    named = os.environ.get(VARIABLE)
    return Path(named) if named else find_repository(Path.cwd())


def needed(explicit: Path | None) -> Path:
    """The folder of the coordination repository a command means. Raises EnvironmentProblem without one."""
    folder = located(explicit)
    if folder is None:
        raise no_repository()
    return folder


def no_repository() -> EnvironmentProblem:
    return EnvironmentProblem(
        "no coordination repository here or above", "run `cortex-git init`, or give --repository"
    )


def find_repository(start: Path) -> Path | None:
    """The nearest folder at or above `start` that holds `coordination/config.toml` in a git repository."""
    for folder in (start, *start.parents):
        if (folder / ".git").exists() and is_enabled(folder):
            return folder
    return None


def is_enabled(folder: Path) -> bool:
    """Whether `folder` has settings, and they do not say that they are only to be looked at.

    Settings that cannot be read count as enabled: opening the repository says what is wrong with them.
    """
    config = folder / CONFIG
    try:
        data = config.read_bytes()
        if b"enabled" not in data:
            return True
        import tomllib

        return tomllib.loads(data.decode()).get("enabled") is not False
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return config.is_file()


def private_folder(folder: Path) -> Path | None:
    """`.git/cortex` of the clone at `folder`, shared by all its work trees; None where that is no clone."""
    git = folder / ".git"
    try:
        if git.is_file():
            git = folder / git.read_text().removeprefix("gitdir:").strip()
        common = git / "commondir"
        if common.is_file():
            git = git / common.read_text().strip()
    except (OSError, ValueError):
        return None
    return (git / "cortex").resolve() if git.is_dir() else None


@contextmanager
def socket_address(private: Path) -> Iterator[str]:
    """An address of the pool's socket that is short enough to bind or connect to.

    Raises OSError where the folder is not there.
    """
    plain = str(private / SOCKET)
    if len(os.fsencode(plain)) <= _LONGEST_ADDRESS:
        yield plain
        return
    descriptor = os.open(private, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
