"""This host's own bare clone of each repository that tasks work on, shared by all its tasks.

Owns where it lies, its settings, and what is fetched into it, one process at a time. Must never obey
configuration, hooks or attributes of the person or of the repository, nor reach it in a way that a scan
would not.
"""

import hashlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cortex_git.config import data_folder, load_host_settings
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.flocks import try_lock
from cortex_git.gitio import Completed, telling_line
from cortex_git.runners import RunContext
from cortex_git.scan.reading.errors import NoCommit, RepositoryUnreadable
from cortex_git.scan.reading.limits import MIB, Deadline, Limits
from cortex_git.scan.reading.local import borrow
from cortex_git.scan.reading.process import GuardedGit, bare_folder
from cortex_git.scan.reading.remote import patiently
from cortex_git.scan.sources import Credentials, Source, checked_source, parse_source

FOLDER = "repositories"
"""Below this host's data folder: work that no remote has yet lies in there, so it is no cache."""
LIMITS = Limits(download_bytes=2048 * MIB, git_memory_bytes=1024 * MIB)
"""What one git process may write into a file, and use of memory."""
_FORMATS = {
    "sha1": ("[core]", "\trepositoryformatversion = 0", "\tbare = true"),
    "sha256": (
        *("[core]", "\trepositoryformatversion = 1", "\tbare = true"),
        *("[extensions]", "\tobjectFormat = sha256"),
    ),
}
LEFT_OUT = "__pycache__/\n*.py[co]\n.mypy_cache/\n.pytest_cache/\n.ruff_cache/\nnode_modules/\n.DS_Store\n"
"""What programs leave behind and nobody wants published, also where a repository has no `.gitignore`."""
_LOOK_S = 0.02
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no")
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def source_of(task: Mapping[str, Any], context: RunContext) -> Source:
    """The task's repository, checked again: a task may have been written by anyone who can push.

    A relative path is one beside the coordination repository's files. Raises BadInput.
    """
    about = task.get("context") or {}
    repo, url, ref = task.get("repo"), about.get("url"), about.get("ref")
    if not isinstance(repo, str) or not isinstance(url, str | None) or not isinstance(ref, str | None):
        raise BadInput("a task without a repository to work on", "give it one with --repo")
    if url is not None:
        return checked_source(repo, url, ref)
    found = parse_source(repo, Path(context.folder or os.curdir).absolute())
    return checked_source(found.repo, found.url, ref or found.ref)


def credentials_for(context: RunContext) -> Credentials:
    """The programs that answer for passwords: the batch command's, else this host's; never the task's."""
    host = load_host_settings()
    options = context.options
    return Credentials(
        options.get("askpass") or host.askpass, options.get("helper") or host.credential_helper
    )


