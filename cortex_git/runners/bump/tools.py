"""Which program upgrades a package in which lockfile, and with which words.

Owns the table of what they are asked for a lockfile alone; `scan.upgrades` has what a person asks them, which
installs and writes manifests. Where they can be told to run no scripts of packages, they are. Most may
run code of the repository all the same (a Gemfile, a `.pnpmfile.cjs`, Yarn's `yarnPath`): they run apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cortex_git.scan.lockfiles import kind_of

Words = list[str]


@dataclass(frozen=True, slots=True)
class Need:
    """One package of one lockfile that is to be upgraded."""

    package: str
    fixes: Mapping[str, str]
    """For each vulnerable version that has one, the version to reach. Never empty."""
    target: str
    """The highest of these."""
    asking: Sequence[str]
    """Folders below the lockfile's whose manifests ask for the package; the lockfile's own is empty."""
    direct: bool = False
    """Whether any manifest of the lockfile asks for it, as far as the lockfile tells."""


@dataclass(frozen=True, slots=True)
class Tool:
    """How one package manager changes its lockfile: the commands, each from its program on."""

    commands: Callable[[Need], list[Words]]
    variables: Mapping[str, str]


def tool_for(lockfile: str, content: bytes) -> Tool | None:
    """What upgrades packages in this lockfile; None where only a person or a model can."""
    kind = kind_of(lockfile) or ""
    if kind == "yarn" and b"\n__metadata:" not in b"\n" + content:
        return None  # Yarn 1: it has no command for this, and Yarn 2 and later would make the file their own
    return _TOOLS.get(kind)


def _npm(need: Need) -> list[Words]:
    quiet = ["--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"]
    if not need.asking:
        return [["npm", "update", *quiet, need.package]]
    within = [[f"--workspace={folder}"] if folder else [] for folder in need.asking]
    return [["npm", "install", *quiet, *where, f"{need.package}@^{need.target}"] for where in within]


def _pnpm(need: Need) -> list[Words]:
    quiet = ["--recursive", "--lockfile-only", "--ignore-scripts"]
    if need.asking or need.direct:
        return [["pnpm", "update", *quiet, f"{need.package}@^{need.target}"]]
    return [["pnpm", "update", *quiet, "--depth", "Infinity", need.package]]


def _yarn(need: Need) -> list[Words]:
    if need.asking or need.direct:
        return [["yarn", "up", "--mode=update-lockfile", f"{need.package}@^{need.target}"]]
    return [["yarn", "up", "--recursive", "--mode=update-lockfile", need.package]]


def _cargo(need: Need) -> list[Words]:
    return [
        ["cargo", "update", "--package", f"{need.package}@{version}", "--precise", fix]
        for version, fix in need.fixes.items()
    ]


def _go(need: Need) -> list[Words]:
    if need.package in ("stdlib", "toolchain"):
        return [["go", "get", f"go@{need.target}"]]
    return [["go", "get", f"{need.package}@v{need.target}"], ["go", "mod", "tidy"]]


def _uv(need: Need) -> list[Words]:
    return [["uv", "lock", "--upgrade-package", f"{need.package}>={need.target}"]]


def _poetry(need: Need) -> list[Words]:
    return [["poetry", "update", "--lock", "--no-interaction", need.package]]


def _pdm(need: Need) -> list[Words]:
    return [["pdm", "update", "--no-sync", need.package]]


def _pipenv(need: Need) -> list[Words]:
    # Without --lock-only a package that others bring in would be written into the Pipfile.
    return [["pipenv", "upgrade", "--lock-only", f"{need.package}>={need.target}"]]


def _bundle(need: Need) -> list[Words]:
    return [["bundle", "lock", "--conservative", "--update", need.package]]


def _composer(need: Need) -> list[Words]:
    quiet = ["--no-install", "--no-scripts", "--no-plugins", "--no-interaction", "--with-dependencies"]
    return [["composer", "update", *quiet, need.package]]


_TOOLS: dict[str, Tool] = {
    # Whatever program an .npmrc of the repository calls git would be run.
    "npm": Tool(_npm, {"npm_config_update_notifier": "false", "npm_config_git": "git"}),
    "pnpm": Tool(_pnpm, {}),
    "yarn": Tool(_yarn, {"YARN_ENABLE_SCRIPTS": "false"}),
    "cargo": Tool(_cargo, {}),
    "go": Tool(_go, {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}),
    "uv": Tool(_uv, {}),
    "poetry": Tool(_poetry, {}),
    "pdm": Tool(_pdm, {"PDM_NON_INTERACTIVE": "1", "PDM_CHECK_UPDATE": "0"}),
    "pipfile": Tool(_pipenv, {}),
    "bundler": Tool(_bundle, {}),
    "composer": Tool(_composer, {}),
}
