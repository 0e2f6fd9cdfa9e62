"""Compare-and-swap on git refs, and how it is done on a remote: all coordination rests on it.

Owns the translation between updates with leases and git's own words. Must never retry a refused
update by itself: whoever asked decides what a refusal means.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final, Literal, Protocol

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import (
    DEFAULT_TIMEOUT_S,
    Git,
    GitFailed,
    PushedRef,
    parse_push,
    redact,
    remote_words,
    telling_line,
)

TRACKING = "refs/cortex-remote/"
"""Where a clone keeps what it last saw of the remote's `refs/cortex/`."""
SCRATCH = "refs/cortex-scratch/"
"""Where refs of a clone lie that are made and deleted within one step; what stays is a killed one's."""
_TRUNK = f"{TRACKING}trunk"
QUIET_FETCH = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--refmap=",  # leave the person's own tracking refs alone; a push of ours may be moving them
)
"""How every fetch of shared refs begins: it brings what is named, and touches nothing else of the clone."""
FIRST_FETCH_S = 3600.0
"""A clone that has nothing yet gets the whole history: no time after which a remote can be said to hang."""
_FETCHES = 4
_NOT_ATOMIC = "does not support --atomic"
_BAD_REF = re.compile(r"bad object (refs/\S+)")
_REF_GONE = "not our ref"
"""A claim was deleted between the server's list of refs and our asking for it: ask again."""


class _Mark(Enum):
    ABSENT = auto()
    ANY = auto()


ABSENT: Final = _Mark.ABSENT
"""Expected old value: the ref must not exist."""
ANY: Final = _Mark.ANY
"""Expected old value: whatever is there. Only for refs that nobody else writes."""


@dataclass(frozen=True, slots=True)
class Update:
    """One ref to change: to the object id `new`, or to be deleted (None), if it is `expected` now."""

    ref: str
    new: str | None
    expected: str | Literal[_Mark.ABSENT, _Mark.ANY]


class Outcome(Enum):
    """What became of one update."""

    APPLIED = auto()
    STALE = auto()
    """The ref was not what was expected: somebody else changed it."""
    BYSTANDER = auto()
    """Not applied because another update of the same all-or-nothing transaction was not."""
    UNCHANGED = auto()
    """The remote had this very object already, which proves nothing about who put it there."""
    REFUSED = auto()
    """The remote would not, for a reason of its own (a hook, a permission, a setting)."""
    BUSY = auto()
    """The remote could not at that moment: another push held the ref. Nothing is known of its value."""
    UNKNOWN = auto()
    """No answer arrived: it may have been applied. Read the ref back."""


class RemoteUnreachable(EnvironmentProblem):
    """The remote did not answer; nothing is lost, what waits goes out with the next command."""


class RefStore(Protocol):
    """Refs that several hosts or processes change by compare-and-swap.

    `namespace` is where the project's refs live (`refs/cortex`, or `refs/heads/cortex` where a server
    allows branches only). Names are always those of the shared repository.
    """

    git: Git
    namespace: str
    refusal: str
    """Why the last REFUSED update was refused, in git's words; empty before any."""

    def transaction(self, updates: Sequence[Update], *, atomic: bool) -> list[Outcome]:
        """Apply the updates, all or none when `atomic`, else each for itself; one outcome each."""
        ...

    def fetch(self) -> None:
        """Make `seen` current. Raises RemoteUnreachable."""
        ...

    def seen(self) -> dict[str, str]:
        """All refs of the namespace as of the last fetch, with their object ids."""
        ...

    def trunk(self) -> list[str]:
        """Object ids of the commits that stand for the folded branch, newest first; empty for none."""
        ...

    def read_back(self, refs: Sequence[str]) -> dict[str, str]:
        """The refs' values now, at the source; absent ones are left out. Raises RemoteUnreachable."""
        ...

    def under(self, prefix: str) -> dict[str, str]:
        """All refs whose names begin so, now, at the source. Raises RemoteUnreachable."""
        ...

    def move_trunk(self, new: str, old: str | None) -> Outcome:
        """Move the folded branch from `old` to `new`."""
        ...


