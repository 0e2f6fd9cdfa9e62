"""Puts a commit on a branch of a task's repository that nobody else has written.

Owns the lease, and what a push that did not end well came to. Must never replace what another wrote:
the branch may not be there, or must hold what we put there ourselves.
"""

import random
import time
from collections.abc import Collection
from typing import NamedTuple

from cortex_git.errors import CortexError
from cortex_git.gitio import Completed, GitTimedOut
from cortex_git.runners.agent.clones import Clone
from cortex_git.scan.reading.errors import NoCommit
from cortex_git.scan.reading.limits import Deadline
from cortex_git.scan.reading.remote import FIRST_PAUSE_S, RETRIES, TRANSIENT

_READ_BACK_S = 15.0
_MOST_REASON = 1000
_PUSH = ("push", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no")


class Pushed(NamedTuple):
    """What came of it: `remote` is the commit that the branch is known to hold; no reason means success."""

    remote: str | None
    reason: str = ""


class Push:
    """Pushes of one branch; `own` are the commits that we may have put there already."""

    def __init__(self, clone: Clone, branch: str, seen: str) -> None:
        self._clone = clone
        self._branch = f"refs/heads/{branch}"
        self._seen = seen
        """A ref of the clone for what the remote's branch turns out to hold."""

    def to(self, commit: str, lease: str | None, own: Collection[str], timeout_s: float) -> Pushed:
        """Move the branch from `lease` (None: it may not be there) to `commit`, within so many seconds.

        A push whose answer was lost is recognised by reading the branch back.
        """
        ends = time.monotonic() + timeout_s
        for attempt in range(RETRIES + 1):
            done = self._try(commit, lease, ends - time.monotonic())
            if done.status == 0:
                return Pushed(commit)
            try:
                found = self._read_back()
            except CortexError as error:
                reason, found = f"the remote does not answer ({error.message})", lease
            else:
                if found == commit:
                    return Pushed(commit)
                reason = _reason(found, done.stderr, self._branch, known=found in own)
            moved = found != lease and found in own
            pause = 0.0 if moved else FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311
            again = moved or TRANSIENT.search(done.stderr) is not None
            if attempt == RETRIES or not again or time.monotonic() + pause >= ends:
                return Pushed(lease, reason)
            lease = found
            time.sleep(pause)
        raise AssertionError("the last attempt returns")

    def _try(self, commit: str, lease: str | None, timeout_s: float) -> Completed:
        leased = f"--force-with-lease={self._branch}:{lease or ''}"
        wanted = f"{commit}:{self._branch}"
        git = self._clone.remote_git()
        try:
            return git.run_talkative(
                *_PUSH, leased, self._clone.source.url, wanted, timeout=max(1.0, timeout_s)
            )
        except GitTimedOut as error:
            return Completed(1, b"", f"fatal: {error.message}")

    def _read_back(self) -> str | None:
        """What the branch holds; None where it is not there. Raises CortexError where nobody answers."""
        try:
            return self._clone.fetch(self._branch, self._seen, Deadline(_READ_BACK_S))
        except NoCommit:
            return None


def _reason(found: str | None, stderr: str, branch: str, *, known: bool) -> str:
    if found is not None and not known:
        name = branch.removeprefix("refs/heads/")
        return f"branch {name} holds {found[:12]}, which another wrote, and stays as it is"
    lines = [line.strip() for line in stderr.splitlines()]
    telling = [line for line in lines if line.startswith(("remote:", "!", "fatal:", "error:"))]
    said = " ".join(telling[:6] or lines[-1:])
    return f"the remote did not take it ({said[:_MOST_REASON]})"
