"""The repository that a hook runs in: git with the folder and index that the git above the hook has.

Owns what is taken from the environment. It has to be read before the wrapper of git is imported, which drops
it: a hook's variables must not reach any other repository.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cortex_git.gitio import Git
    from cortex_git.scan.reading.listing import Entry

_PATHS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
_SETTINGS = ("GIT_CONFIG_PARAMETERS",)
"""What `git -c NAME=VALUE` hands on."""
_PATHSPECS = ("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS")
"""What `git --literal-pathspecs` and the like hand on, which are meant for no paths of ours."""


def hook_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the calling git says of its repository; paths count from where we are."""
    paths = {name: str(Path(environment[name]).absolute()) for name in _PATHS if environment.get(name)}
    return paths | {name: environment[name] for name in _SETTINGS if environment.get(name)}


@dataclass(frozen=True)
class Repository:
    """The repository where we are, or that `given` variables name."""

    here: Path
    given: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What is set for git."""
        return {**self.given, **dict.fromkeys(_PATHSPECS, "0")}

    @cached_property
    def git(self) -> "Git":
        from cortex_git.gitio import Git

        return Git(self.here, environment=self.environment)

    @cached_property
    def folder(self) -> Path:
        """Its git directory. Raises EnvironmentProblem where there is no repository."""
        return Path(self.git.text("rev-parse", "--absolute-git-dir"))

    @cached_property
    def top(self) -> Path:
        """The top of its work tree; the git directory of a bare repository."""
        top = self.git.run("rev-parse", "--show-toplevel", check=False).text.rstrip("\n")
        return Path(top) if top else self.folder

    def from_top(self, paths: Sequence[str]) -> list[str]:
        """Paths as the repository has them; those outside of it as they are."""
        found = []
        for path in paths:
            absolute = Path(os.path.normpath(self.here / path))
            inside = absolute.is_relative_to(self.top)
            name = absolute.relative_to(self.top).as_posix() if inside else path
            found.append(os.fsencode(name).decode("utf-8", "backslashreplace"))
        return found

    def staged_entries(self) -> "dict[str, Entry]":
        """Every file of the index, but those in conflict and submodules."""
        from cortex_git.scan.reading.listing import Entry

        out = self.git.run("ls-files", "--stage", "-z", "--full-name", ":/").stdout
        entries = {}
        for record in out.split(b"\0"):
            head, _, name = record.partition(b"\t")
            mode, oid, stage = (*head.decode("ascii", "replace").split(" "), "", "")[:3]
            if stage == "0" and mode != "160000":
                entries[name.decode("utf-8", "backslashreplace")] = Entry(mode, oid)
        return entries
