"""Clones that only coordinate: what a host needs to join a remote, and nothing of the branch's other files.

Owns the address that others are given, and the making of such a clone. Must never write to the remote.
"""

import re
import secrets
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.gitio import Git, GitFailed
from cortex_git.store import layout
from cortex_git.store.greeting import greet
from cortex_git.store.refs import FIRST_FETCH_S, QUIET_FETCH, unreachable
from cortex_git.store.repository import Repository

_OWN_BRANCH = "cortex-join"
"""What such a clone has checked out, in name only: its work tree never follows the shared branch."""
_JOINED = "refs/cortex-joined"
_OVER_SSH = re.compile(r"[^/]+:")


def shared_address(repository: Repository) -> str:
    """The remote's address in a form that another machine, or another folder, can use.

    Raises BadInput where there is no remote, or its address holds credentials.
    """
    if repository.remote is None:
        raise BadInput(
            f"{repository.folder} has no remote for others to join",
            "give it one with `cortex-git init --remote URL`",
        )
    url = repository.git.text("remote", "get-url", repository.remote)
    if (path := local_path(url)) is not None:
        return str((repository.folder / path).resolve())
    parts = urlsplit(url)
    secret = parts.password is not None or (parts.scheme in ("http", "https") and parts.username is not None)
    if secret or parts.query or parts.fragment:
        raise BadInput(
            "the remote's address holds credentials that others would get",
            "take them out (`git remote set-url`), and give each machine its own in a credential helper",
        )
    return url


def local_path(url: str) -> Path | None:
    """The folder that an address means on its own machine; None for an address of a network."""
    if url.startswith("file://"):
        return Path(urlsplit(url).path)
    return None if "://" in url or _OVER_SSH.match(url) else Path(url)


def joining_clone(folder: Path, address: str, branch: str) -> None:
    """Make `folder` a clone that coordinates through `address`, or bring the settings in it up to date.

    Raises EnvironmentProblem where the address leads nowhere from this machine, or to no coordination
    repository.
    """
    path = local_path(address)
    if path is not None and not path.is_dir():
        raise EnvironmentProblem(
            f"the remote {path} is not on {socket.gethostname()}", "use a remote that every machine can reach"
        )
    if not (folder / ".git").is_dir():
        _make(folder, address)
    git = Git(folder)
    specs = f"+refs/heads/{branch}:{_JOINED}"
    done = git.run(*QUIET_FETCH, "origin", specs, timeout=FIRST_FETCH_S, check=False)
    if done.status:
        raise unreachable(address, done.stderr)
    try:
        settings = git.run("cat-file", "blob", f"{_JOINED}:{layout.CONFIG}").stdout
    except GitFailed as error:
        raise EnvironmentProblem(
            f"branch {branch} of the remote has no {layout.CONFIG}", "run `cortex-git init` in a clone of it"
        ) from error
    config = folder / layout.CONFIG
    config.parent.mkdir(exist_ok=True)
    config.write_bytes(settings)


def _make(folder: Path, address: str) -> None:
    """Beside it first, so that a clone whose making was cut off is never taken for one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
    beside.mkdir()
    try:
        git = Git(beside)
        hash_name = greet(git, address).object_format
        git.run("init", "--quiet", f"--initial-branch={_OWN_BRANCH}", f"--object-format={hash_name}")
        git.run("remote", "add", "origin", address)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
