"""Taking away work trees that agents left, once nothing in them could be lost; and packing their clones.

Owns that decision, which is the careful one: whatever is neither on the remote nor among what programs
leave behind keeps the folder. Must never look at what an agent may have written into its `.git`.
"""

import os
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from cortex_git.config import data_folder
from cortex_git.errors import CortexError, EnvironmentProblem
from cortex_git.flocks import try_lock
from cortex_git.runners.agent.clones import FOLDER as CLONES
from cortex_git.runners.agent.clones import LEFT_OUT, LIMITS
from cortex_git.runners.agent.worktrees import FOLDER, WORK_REFS, Leftover, left_in, leftovers, remove_folder
from cortex_git.scan.reading.process import GuardedGit

_LOOK_S = 300.0
_NAMED = 3
_COMMON = ("objects", "refs", "HEAD")


def left_work_trees(folder: Path, finished: Callable[[str], bool]) -> Iterator[tuple[Leftover, str | None]]:
    """Each work tree that nobody works in, for the coordination repository at `folder`, and why it stays.

    None where nothing in it could be lost. `finished` tells whether a task has a published result.
    """
    for one in leftovers(folder):
        yield one, why_kept(one, finished)


def why_kept(one: Leftover, finished: Callable[[str], bool]) -> str | None:
    """Why a work tree stays; None where it can go."""
    record = one.record
    if not finished(record.task):
        return f"task {record.task} has no result yet"
    if not record.pushed and record.commit is not None:
        return f"its work was not pushed ({record.reason})"
    if not one.folder.exists():
        return None
    if not all((Path(record.clone) / name).exists() for name in _COMMON):
        return f"its clone {record.clone} is gone, so nobody can tell what is new in it"
    try:
        return _unsafe(one)
    except (CortexError, OSError) as error:
        return f"it could not be looked at ({error})"


def _unsafe(one: Leftover) -> str | None:
    """What in the folder, or in the git directory behind it, is nowhere else."""
    clone = Path(one.record.clone)
    own = clone / FOLDER / one.folder.name
    if (inner := _repository_in(one.folder)) is not None:
        return f"{inner} is a repository of its own"
    git = GuardedGit(clone, LIMITS)
    published = one.record.commit or one.record.base
    if git.refs("refs/stash"):
        return "its clone has a stash, which may be of this folder"
    if (own / "HEAD").exists() and (reason := _other_head(git, own, {published, one.record.base})):
        return reason
    beside = clone / f"gc-index.{secrets.token_hex(4)}"
    git.environment |= {"GIT_WORK_TREE": str(one.folder), "GIT_INDEX_FILE": str(beside)}
    git.directory = one.folder
    try:
        return _different(git, published)
    finally:
        for path in (beside, beside.with_name(f"{beside.name}.lock")):
            path.unlink(missing_ok=True)


def _other_head(git: GuardedGit, own: Path, known: Collection[str]) -> str | None:
    """Somebody who made commits in the folder by hand moved its HEAD, or put a branch there."""
    head = (own / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    if head.startswith("ref:"):
        return f"it is on a branch of its own ({head.removeprefix('ref:').strip()})"
    if head not in known:
        return f"a commit was made in it by hand ({head[:12]})"
    log = own / "logs" / "HEAD"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    made = sorted({line.split(" ")[1] for line in lines if line.count(" ") > 1} - {*known})
    asked = "\n".join([*made, *(f"^{oid}" for oid in known)]).encode()
    lost = git.run("rev-list", "--ignore-missing", "--stdin", stdin=asked).text.split() if made else []
    return f"commits were made in it by hand ({lost[0][:12]})" if lost else None


def _different(git: GuardedGit, published: str) -> str | None:
    git.run("read-tree", published, timeout=_LOOK_S)
    git.run("update-index", "-q", "--really-refresh", check=False, timeout=_LOOK_S)
    changed = git.run("diff-files", "--name-only", "-z", "--ignore-submodules=none", timeout=_LOOK_S).text
    if names := [name for name in changed.split("\0") if name]:
        return f"not as published: {_named(names)}"
    listing = ("ls-files", "--others", "-z", *(f"--exclude={pattern}" for pattern in LEFT_OUT.split()))
    if names := [name for name in git.run(*listing, timeout=_LOOK_S).text.split("\0") if name]:
        return f"never published: {_named(names)}"
    return None


def _repository_in(folder: Path) -> str | None:
    """The first git directory in the folder, which would go with it; git itself looks into none."""
    if (folder / ".git").is_dir():
        return "the folder"
    for parent, folders, files in os.walk(folder):
        if Path(parent) != folder and ".git" in (*folders, *files):
            return str(Path(parent).relative_to(folder))
    return None


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def discard(one: Leftover, finished: Callable[[str], bool]) -> bool:
    """Take a work tree away with all that belongs to it, looked at once more; whether it was."""
    clone = Path(one.record.clone)
    if not clone.is_dir():
        _remove_records(one)
        return True
    with _locked(clone):
        if one not in left_in(one.folder.parent) or why_kept(one, finished) is not None:
            return False
        remove_folder(one.folder)
        remove_folder(clone / FOLDER / one.folder.name)
        git = GuardedGit(clone, LIMITS)
        held = git.refs(f"{WORK_REFS}/{one.folder.name}")
        git.run("update-ref", "--stdin", stdin="".join(f"delete {ref}\n" for ref in held).encode())
        _remove_records(one)
    return True


def _remove_records(one: Leftover) -> None:
    for path in one.folder.parent.glob(f"{one.folder.name}.*"):
        path.unlink(missing_ok=True)


@contextmanager
def _locked(clone: Path) -> Iterator[None]:
    """As whoever fetches into the clone or adds work trees does; not where somebody is at it."""
    with clone.with_suffix(".lock").open("a") as handle:
        if not try_lock(handle):
            raise EnvironmentProblem(f"{clone} is being worked with", "try again later")
        yield


def packed(clone: Path, pack: Callable[[GuardedGit], bool]) -> bool:
    """Have a clone packed while nobody works with it."""
    with _locked(clone):
        return pack(GuardedGit(clone, LIMITS))


def git_of(clone: Path) -> GuardedGit:
    """git on a clone, with no way to a remote."""
    return GuardedGit(clone, LIMITS)


def agent_clones() -> list[Path]:
    """This host's clones of repositories that agents work on."""
    return sorted(path for path in (data_folder() / CLONES).glob("*.git") if (path / "HEAD").exists())


def unfinished_clones(older_s: float, now: float) -> list[Path]:
    """Clones whose making was cut off more than `older_s` seconds before `now`."""
    folders = (data_folder() / CLONES).glob("*.git.*")
    return sorted(path for path in folders if path.is_dir() and path.stat().st_mtime < now - older_s)
