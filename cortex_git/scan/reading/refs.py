"""The branches and tags of a repository that fit, asked for without fetching anything.

Must never take a name from a repository that git must not get.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from re import Pattern
from typing import IO, NamedTuple, cast

from cortex_git.errors import BadInput
from cortex_git.gitio import Completed, redact, telling_line
from cortex_git.scan.reading.errors import RepositoryUnreadable
from cortex_git.scan.reading.host_gate import HostGate
from cortex_git.scan.reading.limits import Deadline, Limits, OutOfTime
from cortex_git.scan.reading.local import borrow
from cortex_git.scan.reading.process import GuardedGit, bare_folder
from cortex_git.scan.reading.remote import patiently
from cortex_git.scan.sources import Credentials, Source, checked_ref

BRANCHES, TAGS = "refs/heads/", "refs/tags/"
MOST_REFS = 1_000
"""Of one repository that are scanned."""
_MOST_BYTES = 64 * 1024 * 1024
_LONGEST = 1024


class Refs(NamedTuple):
    """Full names, branches first, sorted; and how many that fit too are not among them."""

    names: list[str]
    left: int


class _Wanted(NamedTuple):
    branches: Pattern[str] | None
    tags: Pattern[str] | None


def refs_of(
    source: Source,
    branches: Pattern[str] | None,
    tags: Pattern[str] | None,
    credentials: Credentials,
    limits: Limits,
    gate: HostGate,
) -> Refs:
    """The refs of the repository that fit; None for none of that kind.

    Raises RepositoryUnreadable, or another problem of git itself.
    """
    wanted = _Wanted(branches, tags)
    deadline = Deadline(limits.time_s)
    with tempfile.TemporaryDirectory(prefix="cortex-git-refs-", ignore_cleanup_errors=True) as name:
        try:
            if source.local:
                return _local(borrow(Path(source.url), Path(name), limits, deadline), wanted, deadline)
            git = _empty(Path(name), limits, credentials)
            return _remote(git, source, wanted, deadline, gate)
        except OutOfTime as problem:
            raise RepositoryUnreadable(f"{source.repo} {problem}", "try again later") from None


def _local(git: GuardedGit, wanted: _Wanted, deadline: Deadline) -> Refs:
    command = ("for-each-ref", "--format=%(refname)", BRANCHES, TAGS)
    with git.streaming(*command, timeout=deadline.left()) as process:
        found = _chosen(_lines(cast("IO[bytes]", process.stdout)), wanted)
        if process.wait():
            deadline.left()
            raise RepositoryUnreadable("its branches and tags cannot be listed", "run git fsck in it")
    return found


def _empty(folder: Path, limits: Limits, credentials: Credentials) -> GuardedGit:
    bare_folder(folder, ["[core]", "\trepositoryformatversion = 0", "\tbare = true"])
    for part in ("objects", "refs"):
        (folder / part).mkdir()
    return GuardedGit(folder, limits, remote=True, credentials=credentials)


def _remote(git: GuardedGit, source: Source, wanted: _Wanted, deadline: Deadline, gate: HostGate) -> Refs:
    kinds = [*(["--heads"] if wanted.branches else []), *(["--tags"] if wanted.tags else [])]
    command = ("ls-remote", "--quiet", "--refs", *kinds, "--", source.url)
    found = Refs([], 0)

    def ask() -> Completed:
        nonlocal found
        with git.streaming(*command, timeout=deadline.left()) as process:
            lines = _lines(cast("IO[bytes]", process.stdout))
            found = _chosen((line.partition("\t")[2] for line in lines), wanted)
            complaints = cast("IO[bytes]", process.stderr).read(65536).decode("utf-8", "replace")
            return Completed(process.wait(), b"", redact(complaints))

    done = patiently(ask, deadline, f"{source.repo} did not answer in time", gate, source)
    if done.status:
        deadline.left()
        hint = "check the address, the network and the credentials"
        raise RepositoryUnreadable(f"{source.repo} cannot be asked ({telling_line(done.stderr)})", hint)
    return found


def _lines(pipe: IO[bytes]) -> Iterator[str]:
    total = 0
    while line := pipe.readline(_LONGEST * 2):
        total += len(line)
        if total > _MOST_BYTES:
            raise RepositoryUnreadable(f"its branches and tags are listed in over {_MOST_BYTES:,} bytes")
        yield line.decode("utf-8", "replace").rstrip("\n")


def _chosen(names: Iterator[str], wanted: _Wanted) -> Refs:
    chosen: set[str] = set()
    left = 0
    for name in names:
        if not _fits(name, wanted):
            continue
        if not _usable(name) or len(chosen) >= MOST_REFS:
            left += 1
        else:
            chosen.add(name)
    return Refs(sorted(chosen), left)


def _fits(name: str, wanted: _Wanted) -> bool:
    for prefix, pattern in ((BRANCHES, wanted.branches), (TAGS, wanted.tags)):
        if pattern is not None and name.startswith(prefix):
            return pattern.match(name.removeprefix(prefix)) is not None
    return False


def _usable(name: str) -> bool:
    try:
        return len(name) <= _LONGEST and checked_ref(name) == name
    except BadInput:
        return False
