"""What it means when a remote will not have its branch moved, and what to set there.

Owns the words for it, at `init` and at every fold.
"""

from pathlib import Path
from urllib.parse import urlsplit

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git

_CHECKED_OUT = "checked out"
_STANDING_BY = {"ignore", "warn", "false", "updateinstead"}
"""Values of receive.denyCurrentBranch that let a checked-out branch be pushed to."""


def branch_refused(branch: str, refusal: str) -> EnvironmentProblem:
    """The error for a branch that the remote will not move, with the way out for the reason it gave."""
    if _CHECKED_OUT in refusal:
        hint = _way_out(branch)
    elif "non-fast-forward" in refusal:
        hint = "somebody rewrote that branch: `git pull` in this folder, then try again"
    else:
        hint = (
            "let the hosts push to it (protected-branch settings), or start with `init --branch` of another;"
            " see docs/remotes.md"
        )
    return EnvironmentProblem(f"the remote refused the branch {branch}: {refusal}", hint)


def branch_stuck(branch: str, refusal: str) -> EnvironmentProblem:
    """The error for a branch that other pushes hold, or a lock that one of them left."""
    return EnvironmentProblem(
        f"the remote could not move the branch {branch}: {refusal}",
        "try `cortex-git sync` again; if that does not help, `cortex-git doctor` looks for a lock left there",
    )


def check_no_checkout(git: Git, address: str, branch: str) -> None:
    """Raises EnvironmentProblem where the remote is a folder here that has the branch checked out."""
    folder = _folder_of(git, address)
    if folder is None:
        return
    there = Git(folder)
    if there.run("rev-parse", "--is-bare-repository", check=False).text.strip() != "false":
        return
    head = there.run("symbolic-ref", "--quiet", "--short", "HEAD", check=False).text.strip()
    setting = there.run("config", "receive.denyCurrentBranch", check=False).text.strip().lower()
    if head == branch and setting not in _STANDING_BY:
        raise EnvironmentProblem(
            f"remote {folder} is a folder with a work tree that has branch {branch} checked out",
            _way_out(branch),
        )


def _way_out(branch: str) -> str:
    return (
        "use a bare repository (`git clone --bare`), or run there"
        f" `git config receive.denyCurrentBranch updateInstead`, or check out another branch than {branch}"
    )


def _folder_of(git: Git, address: str) -> Path | None:
    """The folder that a remote's name or address leads to on this machine; None for another machine's."""
    known = git.run("remote", "get-url", address, check=False)
    url = known.text.strip() if known.status == 0 else address
    if url.startswith("file://"):
        path = Path(urlsplit(url).path)
    elif "://" in url:
        return None
    else:
        path = git.directory / url
    return path if path.is_dir() else None
