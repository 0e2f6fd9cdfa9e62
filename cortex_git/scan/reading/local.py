"""Reads a repository on this machine in place, through a git directory of our own.

git obeys the configuration of the git directory it is given (fsmonitor, includes, aliases, promisor
remotes, hooks), so it is never given theirs. A temporary bare git directory gets our own configuration,
a copy of their HEAD, and symbolic links to their `refs`, `packed-refs` and `objects`: git itself then
reads loose and packed refs and objects exactly, follows their alternates, and knows no setting, remote,
hook or work tree of theirs. Only two facts are taken from their configuration, each checked against a
fixed list: the object format and the ref storage. With `--git-dir` given and owned by us, repositories
of other owners can be read without `safe.directory`. `git upload-pack` on their folder was the
alternative: it obeys their configuration, costs more processes and copies the objects.

What is committed is what is read: changes in the work tree or the index are not seen. Must never write
below their folder.
"""

import os
import stat
from pathlib import Path
from typing import NamedTuple

from cortex_git.scan.reading.errors import NoCommit, RepositoryUnreadable
from cortex_git.scan.reading.limits import Deadline, Limits
from cortex_git.scan.reading.process import GuardedGit, bare_folder

_MAX_POINTER = 64 * 1024
_MAX_CONFIG = 1024 * 1024
_OBJECT_FORMATS = ("sha1", "sha256")
_REF_STORAGES = ("files", "reftable")
_RESOLVE_TIMEOUT_S = 10.0


class Found(NamedTuple):
    """The two parts of a git directory."""

    own: Path
    """With the HEAD: the worktree's part."""
    common: Path
    """With the refs and objects; the same folder unless this is a linked worktree."""


def borrow(path: Path, folder: Path, limits: Limits, deadline: Deadline) -> GuardedGit:
    """Make `folder` a git directory that reads the repository at `path`, a checkout or a bare one.

    Raises RepositoryUnreadable when there is none.
    """
    found = locate(path)
    git = GuardedGit(folder, limits)
    bare_folder(folder, ["[core]", "\trepositoryformatversion = 0", "\tbare = true"])
    (folder / "objects").symlink_to(_real_folder(found.common / "objects", path))
    (folder / "refs").symlink_to(_real_refs(found.common / "refs", path))
    packed = found.common / "packed-refs"
    if packed.is_file():
        (folder / "packed-refs").symlink_to(packed.resolve())
    alternates = found.common / "objects" / "info" / "alternates"
    if alternates.exists() and not alternates.is_file():
        raise RepositoryUnreadable(f"{alternates} is not a plain file", "is this a git repository?")
    (folder / "HEAD").write_bytes(head_bytes(found.own / "HEAD", path))
    _add_formats(git, folder, found, deadline)
    return git


def why_no_commit(git: GuardedGit, ref: str | None, deadline: Deadline) -> NoCommit | RepositoryUnreadable:
    """Why `ref` or HEAD is no commit: not made yet, unknown, or damaged."""
    if ref is not None:
        return RepositoryUnreadable(f"no commit is called {ref!r}", "check the branch, tag or commit id")
    timeout = min(_RESOLVE_TIMEOUT_S, deadline.left())
    done = git.run("symbolic-ref", "--quiet", "HEAD", timeout=timeout, check=False)
    target = done.text.strip()
    if done.status == 0 and not git.run("for-each-ref", target, timeout=timeout, check=False).stdout:
        return NoCommit("HEAD names no commit", "commit something, or name a branch with @branch")
    return RepositoryUnreadable("HEAD cannot be read", "run git fsck in it")


