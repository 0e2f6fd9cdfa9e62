"""Where a repository's hooks lie, and which of two ways leads to them.

Owns the question only; nothing is changed here. In place: our hook stands in the repository's own folder of
hooks, and one that was there before is kept beside it. Aside: where `core.hooksPath` leads elsewhere (husky,
a tracked folder, one for all repositories of a user), that folder is not ours to write in. Then git is led
to a folder of ours, whose hooks run the others where they stand.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.gitio import Git, GitFailed

FOLDER = "cortex-git-hooks"
"""In the git directory: our own folder of hooks, and the setting that leads git there."""


@dataclass(frozen=True, slots=True)
class Place:
    """The hooks of one repository."""

    common: Path
    """The git directory that all work trees share, links resolved."""
    top: Path
    """Where hooks run: the top of the work tree, or the git directory of a bare repository."""
    bare: bool
    folder: Path
    """Where our hooks belong."""
    led_from: str | None
    """What git would look in without us, as its setting says; None where our hooks stand in place."""
    leads_to_us: bool
    """Whether git looks in our own folder now."""

    @property
    def aside(self) -> bool:
        return self.led_from is not None

    @property
    def config(self) -> Path:
        """The configuration that all work trees share: where a link leads, as git writes it."""
        return Path(os.path.realpath(self.common / "config"))


def place_of(path: Path) -> Place:
    """The hooks of the repository at or above `path`. Raises EnvironmentProblem or BadInput."""
    if not path.is_dir():
        raise BadInput(f"{path} is not a folder", "give a repository")
    git = Git(path, config=())
    try:
        said = git.run("rev-parse", "--is-bare-repository", "--git-common-dir", "--git-dir").stdout
    except GitFailed as error:
        raise EnvironmentProblem(f"{path}: {error.message}", "give a git repository") from None
    answers = os.fsdecode(said).split("\n")
    common = Path(os.path.realpath(path / answers[1]))
    if not os.access(common, os.W_OK):
        raise EnvironmentProblem(f"{common} cannot be written", "ask its owner, or check its permissions")
    top = os.fsdecode(git.run("rev-parse", "--show-toplevel", check=False).stdout).removesuffix("\n")
    values = _settings(git)
    ours = common / FOLDER / "hooks"
    led_from = next((value for value in reversed(values) if Path(value) != ours), None)
    own, where = common / "hooks", Path(top) if top else common
    if led_from is not None and Path(os.path.realpath(where / led_from)) == own:
        led_from = None
    if led_from is None and own.is_symlink():
        led_from = str(own)
    return Place(
        common=common,
        top=where,
        bare=answers[0] == "true" and Path(os.path.realpath(path / answers[2])) == common,
        folder=own if led_from is None else ours,
        led_from=led_from,
        leads_to_us=bool(values) and Path(values[-1]) == ours,
    )


def _settings(git: Git) -> list[str]:
    """The values of `core.hooksPath`; the last one counts. Raises BadInput where ours could not count."""
    command = ("config", "--null", "--show-scope", "--type=path", "--get-all", "core.hooksPath")
    fields = os.fsdecode(git.run(*command, check=False).stdout).split("\0")
    values = []
    for scope, value in zip(fields[::2], fields[1::2], strict=False):
        if scope not in ("system", "global", "local"):
            raise BadInput(
                f"core.hooksPath is set for one {scope.replace('worktree', 'work tree')} only",
                f"take it away (git config --{scope} --unset core.hooksPath), or add the hooks there by hand",
            )
        values.append(value)
    return values
