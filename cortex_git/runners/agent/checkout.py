"""A task's own copy of its repository: a folder to work in, and a branch for what came of it.

Owns what is published of the work, and when the folder may go. Must never merge, never write to a branch
that another wrote, and never remove work that the remote has not acknowledged.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortex_git.errors import BadInput, CortexError, EnvironmentProblem
from cortex_git.models import TASK_PATTERN
from cortex_git.runners import RunContext
from cortex_git.runners.agent import staging
from cortex_git.runners.agent.clones import Clone, credentials_for, source_of
from cortex_git.runners.agent.pushing import Push
from cortex_git.runners.agent.staging import Diffstat
from cortex_git.runners.agent.starting import Start, found_start
from cortex_git.runners.agent.worktrees import Leftover, Record, WorkTree, folder_for, leftovers
from cortex_git.scan.reading.limits import Deadline, OutOfTime

if TYPE_CHECKING:
    from cortex_git.scan.secret_detector import Secret

__all__ = ["Checkout", "Leftover", "NotPublished", "Published", "leftovers"]

_LEAST_PUSH_S = 10.0
"""A push gets this long although the attempt's time is up."""
_LEAVE_S = 30.0
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Published:
    """What became of the work; without `commit` there was none to push, or it may not be pushed."""

    branch: str
    commit: str
    stat: Diffstat
    pushed: bool
    reason: str = ""

    @property
    def diffstat(self) -> str:
        """For people: a line a file, and the sums."""
        return str(self.stat)


class NotPublished(EnvironmentProblem):
    """The work is not on the remote; it stays in its folder, and `publish` may be called again."""

    def __init__(self, published: Published, folder: Path) -> None:
        super().__init__(published.reason, f"the work is in {folder}")
        self.published = published


