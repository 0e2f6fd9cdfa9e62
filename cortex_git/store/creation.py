"""Making a coordination repository: its folder, its settings, its first commit, its remote.

Owns `init`. Running it again on what is there changes nothing.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from cortex_git.config import DEFAULT_CONFIG, load_settings
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.gitio import Git
from cortex_git.locating import is_enabled
from cortex_git.store import layout
from cortex_git.store.greeting import greet
from cortex_git.store.probing import Capabilities, probe
from cortex_git.store.protection import branch_refused, check_no_checkout
from cortex_git.store.refs import FIRST_FETCH_S, Outcome, RemoteRefs

README = """\
# coordination

What hosts share through this repository; written by `cortex-git`, one file per fact, never changed:

- `config.toml`: settings for every host
- `batches/`, `tasks/`: what is to be done
- `results/`: what came of it, and a summary per batch
- `archive/`: what stands for work that ended long ago, whose files `cortex-git gc` took away; keep it
- `locks/`: this clone's own, never committed: which process works on what
- `worker-pool.json`, `token-budget.json`: this clone's own snapshots, never committed

Who runs what right now is in refs under `refs/cortex/`, not in files.
"""
IGNORED = ("coordination/locks/", "coordination/worker-pool.json", "coordination/token-budget.json")
_IDENTITY = ("-c", "user.name=cortex-git", "-c", "user.email=cortex-git@cortex-git.invalid")


@dataclass(frozen=True, slots=True)
class Created:
    """What `init` did: `changed` is False when everything was there already."""

    folder: Path
    branch: str
    remote: str | None
    capabilities: Capabilities | None
    changed: bool


def create(folder: Path, remote_url: str | None, branch: str | None = None) -> Created:
    """Make `folder` a coordination repository, with `remote_url` as its remote when given.

    The remote is tried out before anything is written. `branch` None: the settings' own, the one that
    is checked out, or main. Raises BadInput where the folder has another remote or another branch in
    its settings, EnvironmentProblem where the remote cannot coordinate.
    """
    folder = folder.absolute()
    chosen = _chosen_branch(folder, branch)
    capabilities = _tried_out(folder, remote_url, chosen)
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    git = Git(folder)
    if not (folder / ".git").exists():
        git.run("init", "--quiet", f"--initial-branch={chosen}", *_hash_of(capabilities))
    if remote_url is not None and _address(git, remote_url) != "origin":
        git.run("remote", "add", "origin", remote_url)
    remote = _address(git, None)
    found = is_enabled(folder)
    if remote is not None and not found:
        _adopt(git, remote, chosen)
        found = is_enabled(folder)
    if not found:
        namespace = capabilities.namespace if capabilities else "refs/cortex"
        _first_commit(git, folder, DEFAULT_CONFIG.format(namespace=namespace, branch=chosen))
    if remote is not None:
        _publish_branch(git, remote, chosen)
    return Created(folder, chosen, remote, capabilities, not found)


def _chosen_branch(folder: Path, given: str | None) -> str:
    if is_enabled(folder):
        path = folder / layout.CONFIG
        own = load_settings(path.read_bytes(), str(path)).branch
        if given is not None and given != own:
            raise BadInput(f"{path} says branch {own}, not {given}", "change it there, or leave --branch out")
        return own
    if given is None and (folder / ".git").exists():
        head = Git(folder).run("symbolic-ref", "--quiet", "--short", "HEAD", check=False)
        return head.text.strip() or "main"
    return given or "main"


def _tried_out(folder: Path, url: str | None, branch: str) -> Capabilities | None:
    """What the remote can do, found out from the folder's own repository or from a passing one."""
    if (folder / ".git").exists():
        git = Git(folder)
        address = _address(git, url)
        return None if address is None else _probed(git, address, branch)
    if url is None:
        return None
    if url.startswith("-"):
        raise BadInput(f"--remote {url!r} is not an address", "give a URL or a path")
    with tempfile.TemporaryDirectory(prefix="cortex-init-") as scratch:
        git = Git(Path(scratch))
        git.run("init", "--quiet", "--bare", f"--object-format={greet(git, url).object_format}")
        return _probed(git, url, branch)


def _probed(git: Git, address: str, branch: str) -> Capabilities:
    check_no_checkout(git, address, branch)
    return probe(git, address, branch)


def _hash_of(capabilities: Capabilities | None) -> tuple[str, ...]:
    """What makes a new repository use the same hash as its remote: they cannot exchange objects otherwise."""
    return (f"--object-format={capabilities.greeting.object_format}",) if capabilities else ()


def _address(git: Git, url: str | None) -> str | None:
    """The remote's name where the repository has it, else the URL it is to get; None for no remote."""
    names = git.text("remote").splitlines()
    if url is None:
        return "origin" if "origin" in names else (names[0] if len(names) == 1 else None)
    if url.startswith("-"):
        raise BadInput(f"--remote {url!r} is not an address", "give a URL or a path")
    if "origin" not in names:
        return url
    if git.text("remote", "get-url", "origin") != url:
        raise BadInput(
            f"{git.directory} has another remote origin", "use another folder, or change that remote"
        )
    return "origin"


def _adopt(git: Git, remote: str, branch: str) -> None:
    """Start from what the remote has, when this repository has no commit of its own yet."""
    if git.run("rev-parse", "--verify", "--quiet", "HEAD", check=False).status == 0:
        return
    tip = RemoteRefs(git, remote, "refs/cortex", branch).read_back([f"refs/heads/{branch}"])
    if tip:
        git.run("fetch", "--quiet", "--no-tags", remote, f"refs/heads/{branch}", timeout=FIRST_FETCH_S)
        git.run("reset", "--hard", "--quiet", "FETCH_HEAD", timeout=FIRST_FETCH_S)


def _first_commit(git: Git, folder: Path, config: str) -> None:
    (folder / layout.ROOT).mkdir(exist_ok=True)
    (folder / layout.CONFIG).write_text(config)
    (folder / layout.ROOT / "README.md").write_text(README)
    ignore = folder / ".gitignore"
    lines = ignore.read_text().splitlines() if ignore.exists() else []
    ignore.write_text("\n".join([*lines, *(line for line in IGNORED if line not in lines)]) + "\n")
    paths = [layout.CONFIG, f"{layout.ROOT}/README.md", ".gitignore"]
    git.run("add", "--force", "--", *paths)
    named = git.run("config", "user.email", check=False).status == 0
    identity = () if named else _IDENTITY
    message = "chore(cortex): make this a coordination repository"
    git.run(*identity, "commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", message, "--", *paths)


def _publish_branch(git: Git, remote: str, branch: str) -> None:
    """Give the remote the first commit, or see that it has one that this folder can work with."""
    refs = RemoteRefs(git, remote, "refs/cortex", branch)
    there = refs.read_back([refs.branch]).get(refs.branch)
    head = git.text("rev-parse", "HEAD")
    if there == head:
        return
    if there is not None:
        git.run("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, refs.branch)
        if git.run("cat-file", "-e", f"{there}:{layout.CONFIG}", check=False).status == 0:
            return
        if git.run("merge-base", "--is-ancestor", there, head, check=False).status:
            raise EnvironmentProblem(
                f"branch {branch} of {remote} and of this folder have different histories",
                "clone the remote and run `cortex-git init` in the clone",
            )
    if refs.move_trunk(head, there) is not Outcome.APPLIED:
        raise branch_refused(branch, refs.refusal)
