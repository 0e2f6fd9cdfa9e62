"""Finding and opening a coordination repository: its folders, settings, identity and ref store.

Owns what the rest of the store is built from. Opening never changes anything outside `.git/cortex`.
"""

import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cortex_git.config import Settings, load_settings
from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git, GitFailed
from cortex_git.locating import private_folder
from cortex_git.state import connect
from cortex_git.store import layout
from cortex_git.store.identity import Identity, load_identity, renew_identity
from cortex_git.store.local_refs import LocalRefs
from cortex_git.store.refs import RefStore, RemoteRefs


@dataclass
class Repository:
    """One clone of a coordination repository, opened by this process."""

    folder: Path
    """The work tree's top folder."""
    git: Git
    git_dir: Path
    settings: Settings
    remote: str | None
    """Name of the remote that arbitrates, None when the repository is on its own."""
    identity: Identity
    refs: RefStore
    former_hosts: set[str] = field(default_factory=set)
    """Ids this process gave up while it held claims under them; those claims are its own still."""
    _local: threading.local = field(default_factory=threading.local)

    def take_new_identity(self) -> None:
        """Go on under a new id; the claims made under the old one stay ours."""
        self.former_hosts.add(self.host)
        self.identity = renew_identity(self.private)

    @property
    def private(self) -> Path:
        """What is this host's own: `.git/cortex`."""
        return self.git_dir / "cortex"

    @property
    def locks_folder(self) -> Path:
        return self.folder / layout.ROOT / "locks"

    @property
    def state(self) -> sqlite3.Connection:
        """The host's SQLite file, for what can be rebuilt; one connection for each thread."""
        return self._connection("state", durable=False)

    @property
    def durable_state(self) -> sqlite3.Connection:
        """The same file, each commit on disk before it returns: for the outbox."""
        return self._connection("durable", durable=True)

    def _connection(self, name: str, *, durable: bool) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, name, None)
        if found is None:
            found = connect(self.private / "state.db", durable=durable)
            setattr(self._local, name, found)
        return found

    @property
    def host(self) -> str:
        return self.identity.host

    @property
    def own_results(self) -> str:
        """The ref that only this host publishes to."""
        return self.results_ref(self.host)

    def results_ref(self, host: str) -> str:
        return f"{self.refs.namespace}/results/{host}"

    def claim_ref(self, task: str) -> str:
        return f"{self.refs.namespace}/claims/{task}"


def open_repository(folder: Path) -> Repository:
    """Open the coordination repository whose work tree is `folder`.

    Raises EnvironmentProblem where there is none, BadInput where its settings are wrong.
    """
    folder = folder.resolve()
    config = folder / layout.CONFIG
    if not config.is_file():
        raise EnvironmentProblem(
            f"{folder} is not a coordination repository", "run `cortex-git init` there, or give --repository"
        )
    settings = load_settings(config.read_bytes(), str(config))
    if not settings.enabled:
        raise EnvironmentProblem(
            f"{config} says that this is not a coordination repository", "run `cortex-git init` there"
        )
    git = Git(folder)
    try:
        git_dir = Path(git.text("rev-parse", "--path-format=absolute", "--git-common-dir"))
    except GitFailed as error:
        used = (private_folder(folder) or folder / ".git" / "cortex").is_dir()  # results may wait in it
        do = "run `cortex-git doctor`, which says what is damaged" if used else "run `cortex-git init` there"
        raise EnvironmentProblem(f"{folder}: {error.message}", do) from error
    identity = load_identity(git_dir / "cortex")
    remote = remote_of(git)
    refs: RefStore = (
        RemoteRefs(git, remote, settings.namespace, settings.branch)
        if remote
        else LocalRefs(git, settings.branch, settings.namespace)
    )
    return Repository(folder, git, git_dir, settings, remote, identity, refs)


def remote_of(git: Git) -> str | None:
    """The name of the remote that arbitrates; None for no remote. Raises EnvironmentProblem in doubt."""
    names = git.text("remote").splitlines()
    if not names:
        return None
    if "origin" in names:
        return "origin"
    if len(names) == 1:
        return names[0]
    raise EnvironmentProblem(
        f"{git.directory} has remotes {', '.join(names)} and none is called origin",
        "rename the one to coordinate through to origin",
    )