class Clone:
    """The bare clone of one repository, and git in it."""

    def __init__(self, source: Source, credentials: Credentials) -> None:
        self.source = source
        self._credentials = credentials
        name = _PLAIN.sub("-", Path(source.url).name.removesuffix(".git"))[:40].strip("-.") or "repository"
        mark = hashlib.sha256(source.url.encode()).hexdigest()[:16]
        self.folder = data_folder() / FOLDER / f"{name}-{mark}.git"

    @contextmanager
    def locked(self, deadline: Deadline) -> Iterator[None]:
        """Inside the block no other process fetches here or adds work trees; it is made where it is not."""
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.folder.with_suffix(".lock").open("a") as handle:
            while not try_lock(handle):
                time.sleep(min(_LOOK_S, deadline.left()))
            if not (self.folder / "HEAD").exists():
                self._make()
            yield

    def _make(self) -> None:
        """Beside it first, so that a clone whose making was cut off is never taken for one."""
        beside = self.folder.with_name(f"{self.folder.name}.{secrets.token_hex(4)}")
        for part in ("objects", "refs"):
            (beside / part).mkdir(parents=True)
        bare_folder(beside, _FORMATS["sha1"])
        (beside / "info").mkdir()
        (beside / "info" / "exclude").write_text(LEFT_OUT)
        beside.rename(self.folder)

    def git(self, **environment: str) -> GuardedGit:
        """git on the clone, with no way to a remote; `environment` is added to every call."""
        self._restore_settings()
        git = GuardedGit(self.folder, LIMITS)
        git.environment |= environment
        return git

    def remote_git(self) -> GuardedGit:
        """git that reaches the repository, over the allowed protocols only; a folder needs no network."""
        self._restore_settings()
        git = GuardedGit(self.folder, LIMITS, remote=True, credentials=self._credentials)
        if self.source.local:
            git.environment["GIT_ALLOW_PROTOCOL"] = "file"
        return git

    def _restore_settings(self) -> None:
        """A program that an agent ran may have set a filter or a redirection that git would follow."""
        path = self.folder / "config"
        texts = {name: "\n".join(lines) + "\n" for name, lines in _FORMATS.items()}
        try:
            found = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            found = ""
        if found not in texts.values():
            self._set_format(
                "sha256" if re.search(r"objectformat\W+sha256", found, re.IGNORECASE) else "sha1"
            )

    def _set_format(self, name: str) -> None:
        beside = self.folder / f"config.{secrets.token_hex(4)}"
        beside.write_text("\n".join(_FORMATS[name]) + "\n", encoding="utf-8")
        beside.replace(self.folder / "config")

    def fetch(self, wanted: str, into: str, deadline: Deadline) -> str:
        """Fetch the branch, tag or commit `wanted` with its history to the ref `into`; its commit.

        Raises NoCommit where there is none of that name, RepositoryUnreadable else.
        """
        done = self._fetched(f"+{wanted}:{into}", deadline)
        if done.status and "mismatched algorithms" in done.stderr and not self.git().refs():
            self._set_format("sha256")
            done = self._fetched(f"+{wanted}:{into}", deadline)
        if done.status:
            raise self._why(wanted, done.stderr)
        commit = self.commit(into)
        if commit is None:
            raise RepositoryUnreadable(f"{wanted!r} of {self.source.repo} is no commit", "name a branch")
        return commit

    def _fetched(self, refspec: str, deadline: Deadline) -> Completed:
        if not self.source.local:
            return self._fetch_from(self.source.url, refspec, deadline)
        # git's server program would obey their configuration: it gets a git directory of our own instead.
        with tempfile.TemporaryDirectory(prefix="cortex-git-borrowed-") as name:
            borrowed = Path(name)
            borrow(Path(self.source.url), borrowed, LIMITS, deadline)
            shallow = (borrowed / "objects").resolve().parent / "shallow"
            if shallow.is_file():
                (borrowed / "shallow").write_bytes(shallow.read_bytes())
            return self._fetch_from(name, refspec, deadline)

    def _fetch_from(self, address: str, refspec: str, deadline: Deadline) -> Completed:
        """`git fetch`, again after a pause when the failure looks like a passing one."""
        return patiently(
            lambda: self.remote_git().run_talkative(
                *_FETCH, "--update-shallow", address, refspec, timeout=deadline.left()
            ),
            deadline,
            f"{self.source.repo} did not answer in time",
        )

    def _why(self, wanted: str, stderr: str) -> EnvironmentProblem:
        reason = telling_line(stderr)
        if "couldn't find remote ref" in reason:
            return NoCommit(f"{self.source.repo} has no {wanted!r}", "push something, or name a branch")
        hint = "check the address, the network and the credentials (`askpass` of this host's settings)"
        return RepositoryUnreadable(f"{self.source.repo} could not be fetched ({reason})", hint)

    def commit(self, name: str) -> str | None:
        """The commit that a ref or an id names here; None where it names none."""
        done = self.git().run("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}", check=False)
        return done.text.strip() or None if done.status == 0 else None

    def common(self, one: str, other: str) -> str | None:
        """The commit where two lines of commits parted; None where they have nothing in common."""
        if one == other:
            return one
        done = self.git().run("merge-base", one, other, check=False)
        return done.text.split()[0] if done.status == 0 else None
