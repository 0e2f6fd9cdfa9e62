"""Which documents are new in refs, and what they hold: differences between trees, in few calls of git.

Owns what a ref is compared with. Must never leave out a document of a tree that is not entered elsewhere.
"""

from collections.abc import Sequence

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git
from cortex_git.store import layout

_FILES = ("100644", "100755")
"""Modes of what can be a document; a link or a submodule in its place is none."""
_DIFF = ("-r", "-z", "--no-renames")


def new_in(
    git: Git, changed: dict[str, str], known: dict[str, str], trunk: Sequence[str]
) -> list[tuple[str, str]]:
    """(path, blob id) of every document in the changed refs that is not in what was known of any ref.

    Whatever tree a ref is compared with is entered already, or now: its own old one, or the branch's where
    its host has put it onto the branch meanwhile. So the differences are as small as what is new.
    """
    found: list[tuple[str, str]] = []
    for number, oid in enumerate(trunk):
        if (ref := f"trunk/{number}") in changed:
            found += added(git, known.get(ref) or (trunk[0] if number else None), oid)
    hosts = {ref: oid for ref, oid in changed.items() if not ref.startswith("trunk/")}
    if not trunk or not hosts:
        return found + [entry for ref, oid in hosts.items() for entry in added(git, known.get(ref), oid)]
    stayed = _stayed(git, hosts, known)
    pairs = [(known[ref] if ref in stayed else trunk[0], oid) for ref, oid in hosts.items()]
    return found + _added_together(git, pairs)


def _stayed(git: Git, refs: dict[str, str], known: dict[str, str]) -> set[str]:
    """Those of the refs whose new commits are a chain on top of the tip known before."""
    before = {ref: known[ref] for ref in refs if ref in known}
    if not before:
        return set()
    outside = [oid for ref, oid in known.items() if ref in before or ref.startswith("trunk/")]
    revisions = "\n".join([*(refs[ref] for ref in before), *(f"^{oid}" for oid in outside)])
    arguments = ["rev-list", "--first-parent", "--boundary", "--stdin"]
    done = git.run(*arguments, stdin=f"{revisions}\n".encode(), check=False)
    if done.status:
        return set()  # what was known is gone: compared with the branch
    edges = {line[1:] for line in done.text.splitlines() if line.startswith("-")}
    return {ref for ref, oid in before.items() if oid in edges}


def _added_together(git: Git, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Like `added`, for many pairs of an old and a new commit in one git call."""
    lines = "".join(f"{new} {old}\n" for old, new in dict.fromkeys(pairs))
    arguments = ["diff-tree", "--stdin", "--no-commit-id", *_DIFF, "--diff-filter=AM", "--", layout.ROOT]
    done = git.run(*arguments, stdin=lines.encode(), check=False)
    if done.status:
        return [entry for old, new in pairs for entry in added(git, old, new)]
    return _entries(done.text)


def added(git: Git, old: str | None, new: str, *, only_new: bool = False) -> list[tuple[str, str]]:
    """(path, blob id) of every document that `new` has and `old` has not, or has another version of.

    With `only_new`, other versions are left out.
    """
    if old is not None:
        kinds = "A" if only_new else "AM"
        done = git.run(
            "diff-tree", *_DIFF, f"--diff-filter={kinds}", old, new, "--", layout.ROOT, check=False
        )
        if done.status == 0:
            return _entries(done.text)
    fields = git.text("ls-tree", "-r", "-z", "--full-tree", new, "--", layout.ROOT).split("\0")
    entries = (field.partition("\t") for field in fields if field)
    heads = ((head.split(" "), path) for head, _, path in entries)
    return [(path, head[2]) for head, path in heads if head[0] in _FILES]


def bodies(git: Git, entries: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """The contents of documents, each given by its path and blob id; by blob id.

    Raises EnvironmentProblem for one that git does not have, though the refs lead to it.
    """
    found = git.blobs(oid for _, oid in entries)
    for path, oid in entries:
        if oid not in found:
            raise EnvironmentProblem(
                f"{git.directory} has lost object {oid[:12]}, which is {path}", "run `cortex-git doctor`"
            )
    return found


def _entries(text: str) -> list[tuple[str, str]]:
    """(path, new blob id) of each file that `git diff-tree -z` tells of."""
    fields = text.split("\0")
    heads = ((head.split(" "), path) for head, path in zip(fields[::2], fields[1::2], strict=False))
    return [(path, head[3]) for head, path in heads if head[1] in _FILES]
