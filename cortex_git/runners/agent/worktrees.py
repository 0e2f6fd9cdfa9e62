"""Folders that tasks are worked on in: a git work tree each, with a record of what it is beside it.

Owns their names, their records and their removal. Must never remove one by itself: whether its work is
safe is the checkout's to say. They are locked, so `git gc` and `git worktree prune` leave them alone.
"""

import json
import secrets
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, cast

from cortex_git.config import data_folder
from cortex_git.errors import EnvironmentProblem
from cortex_git.locating import private_folder
from cortex_git.runners.agent.clones import LIMITS, Clone
from cortex_git.scan.reading.limits import MIB, Deadline
from cortex_git.scan.reading.process import GuardedGit
from cortex_git.state import own_process, process_alive

FOLDER = "worktrees"
WORK_REFS = "refs/cortex/work"
_MOST_TREE_BYTES = 4096 * MIB
_AT_WORK = "it is being worked on"


@dataclass(frozen=True, slots=True)
class Record:
    """What a folder is, as the JSON beside it says."""

    task: str
    epoch: int
    branch: str
    repo: str
    clone: str
    """The bare clone that holds its objects."""
    base: str
    """The commit that it started from."""
    commit: str | None = None
    """The last commit made of its work."""
    pushed: bool = False
    """Whether the remote has acknowledged that."""
    reason: str = _AT_WORK
    """Why the folder is there still."""
    pid: int = 0
    pid_started: float = 0.0
    boot_id: str = ""

    @property
    def live(self) -> bool:
        """Whether the process that works in it runs still."""
        return process_alive(self.pid, self.pid_started, self.boot_id)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A folder with work that nobody removed: kept on purpose, or its worker was killed."""

    folder: Path
    record: Record


def folder_for(coordination: str) -> Path:
    """Where the work trees of a coordination repository's tasks lie; of none, in this host's data folder."""
    private = private_folder(Path(coordination)) if coordination else None
    return (private or data_folder()) / FOLDER


def leftovers(folder: Path | None) -> list[Leftover]:
    """The work trees for the coordination repository at `folder`, those being worked on not among them."""
    return left_in(folder_for(str(folder) if folder else ""))


def left_in(parent: Path) -> list[Leftover]:
    """The work trees in that folder of them, those being worked on not among them."""
    found: list[Leftover] = []
    for path in sorted(parent.glob("*.json")):
        record = _read(path)
        if record is not None and not record.live:
            found.append(Leftover(path.with_suffix(""), record))
    return found


def _read(path: Path) -> Record | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Record(**{name: value[name] for name in Record.__dataclass_fields__ if name in value})
    except (OSError, ValueError, TypeError):
        return None


class WorkTree:
    """One folder, the git directory behind it, and its record."""

    def __init__(self, clone: Clone, record: Record, parent: Path) -> None:
        process = own_process()
        self.clone = clone
        self.record = replace(record, pid=process[0], pid_started=process[1], boot_id=process[2])
        self.name = f"{record.task}-e{record.epoch}-{secrets.token_hex(4)}"
        self.folder = parent / self.name
        self.git_folder = clone.folder / FOLDER / self.name
        self._index = parent / f"{self.name}.index"
        self._record_path = parent / f"{self.name}.json"

    def ref(self, name: str) -> str:
        """A ref of the clone that holds what this folder needs, until it is removed."""
        return f"{WORK_REFS}/{self.name}/{name}"

    def add(self, commit: str) -> None:
        """Make the folder and its git directory, with no files yet. The clone must be locked."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.note(base=commit)
        command = ("worktree", "add", "--quiet", "--detach", "--lock", "--no-checkout")
        self.clone.git().run(*command, str(self.folder), commit)
        named = (self.folder / ".git").read_text().removeprefix("gitdir:").strip()
        self.git_folder = Path(named).resolve()

    def fill(self, deadline: Deadline) -> None:
        """Check the files out. Nothing runs for it: no hook, no filter, no submodule."""
        self._check_size(deadline)
        self.git().run("read-tree", "--reset", "-u", self.record.base, timeout=deadline.left())
        # With its modification time, by which git tells what may have changed since.
        shutil.copy2(self.git_folder / "index", self._index)

    def _check_size(self, deadline: Deadline) -> None:
        """Raises EnvironmentProblem for more than may lie in a folder, be it by one tree inside many."""
        count = size = 0
        command = ("ls-tree", "-r", "-l", "--full-tree", self.record.base)
        with self.clone.git().streaming(*command, timeout=deadline.left()) as process:
            for line in cast("IO[bytes]", process.stdout):
                words = line[:200].split(maxsplit=4)
                count += 1
                size += int(words[3]) if len(words) > 3 and words[3].isdigit() else 0
                if count > LIMITS.paths or size > _MOST_TREE_BYTES:
                    raise EnvironmentProblem(
                        f"{self.record.repo} has more than {LIMITS.paths:,} files"
                        f" or {_MOST_TREE_BYTES // MIB:,} MiB",
                        "agents work on smaller ones",
                    )

    def git(self, index: Path | None = None) -> GuardedGit:
        """git on the folder's files. What a program may have written into its `.git` is not looked at."""
        git = self.clone.git(
            GIT_DIR=str(self.git_folder),
            GIT_COMMON_DIR=str(self.clone.folder),
            GIT_WORK_TREE=str(self.folder),
            **({"GIT_INDEX_FILE": str(index)} if index is not None else {}),
        )
        git.directory = self.folder
        return git

    def fresh_index(self) -> Path:
        """A copy of the index as it was after the checkout, whatever was done to the folder's own."""
        copy = self._index.with_suffix(f".{secrets.token_hex(4)}")
        shutil.copy2(self._index, copy)
        return copy

    def note(self, **changes: str | int | None) -> None:
        """Write down what is known of it now; whoever finds the folder reads that."""
        self.record = replace(self.record, **changes)  # type: ignore[arg-type]
        beside = self._record_path.with_suffix(f".{secrets.token_hex(4)}")
        beside.write_text(json.dumps(asdict(self.record), indent=2) + "\n", encoding="utf-8")
        beside.replace(self._record_path)

    def remove(self) -> None:
        """Take the folder away with all in it, the git directory behind it, and what held its objects."""
        remove_folder(self.folder)
        remove_folder(self.git_folder)
        git = self.clone.git()
        held = git.refs(f"{WORK_REFS}/{self.name}")
        git.run("update-ref", "--stdin", stdin="".join(f"delete {ref}\n" for ref in held).encode())
        for path in (*self._index.parent.glob(f"{self.name}.*"), self._record_path):
            path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Take it away with all in it.

    Package managers make folders read-only; such a one is opened and tried again.
    """

    def again(action: Callable[[str], object], path: str, _error: object) -> None:
        with suppress(OSError):
            for one in (Path(path).parent, Path(path)):
                if not one.is_symlink():
                    one.chmod(one.stat().st_mode | stat.S_IRWXU)
        action(path)

    with suppress(FileNotFoundError):
        shutil.rmtree(folder, onerror=again)