class Checkout:
    """One attempt's folder and branch. For one process and thread at a time."""

    def __init__(self, work: WorkTree, start: Start, author: str, ends: float) -> None:
        self._work = work
        self._start = start
        self._author = author
        self._ends = ends
        self._tree = self._tree_of(start.commit)
        """Of the last commit that was made, or of the start."""
        self._own: list[str] = [start.commit] if start.resumed else []
        """Commits that may be on the branch."""
        self._made: str | None = None
        self._remote: str | None = None
        """The commit of ours that the remote has acknowledged."""
        self._failed = ""
        """Why the work is not on the remote, as far as that is known."""
        self._push = Push(work.clone, self.branch, work.ref("seen"))
        self.folder = work.folder
        self.base = start.base
        self.note = start.note
        """What a person should know about where it started; empty for nothing."""

    @property
    def branch(self) -> str:
        return self._work.record.branch

    @property
    def commit(self) -> str | None:
        """The last commit of the work, pushed or not; None as long as there is none."""
        return self._made or (self._start.commit if self._start.resumed else None)

    @classmethod
    def open(
        cls, task: Mapping[str, Any], context: RunContext, *, deadline_s: float | None = None
    ) -> "Checkout":
        """A folder with the task's repository, at the ref it names or where an earlier attempt ended.

        `deadline_s`: what is left of the attempt. Raises BadInput, or EnvironmentProblem where the
        repository cannot be had in that time.
        """
        seconds = context.deadline_s if deadline_s is None else deadline_s
        deadline = Deadline(seconds)
        name = str(task.get("task"))
        if not re.fullmatch(TASK_PATTERN, name):
            raise BadInput(f"{name!r} is not a task's name", "submit it again")
        source = source_of(task, context)
        branch = f"cortex/{name}-e{context.epoch}"
        clone = Clone(source, credentials_for(context))
        record = Record(name, context.epoch, branch, source.repo, str(clone.folder), base="")
        work = WorkTree(clone, record, folder_for(context.folder))
        try:
            with clone.locked(deadline):
                start = found_start(work, context.earlier, deadline)
                work.add(start.commit)
            work.fill(deadline)
        except OutOfTime as error:
            _forget(work)
            raise EnvironmentProblem(f"{source.repo} {error}", "give the task a longer deadline") from None
        except BaseException:
            _forget(work)
            raise
        author = f"cortex-git {context.worker} <{context.host or 'unknown'}@cortex-git.invalid>"
        return cls(work, start, author, time.monotonic() + seconds)

    def changes(self) -> list[str]:
        """The paths that differ from what was checked out, without files that `.gitignore` leaves out."""
        return [
            one.path for one in staging.changed(self._work, self._start.commit, staging.staged(self._work))
        ]

    def snapshot(self) -> str:
        """The tree of the files as they are now, for `read` and `restore`."""
        return staging.staged(self._work)

    def changed(self, old: str, new: str) -> set[str]:
        """The paths that differ between two snapshots."""
        return {one.path for one in staging.changed(self._work, old, new)}

    def read(self, tree: str, path: str) -> bytes | None:
        """A file of a snapshot, never through a symbolic link; None where there is none, or a huge one."""
        return staging.content(self._work, tree, path)

    def restore(self, tree: str) -> None:
        """Put the files back as a snapshot has them: what was changed since is lost."""
        staging.restore(self._work, tree)

    def diff(self, limit: int) -> bytes:
        """How they differ, the first `limit` bytes of it."""
        return staging.shown(self._work, self._start.commit, staging.staged(self._work), limit)

    def publish(self, message: str, *, author: str | None = None) -> Published | None:
        """Commit whatever changed and push it to the branch; None where nothing did.

        `author`: `Name <address>`. May be called again, after more work or when it failed. An earlier
        attempt's work that this one found complete is pushed under the new branch too. Raises NotPublished,
        or another EnvironmentProblem where the files cannot be read: the work stays in its folder.
        """
        tree = staging.staged(self._work)
        stat = staging.diffstat(self._work, self._start.before, tree)
        if tree != self._tree:
            self._check(tree, message, stat)
            self._commit(tree, message, author or self._author)
        commit = self.commit
        if commit is None:
            return None
        left = max(_LEAST_PUSH_S, self._ends - time.monotonic())
        pushed = self._push.to(commit, self._remote, self._own, left)
        self._remote = pushed.remote
        done = Published(self.branch, commit, stat, not pushed.reason, pushed.reason)
        self._work.note(commit=commit, pushed=done.pushed)
        if not done.pushed:
            raise self._not_published(done)
        self._failed = ""
        return done

    def _check(self, tree: str, message: str, stat: Diffstat) -> None:
        """No commit is made of what may not be published, so that every commit there is may be pushed."""
        last = self._made or self._start.commit
        changes = staging.changed(self._work, last, tree)
        reason = staging.objection(self._work, changes)
        if reason is None:
            from cortex_git.scan.secret_detector import findings, in_diff

            found = in_diff(staging.added_lines(self._work, last, tree))
            named = findings("\n".join((message, *(one.path for one in changes))))
            reason = _secrets(found, bool(named))
        if reason is not None:
            raise self._not_published(Published(self.branch, "", stat, False, reason))

    def _not_published(self, published: Published) -> NotPublished:
        self._failed = published.reason
        self._work.note(reason=published.reason)
        return NotPublished(published, self.folder)

    def _commit(self, tree: str, message: str, author: str) -> None:
        name, _, address = author.rpartition(" <")
        who = {"NAME": name, "EMAIL": address.rstrip(">"), "DATE": f"@{int(time.time())} +0000"}
        identity = {
            f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()
        }
        git = self._work.clone.git(**identity)
        parent = self._made or self._start.commit
        text = message.replace("\0", "").strip() + "\n"
        command = ("commit-tree", "--no-gpg-sign", "-p", parent, tree)
        commit = git.run(*command, stdin=text.encode("utf-8", "replace")).text.strip()
        git.run("update-ref", self._work.ref("commit"), commit)
        self._work.note(commit=commit, pushed=False, reason="the remote has not acknowledged it")
        self._made, self._tree = commit, tree
        self._own.append(commit)

    def leave(self) -> Path | None:
        """Remove the folder if nothing in it would be lost; else where it stays, the reason beside it."""
        try:
            reason = self._kept_for()
            if reason is None:
                with self._work.clone.locked(Deadline(_LEAVE_S)):
                    self._work.remove()
                return None
        except (CortexError, OSError, OutOfTime) as error:
            reason = f"it could not be removed ({error})"
        self._work.note(reason=reason, pid=0)
        return self.folder

    def _kept_for(self) -> str | None:
        unpushed = self._made is not None and self._remote != self._made
        if unpushed or staging.staged(self._work) != self._tree:
            return self._failed or "it has changes that were not published"
        return None

    def _tree_of(self, commit: str) -> str:
        return self._work.clone.git().text("rev-parse", f"{commit}^{{tree}}")


def _forget(work: WorkTree) -> None:
    """Nobody has worked in it yet."""
    try:
        work.remove()
    except (CortexError, OSError) as error:
        if work.folder.exists():
            work.note(reason=f"it could not be removed ({error})")


def _secrets(found: "list[Secret]", elsewhere: bool) -> str | None:
    """What is said of secrets that were found: where and what kind, never which."""
    places = [f"{one.path}:{one.line} ({one.kind})" for one in found[:_NAMED]]
    if len(found) > _NAMED:
        places.append(f"{len(found) - _NAMED} more")
    if elsewhere:
        places.append("the commit's message or a file's name")
    return f"it looks like it holds secrets: {', '.join(places)}" if places else None