class RemoteRefs:
    """Refs of a git remote, changed by `git push` with a lease for each."""

    def __init__(self, git: Git, remote: str, namespace: str, branch: str) -> None:
        self.git = git
        self.remote = remote
        self.namespace = namespace
        self.branch = f"refs/heads/{branch}"
        self.refusal = ""
        self._has_fetched = False

    def transaction(self, updates: Sequence[Update], *, atomic: bool) -> list[Outcome]:
        if not updates:
            return []
        arguments = ["push", "--porcelain", "--no-verify", "--no-thin", "--no-signed"]
        arguments += ["--atomic"] if atomic else []
        for update in updates:
            if update.expected is not ANY:
                old = "" if update.expected is ABSENT else update.expected
                arguments.append(f"--force-with-lease={update.ref}:{old}")
        plus = ["+" if update.expected is ANY else "" for update in updates]
        specs = [f"{sign}{update.new or ''}:{update.ref}" for sign, update in zip(plus, updates, strict=True)]
        try:
            done = self.git.run(*arguments, self.remote, *specs, check=False)
        except GitFailed as error:
            self.refusal = error.message
            return [Outcome.UNKNOWN] * len(updates)
        lines = {line.ref: line for line in parse_push(done.text)}
        if done.status and not lines:
            self.refusal = telling_line(done.stderr)
            if _NOT_ATOMIC in done.stderr:  # git's own words before anything was sent
                return [Outcome.REFUSED] * len(updates)
        for line in lines.values():
            if line.flag == "!" and not line.stale and not line.bystander:
                said = remote_words(done.stderr)
                self.refusal = f"{line.ref}: {line.summary}" + (f": {said}" if said else "")
        return [_outcome(lines.get(update.ref), done.status) for update in updates]

    def fetch(self) -> None:
        specs = [
            f"+{self.branch}:{_TRUNK}",
            *(f"+{self.namespace}/{kind}/*:{TRACKING}{kind}/*" for kind in ("claims", "hosts", "results")),
        ]
        timeout = DEFAULT_TIMEOUT_S if self._has_fetched or self.trunk() else FIRST_FETCH_S
        for _ in range(_FETCHES):
            done = self.git.run(*QUIET_FETCH, "--prune", self.remote, *specs, timeout=timeout, check=False)
            if not done.status:
                self._has_fetched = True
                return
            if not self._clear_dead_locks(done.stderr) and _REF_GONE not in done.stderr:
                break
        raise self._damaged(done.stderr) or unreachable(self.remote, done.stderr)

    def _damaged(self, stderr: str) -> RemoteUnreachable | None:
        """The error where a fetch ended at a ref of our own that is damaged: the remote may be well."""
        found = _BAD_REF.search(stderr)
        if found is None or not self.git.run("cat-file", "-e", found[1], check=False).status:
            return None
        return RemoteUnreachable(
            f"{self.git.directory} cannot fetch: its own ref {found[1]} is damaged", "run `cortex-git doctor`"
        )

    def _clear_dead_locks(self, stderr: str) -> bool:
        """Remove lock files that a killed git left on our tracking refs; True where there were any.

        Fetches of a clone take turns and end with their process, so nobody holds them.
        """
        found = re.findall(rf"'([^'\n]*/{re.escape(TRACKING)}[^'\n]*\.lock)': File exists", stderr)
        for path in found:
            Path(path).unlink(missing_ok=True)
        return bool(found)

    def seen(self) -> dict[str, str]:
        refs = self.git.refs(TRACKING)
        refs.pop(_TRUNK, None)
        return {f"{self.namespace}/{ref.removeprefix(TRACKING)}": oid for ref, oid in refs.items()}

    def trunk(self) -> list[str]:
        oid = self.git.refs(_TRUNK).get(_TRUNK)
        return [oid] if oid else []

    def read_back(self, refs: Sequence[str]) -> dict[str, str]:
        wanted = set(refs)
        return {ref: oid for ref, oid in self._listed(*refs) if ref in wanted}

    def under(self, prefix: str) -> dict[str, str]:
        return {ref: oid for ref, oid in self._listed(f"{prefix}*") if ref.startswith(prefix)}

    def _listed(self, *patterns: str) -> Iterator[tuple[str, str]]:
        done = self.git.run("ls-remote", "--quiet", self.remote, *patterns, check=False)
        if done.status:
            raise unreachable(self.remote, done.stderr)
        for line in done.text.splitlines():
            oid, _, ref = line.partition("\t")
            yield ref, oid

    def move_trunk(self, new: str, old: str | None) -> Outcome:
        return self.transaction([Update(self.branch, new, old or ABSENT)], atomic=True)[0]


def takes_branches_only(namespace: str) -> bool:
    """Whether the refs are branches, because the server takes nothing else.

    What replaces a branch is made a child of it: servers often refuse any other change of a branch.
    """
    return namespace.startswith("refs/heads/")


def unreachable(remote: str, stderr: str) -> RemoteUnreachable:
    """The error for a remote that did not answer, with git's own reason and what to do about it."""
    reason = telling_line(stderr)
    hint = next((hint for words, hint in _HINTS.items() if words in reason), _ANY_HINT)
    return RemoteUnreachable(f"remote {redact(remote)}: {reason}", hint)


_CREDENTIALS = "give git the right user name and token in a credential helper; see docs/remotes.md"
_ANY_HINT = "check the address and your access, then try again"
_HINTS = {
    "Authentication failed": _CREDENTIALS,
    "could not read Username": _CREDENTIALS,
    "could not read Password": _CREDENTIALS,
    "error: 403": _CREDENTIALS,
    "error: 429": "the server asks for fewer requests; try again later",
    "Permission denied": "give ssh a key that the server knows (ssh-add, or core.sshCommand)",
    "Host key verification failed": "connect once by hand with ssh, and accept the server's key",
    "mismatched algorithms": "this folder and the remote use different hashes: use another folder",
}
"""By words of git's or ssh's reason: what to do."""


def _outcome(line: PushedRef | None, status: int) -> Outcome:
    if line is None or "remote failure" in line.summary:
        return Outcome.UNKNOWN
    if line.flag == "!":
        if line.stale:
            return Outcome.STALE
        if line.bystander:
            return Outcome.BYSTANDER
        return Outcome.BUSY if line.busy else Outcome.REFUSED
    if line.flag == "=":
        return Outcome.UNCHANGED
    # Lines for refs of a non-atomic push are final one by one, whatever status the whole ended with.
    return Outcome.APPLIED if status in (0, 1) else Outcome.UNKNOWN
