"""What was changed in a work tree: as a tree of git's, as a list, as a diff, in figures.

Owns how a folder's files become a tree, through an index of its own each time. Must never take more
than a limit into memory, nor let attributes hide lines from the look for secrets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, NamedTuple, cast

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import telling_line
from cortex_git.runners.agent.worktrees import WorkTree
from cortex_git.scan.reading.limits import MIB

MOST_FILES = 5000
MOST_BYTES = 64 * MIB
"""Of the changed files, before and after together."""
MOST_NAMED = 100
"""Files that a diffstat names."""
_MOST_DIFF = 4 * MOST_BYTES
_STAGE_S = 120.0
_LINK = "160000"
_NOTHING = "0" * 8
_PLAIN = ("--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")


class Changed(NamedTuple):
    """One changed file: modes as git writes them, object ids (zeros where there is none)."""

    path: str
    old_mode: str
    new_mode: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Diffstat:
    """How much was changed. `by_file`: path, lines added, lines taken out (None for binary files)."""

    files: int
    insertions: int
    deletions: int
    by_file: tuple[tuple[str, int | None, int | None], ...]
    """The first `MOST_NAMED`."""

    def __str__(self) -> str:
        lines = [
            f"{path} | {'binary' if added is None else f'+{added} -{taken}'}"
            for path, added, taken in self.by_file
        ]
        if self.files > len(self.by_file):
            lines.append(f"… {self.files - len(self.by_file):,} more")
        lines.append(f"files: {self.files:,}, insertions: {self.insertions:,}, deletions: {self.deletions:,}")
        return "\n".join(lines)


def staged(work: WorkTree) -> str:
    """The tree of the folder's files as they are now, without those that `.gitignore` leaves out.

    Raises EnvironmentProblem where a file cannot be read.
    """
    index = work.fresh_index()
    try:
        git = work.git(index)
        done = git.run("add", "--all", timeout=_STAGE_S, check=False)
        if done.status:
            errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
            reason = telling_line("\n".join(errors) or done.stderr)
            raise EnvironmentProblem(f"the files cannot be committed ({reason})", f"see {work.folder}")
        return git.text("write-tree")
    finally:
        index.unlink(missing_ok=True)


def restore(work: WorkTree, tree: str) -> None:
    """Put every file back as the tree has it; what is not in it goes, unless `.gitignore` leaves it out."""
    git = work.git()
    git.run("read-tree", "--reset", "-u", tree, timeout=_STAGE_S)
    git.run("clean", "-f", "-f", "-d", "--quiet", timeout=_STAGE_S)


def content(work: WorkTree, tree: str, path: str) -> bytes | None:
    """A file of a tree; None where there is none of that name, or it is larger than MOST_BYTES."""
    git = work.clone.git()
    asked = f"{tree}:{path}"
    if "\n" in path:
        return None
    facts = git.run("cat-file", "--batch-check=%(objecttype) %(objectsize)", stdin=f"{asked}\n".encode())
    kind, _, size = facts.text.strip().partition(" ")
    if kind != "blob" or not size.isdigit() or int(size) > MOST_BYTES:
        return None
    return git.run("cat-file", "blob", asked).stdout


def changed(work: WorkTree, old: str, new: str) -> list[Changed]:
    """The files in which two trees or commits differ."""
    command = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", *_PLAIN, old, new)
    parts = work.clone.git().run(*command).stdout.decode("utf-8", "replace").split("\0")
    found: list[Changed] = []
    for facts, path in zip(parts[0::2], parts[1::2], strict=False):
        old_mode, new_mode, before, after, _ = facts.removeprefix(":").split(" ")
        found.append(Changed(path, old_mode, new_mode, before, after))
    return found


def objection(work: WorkTree, changes: Sequence[Changed]) -> str | None:
    """Why these changes may not be published; None where they may, as far as size and kind go."""
    for one in changes:
        if _LINK in (one.old_mode, one.new_mode):
            return f"{one.path} is a git repository of its own, which cannot be published with this one"
    if len(changes) > MOST_FILES:
        return f"{len(changes):,} files changed, more than {MOST_FILES:,}: does .gitignore leave builds out?"
    size = _size(work, [oid for one in changes for oid in _looked_at(one)])
    if size > MOST_BYTES:
        return f"the changed files hold {size // MIB:,} MiB, more than {MOST_BYTES // MIB}"
    return None


def _looked_at(one: Changed) -> list[str]:
    """What a diff has to read of it: nothing of a file that was taken away."""
    if one.new.startswith(_NOTHING):
        return []
    return [one.new] if one.old.startswith(_NOTHING) else [one.old, one.new]


def _size(work: WorkTree, oids: Sequence[str]) -> int:
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    done = work.clone.git().text("cat-file", "--batch-check=%(objectsize)", stdin=asked)
    return sum(int(line) for line in done.splitlines() if line.isdigit())


def added_lines(work: WorkTree, old: str, new: str) -> bytes:
    """The diff with every line that `new` adds, also of files that attributes call binary."""
    return _diff(work, "--text", "--irreversible-delete", "--unified=0", old, new, limit=_MOST_DIFF)


def shown(work: WorkTree, old: str, new: str, limit: int) -> bytes:
    """The diff as people read it, its first `limit` bytes."""
    return _diff(work, old, new, limit=limit)


def _diff(work: WorkTree, *arguments: str, limit: int) -> bytes:
    command = ("-c", "core.quotePath=false", "diff-tree", "-r", "-p", *_PLAIN, *arguments)
    with work.clone.git().streaming(*command) as process:
        out = cast("IO[bytes]", process.stdout)
        kept = bytearray()
        while len(kept) <= limit and (chunk := out.read(65536)):
            kept += chunk
        if len(kept) <= limit and process.wait():
            raise EnvironmentProblem("the changes cannot be read", "run git fsck in the clone")
        return bytes(kept[:limit])


def diffstat(work: WorkTree, old: str, new: str) -> Diffstat:
    """What changed from one tree or commit to another, in figures."""
    command = ("diff-tree", "-r", "-z", "--numstat", *_PLAIN, old, new)
    lines = work.clone.git().run(*command).stdout.decode("utf-8", "replace").split("\0")
    files: list[tuple[str, int | None, int | None]] = []
    for line in lines:
        added, tab, rest = line.partition("\t")
        taken, _, path = rest.partition("\t")
        if tab:
            files.append((path, *((None, None) if added == "-" else (int(added), int(taken)))))
    files.sort()
    return Diffstat(
        len(files),
        sum(added or 0 for _, added, _ in files),
        sum(taken or 0 for _, _, taken in files),
        tuple(files[:MOST_NAMED]),
    )