def locate(path: Path) -> Found:
    """The git directory of the checkout or bare repository there. Raises RepositoryUnreadable."""
    if not path.is_dir():
        raise RepositoryUnreadable(f"{path} is not a folder", "give a checkout or a bare repository")
    dot_git = path / ".git"
    own = path
    if dot_git.is_dir():
        own = dot_git
    elif dot_git.exists():
        target = read_small(dot_git, _MAX_POINTER)
        if not target.startswith(b"gitdir: "):
            raise RepositoryUnreadable(f"{dot_git} does not name a git directory", "run git worktree repair")
        own = path / os.fsdecode(target.removeprefix(b"gitdir: ").rstrip(b"\r\n"))
    common = own
    if (own / "commondir").is_file():
        common = own / os.fsdecode(read_small(own / "commondir", _MAX_POINTER).rstrip(b"\r\n"))
    if not (own / "HEAD").exists() or not (common / "objects").is_dir():
        raise RepositoryUnreadable(f"{path} is not a git repository", "give a checkout or a bare repository")
    return Found(own, common)


def read_small(path: Path, limit: int) -> bytes:
    """A regular file's bytes; RepositoryUnreadable for pipes, devices, and files over `limit` bytes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RepositoryUnreadable(f"{path}: {error.strerror}", "check its permissions") from None
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > limit:
            raise RepositoryUnreadable(f"{path} is not a plain small file", "is this a git repository?")
        return file.read(limit)


def _real_folder(folder: Path, path: Path) -> Path:
    if not os.access(folder, os.R_OK | os.X_OK):
        raise RepositoryUnreadable(f"{path}: its {folder.name} cannot be read", "check its permissions")
    return folder.resolve()


def _real_refs(refs: Path, path: Path) -> Path:
    if not refs.is_dir():
        raise RepositoryUnreadable(f"{path} is not a git repository: it has no refs", "run git fsck in it")
    return _real_folder(refs, path)


def head_bytes(head: Path, path: Path) -> bytes:
    """HEAD as a plain file; very old repositories have a symbolic link to the ref."""
    if head.is_symlink():
        target = os.fsencode(head.readlink())
        if target.startswith(b"refs/"):
            return b"ref: " + target + b"\n"
    content = read_small(head, _MAX_POINTER)
    if not content.strip():
        raise RepositoryUnreadable(f"{path}: its HEAD is empty", "run git fsck in it")
    return content


def _add_formats(git: GuardedGit, folder: Path, found: Found, deadline: Deadline) -> None:
    """Take over the object format and the ref storage, if their configuration names any."""
    config = found.common / "config"
    data = read_small(config, _MAX_CONFIG) if config.exists() else b""
    if b"extensions" not in data.lower():
        return
    (folder / "theirs").write_bytes(data)
    query = (
        "config",
        "--file",
        str(folder / "theirs"),
        "--no-includes",
        "-z",
        "--get-regexp",
        r"^extensions\.",
    )
    done = git.run(*query, timeout=min(_RESOLVE_TIMEOUT_S, deadline.left()), check=False)
    lines = (line.partition("\n") for line in done.text.split("\0") if line)
    values = {key: value.lower() for key, _, value in lines}
    objects, refs = (
        values.get("extensions.objectformat", "sha1"),
        values.get("extensions.refstorage", "files"),
    )
    if objects not in _OBJECT_FORMATS or refs not in _REF_STORAGES:
        raise RepositoryUnreadable(
            "its object format or ref storage is unknown", "is it newer than this program?"
        )
    if refs == "reftable":
        if found.own != found.common:
            raise RepositoryUnreadable(
                "a linked worktree with reftable storage", "scan the main checkout @branch"
            )
        (folder / "reftable").symlink_to(_real_folder(found.common / "reftable", found.common))
    lines_of_ours = [
        "[core]",
        "\trepositoryformatversion = 1",
        "\tbare = true",
        "[extensions]",
        *([f"\tobjectFormat = {objects}"] if objects != "sha1" else []),
        *([f"\trefStorage = {refs}"] if refs != "files" else []),
    ]
    (folder / "config").write_text("\n".join(lines_of_ours) + "\n", encoding="utf-8")
