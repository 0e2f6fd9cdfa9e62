"""Which program upgrades a package in which lockfile, and with which words.

Owns the table of package managers. None of them is told to run scripts of packages; `bundle` and the
Python ones may run code of the repository all the same, which is why they run apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cortex_git.runners.bump.asked import Wanted
from cortex_git.scan.lockfiles import kind_of

Words = list[str]


@dataclass(frozen=True, slots=True)
class Tool:
    """How one package manager changes its lockfile: the commands, each from its program on."""

    commands: Callable[[Wanted, str, bool], list[Words]]
    """Of what is wanted, the version to reach, and whether the repository itself asks for the package."""
    variables: Mapping[str, str]


def tool_for(lockfile: str) -> Tool | None:
    """What upgrades packages in this lockfile; None where only a person or a model can."""
    return _TOOLS.get(kind_of(lockfile) or "")


def _npm(wanted: Wanted, target: str, direct: bool) -> list[Words]:
    quiet = ["--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"]
    if direct:
        return [["npm", "install", *quiet, f"{wanted.package}@^{target}"]]
    return [["npm", "update", *quiet, wanted.package]]


def _pnpm(wanted: Wanted, target: str, direct: bool) -> list[Words]:
    quiet = ["--lockfile-only", "--ignore-scripts"]
    if direct:
        return [["pnpm", "update", *quiet, f"{wanted.package}@^{target}"]]
    return [["pnpm", "update", *quiet, "--depth", "Infinity", wanted.package]]


def _yarn(wanted: Wanted, target: str, direct: bool) -> list[Words]:
    if direct:
        return [["yarn", "up", "--mode=update-lockfile", f"{wanted.package}@^{target}"]]
    return [["yarn", "up", "--recursive", "--mode=update-lockfile", wanted.package]]


def _cargo(wanted: Wanted, target: str, _direct: bool) -> list[Words]:
    pinned = [f"{wanted.package}@{version}" for version in wanted.versions]
    return [["cargo", "update", "--package", one, "--precise", target] for one in pinned]


def _go(wanted: Wanted, target: str, _direct: bool) -> list[Words]:
    if wanted.package in ("stdlib", "toolchain"):
        return [["go", "get", f"go@{target}"]]
    return [["go", "get", f"{wanted.package}@v{target}"], ["go", "mod", "tidy"]]


def _uv(wanted: Wanted, target: str, _direct: bool) -> list[Words]:
    return [["uv", "lock", "--upgrade-package", f"{wanted.package}>={target}"]]


def _poetry(wanted: Wanted, _target: str, _direct: bool) -> list[Words]:
    return [["poetry", "update", "--lock", "--no-interaction", wanted.package]]


def _pdm(wanted: Wanted, _target: str, _direct: bool) -> list[Words]:
    return [["pdm", "update", "--no-sync", "--non-interactive", wanted.package]]


def _pipenv(wanted: Wanted, target: str, _direct: bool) -> list[Words]:
    return [["pipenv", "upgrade", f"{wanted.package}>={target}"]]


def _bundle(wanted: Wanted, _target: str, _direct: bool) -> list[Words]:
    return [["bundle", "lock", "--conservative", "--update", wanted.package]]


def _composer(wanted: Wanted, _target: str, _direct: bool) -> list[Words]:
    quiet = ["--no-install", "--no-scripts", "--no-plugins", "--no-interaction", "--with-dependencies"]
    return [["composer", "update", *quiet, wanted.package]]


_TOOLS: dict[str, Tool] = {
    "npm": Tool(_npm, {"npm_config_update_notifier": "false"}),
    "pnpm": Tool(_pnpm, {}),
    "yarn": Tool(_yarn, {"YARN_ENABLE_SCRIPTS": "false"}),
    "cargo": Tool(_cargo, {}),
    "go": Tool(_go, {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}),
    "uv": Tool(_uv, {}),
    "poetry": Tool(_poetry, {}),
    "pdm": Tool(_pdm, {}),
    "pipfile": Tool(_pipenv, {}),
    "bundler": Tool(_bundle, {}),
    "composer": Tool(_composer, {}),
}


def shown(commands: Sequence[Words]) -> str:
    """The commands as a person would write them."""
    return " && ".join(" ".join(words) for words in commands)
