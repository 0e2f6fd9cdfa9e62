"""The clone that is examined: each of its parts looked up once, when a check first asks for it.

Owns how parts are reached when others are broken: what cannot be had raises NotLooked, whose reason names
the finding that explains it. Must never change anything but what looking changes anyway (the fetch).
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path

from cortex_git import state
from cortex_git.config import Settings, load_settings
from cortex_git.errors import CortexError
from cortex_git.gitio import Git, GitFailed
from cortex_git.locating import private_folder
from cortex_git.services.doctor.answering import Answer, ask
from cortex_git.services.doctor.findings import NothingYet, NotLooked
from cortex_git.services.doctor.papers import Papers, papers
from cortex_git.store import indexing, layout
from cortex_git.store.coordination import Coordination
from cortex_git.store.identity import Identity, is_of, kept_identity, new_host_id
from cortex_git.store.index import View
from cortex_git.store.local_refs import LocalRefs
from cortex_git.store.probing import Capabilities
from cortex_git.store.pulling import pull
from cortex_git.store.refs import RemoteRefs
from cortex_git.store.repository import Repository, remote_of


class Patient:
    """One clone, or none where `folder` is None: then only this machine can be examined."""

    def __init__(
        self,
        folder: Path | None,
        *,
        offline: bool = False,
        deep: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self.offline = offline
        self.deep = deep
        self.tried: Capabilities | None = None
        """What trying the remote out found, once that was done."""
        self.hindrance: str | None = None
        """Why what hosts share could not be pulled, once that was tried."""
        self.say = say
        """Told before something that may take a while."""

    @property
    def folder(self) -> Path:
        """The work tree's top folder."""
        if self._folder is None:
            raise NotLooked("there is no coordination repository here")
        return self._folder

    @property
    def is_outside(self) -> bool:
        return self._folder is None

    @cached_property
    def git(self) -> Git:
        return Git(self.folder)

    @cached_property
    def git_dir(self) -> Path:
        """`.git`, shared by all work trees."""
        private = private_folder(self.folder)
        if private is None:
            raise NotLooked("there is no .git that can be read")
        return private.parent

    @property
    def private(self) -> Path:
        """`.git/cortex`."""
        return self.git_dir / "cortex"

    @property
    def config(self) -> Path:
        return self.folder / layout.CONFIG

    @cached_property
    def settings(self) -> Settings:
        try:
            return load_settings(self.config.read_bytes(), str(self.config))
        except (OSError, CortexError):
            raise NotLooked("the settings cannot be read") from None

    @cached_property
    def namespace(self) -> str:
        """Where the project's refs are; the usual place while the settings cannot be read."""
        try:
            return self.settings.namespace
        except NotLooked:
            return "refs/cortex"

    @cached_property
    def remote(self) -> str | None:
        """The name of the remote that arbitrates; None where the repository is on its own."""
        try:
            return remote_of(self.git)
        except GitFailed:
            raise NotLooked("git cannot work here") from None
        except CortexError:
            raise NotLooked("it is not clear which remote is meant") from None

    @cached_property
    def identity(self) -> Identity:
        """This clone's id; a passing one, kept nowhere, while it has none of its own."""
        try:
            kept = kept_identity(self.private)
            if kept is not None and is_of(kept, self.private):
                return kept
        except (OSError, ValueError):
            pass
        return Identity(new_host_id(), "", 0, 0)

    @cached_property
    def state_problem(self) -> str | None:
        """What is wrong with the file of this host; None where it is sound, or not there yet."""
        path = self.private / "state.db"
        if not path.exists():
            return None
        try:
            with closing(read_only(path)) as connection:
                thorough = self.deep or path.stat().st_size < _QUICKLY_CHECKED
                pragma = "integrity_check" if thorough else "quick_check"
                found = [str(row[0]) for row in connection.execute(f"PRAGMA {pragma}(5)")]
                version = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            return str(error)
        if found != ["ok"]:
            return found[0].replace("\n", " ")
        return NEWER if version > state.VERSION else None

    @cached_property
    def state(self) -> sqlite3.Connection:
        """The file of this host, to be read only."""
        if self.state_problem is not None:
            raise NotLooked("state.db cannot be used")
        path = self.private / "state.db"
        if not path.exists():
            raise NothingYet("no command has run in this clone yet")
        return read_only(path)

    @cached_property
    def repository(self) -> Repository:
        """The clone as the store sees it. Opened without giving it an id."""
        settings, remote, git = self.settings, self.remote, self.git
        if self.state_problem is not None:
            raise NotLooked("state.db cannot be used")
        refs = (
            RemoteRefs(git, remote, settings.namespace, settings.branch)
            if remote
            else LocalRefs(git, settings.branch, settings.namespace)
        )
        made = Repository(self.folder, git, self.git_dir, settings, remote, self.identity, refs)
        try:
            _ = made.state
        except (CortexError, OSError) as error:
            self.hindrance = str(error)
            raise NotLooked("what hosts share cannot be pulled") from None
        return made

    @cached_property
    def coordination(self) -> Coordination:
        """What claims are judged by. Its methods that change something are for mending only."""
        return Coordination(self.repository)

    @cached_property
    def answer(self) -> Answer:
        """What the remote said when it was asked for all its refs."""
        if self.offline:
            raise NotLooked("--offline")
        remote = self.remote
        if remote is None:
            raise NotLooked("there is no remote")
        self.say("asking the remote …")
        return ask(self.git, remote)

    @property
    def reached(self) -> Answer:
        """The same. Raises NotLooked where the remote did not answer."""
        if self.answer.problem is not None:
            raise NotLooked("the remote does not answer")
        return self.answer

    @cached_property
    def view(self) -> View:
        """Everybody's refs as they are now, or as they were seen last; the index is as new."""
        repository = self.repository
        try:
            if self.offline or (self.remote is not None and self.answer.problem is not None):
                return indexing.refresh(repository)
            return pull(repository)
        except (CortexError, OSError, sqlite3.Error) as error:
            self.hindrance = error.message if isinstance(error, CortexError) else str(error)
            raise NotLooked("what hosts share cannot be pulled") from None

    @cached_property
    def papers(self) -> Papers:
        """The documents of everybody, as of the last fetch that could be made."""
        repository = self.repository
        with suppress(NotLooked):
            _ = self.view
        return papers(repository)

    @property
    def current(self) -> View:
        """Everybody's refs as they are now. Raises NotLooked where the remote did not answer."""
        if self.remote is not None:
            _ = self.reached
        elif self.offline:
            raise NotLooked("--offline")
        return self.view


_QUICKLY_CHECKED = 64 * 1024 * 1024
"""Bytes from which on the file is checked without comparing its indexes, which takes seconds."""
NEWER = "a newer cortex-git wrote it"


def read_only(path: Path) -> sqlite3.Connection:
    """An SQLite file, in a folder that may be written or not."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=5.0)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        # Without a folder to put its index of the log in, only what is in the file itself can be read.
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection
