"""What tests of work on code share: repositories to work on, and attempts at tasks."""

import os
import subprocess
from pathlib import Path
from typing import Any

from gitworld import git

from cortex_git.runners import RunContext
from cortex_git.runners.agent.checkout import Checkout

AS_SOMEBODY = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")


def repository(folder: Path, files: dict[str, str], *options: str) -> Path:
    """A checkout with one commit of these files on `main`."""
    subprocess.run(["git", "init", "-q", "-b", "main", *options, str(folder)], check=True)
    commit(folder, files)
    return folder


def commit(folder: Path, files: dict[str, str]) -> str:
    """One more commit in a checkout; its id."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, *AS_SOMEBODY, "commit", "-q", "-m", "more")
    return git(folder, "rev-parse", "HEAD")


def bare_of(checkout: Path, folder: Path) -> Path:
    """A bare clone, to be a task's repository."""
    subprocess.run(["git", "clone", "-q", "--bare", str(checkout), str(folder)], check=True)
    return folder


def attempt(repo: Path | str, task: str = "t1", *, earlier: Any = None, **fields: Any) -> Checkout:
    """Open a checkout for a task of this repository; `ref`, `epoch` and the context's fields as given."""
    about = {"ref": fields.pop("ref")} if "ref" in fields else {}
    known: dict[str, Any] = {"worker": "worker-1", "attempt": 1, "deadline_s": 60, "budget": 1000}
    context = RunContext(**(known | {"host": "here", "earlier": earlier or {}} | fields))
    return Checkout.open({"task": task, "repo": os.fspath(repo), "context": about}, context)


def branches(remote: Path) -> dict[str, str]:
    """The branches of a repository, with their commits."""
    listing = git(remote, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
    return {name: oid for name, _, oid in (line.partition(" ") for line in listing.splitlines())}
