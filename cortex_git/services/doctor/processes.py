"""Which processes hold a lock, have a file open, or work in a folder, as far as the system tells.

Owns reading /proc for that. Where there is none, nothing is known, and nothing is taken for dead.
"""

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def is_told() -> bool:
    """Whether this system tells about processes at all."""
    return (_PROC / "self" / "fd").exists()


def holder_of(path: Path) -> int | None:
    """The process that holds a `flock` on the file; 0 for one that we cannot see, None for nobody."""
    try:
        facts = path.stat()
        lines = (_PROC / "locks").read_text().splitlines()
    except OSError:
        return None
    wanted = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == wanted:
            return max(int(words[4]), 0)
    return None


def with_open(*paths: Path) -> list[int]:
    """Processes other than this one that have one of the files open, as far as we may see."""
    wanted = {(facts.st_dev, facts.st_ino) for facts in map(_facts, paths) if facts is not None}
    return [pid for pid in _others() if any(_same(fd, wanted) for fd in _entries(_PROC / str(pid) / "fd"))]


def gits_in(*folders: Path) -> list[int]:
    """Processes of git that work in one of the folders: that is where they are, or they name it."""
    roots = [str(folder.resolve()) for folder in folders]
    found = []
    for pid in _others():
        words = command_of(pid)
        if not words or not Path(words[0]).name.startswith("git"):
            continue
        here = _link(_PROC / str(pid) / "cwd")
        named = [here, *words]
        if any(text == root or text.startswith(f"{root}/") for text in named for root in roots):
            found.append(pid)
    return found


def command_of(pid: int) -> list[str]:
    """The words that a process was started with; none of one that has ended or is not ours to see."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []


def parent_of(pid: int) -> int:
    """The parent's process id; 0 where the system does not say."""
    try:
        return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _others() -> Iterator[int]:
    for entry in _entries(_PROC):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            yield int(entry.name)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _facts(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _same(descriptor: Path, wanted: set[tuple[int, int]]) -> bool:
    facts = _facts(descriptor)
    return facts is not None and (facts.st_dev, facts.st_ino) in wanted


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
