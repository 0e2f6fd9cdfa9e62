"""The command that brings a vulnerable package to its fixed version, for a person to paste.

Owns what each package manager is asked. Must never put text of a repository or an advisory into a command
that any shell or program could take for anything but a name, a version or a folder: then there is none.
"""

import re
import shlex
from collections.abc import Callable
from posixpath import basename, dirname
from typing import NamedTuple

from cortex_git.scan.lockfiles import kind_of
from cortex_git.scan.records import Package

_VERSION = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.+_!~-]{0,98}[0-9A-Za-z])?")
_FOLDER = re.compile(r"(?!\.\.?$)[\w.@+][\w.@+ -]{0,200}")
"""One folder of a path."""
_WORD = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9_])?"
_NAMES = {
    "npm": re.compile(rf"(?:@{_WORD}/)?{_WORD}"),
    "Packagist": re.compile(rf"{_WORD}/{_WORD}"),
    "Maven": re.compile(rf"{_WORD}:{_WORD}"),
    "Go": re.compile(rf"{_WORD}(?:/~?{_WORD})*"),
}
_PLAIN_NAME = re.compile(_WORD)
_LEADING_NUMBERS = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")

Commands = list[list[str]]
"""Commands to run one after the other, each as its words."""


class _Need(NamedTuple):
    package: Package
    fixed: str
    brings: tuple[str, ...]
    """The direct dependencies that bring it in, those with names that can be written down."""

    @property
    def name(self) -> str:
        return self.package.name

    @property
    def direct(self) -> bool:
        return self.package.direct is True

    def dev(self, *words: str) -> list[str]:
        """These words where the package is only for development."""
        return list(words) if self.package.dev else []

    @property
    def near(self) -> bool:
        """Whether a range with a caret that takes the version would take the fixed one, too."""
        return _compatible(self.package.version, self.fixed)


def upgrade_command(package: Package, fixed: str | None) -> str | None:
    """One line for a POSIX shell at the top of the repository, shell-quoted; None where none is known.

    For what is brought in by others the command asks for it within the ranges of what brings it in, or for
    newer versions of that where the fix is too far away.
    """
    kind = kind_of(package.lockfile) or ""
    make = _COMMANDS.get(kind)
    folder = dirname(package.lockfile)
    if make is None or fixed is None or not all(map(_VERSION.fullmatch, (package.version, fixed))):
        return None
    if not _named(package.ecosystem, package.name) or not _may_be_entered(folder):
        return None
    brings = tuple(name for name in package.via if _named(package.ecosystem, name))
    commands = make(_Need(package, fixed, brings))
    if not commands:
        return None
    return " && ".join(map(shlex.join, [["cd", folder], *commands] if folder else commands))


def _named(ecosystem: str, name: str) -> bool:
    return _NAMES.get(ecosystem, _PLAIN_NAME).fullmatch(name) is not None


def _may_be_entered(folder: str) -> bool:
    return not folder or all(map(_FOLDER.fullmatch, folder.split("/")))


def _compatible(version: str, fixed: str) -> bool:
    """By Semantic Versioning: the first number that is not zero must stay."""
    one, other = _LEADING_NUMBERS.match(version), _LEADING_NUMBERS.match(fixed)
    if one is None or other is None:
        return False
    for ours, theirs in zip(one.groups("0"), other.groups("0"), strict=True):
        if int(ours) != int(theirs):
            return False
        if int(ours):
            return True
    return True


def _npm(need: _Need) -> Commands:
    if need.direct:
        return [["npm", "install", *need.dev("--save-dev"), f"{need.name}@{need.fixed}"]]
    if need.near:
        return [["npm", "update", need.name]]
    return [["npm", "install", *(f"{name}@latest" for name in need.brings)]] if need.brings else []


def _yarn(need: _Need) -> Commands:
    """Yarn 1 and Berry have these two in common; Berry alone could refresh what is brought in."""
    if need.direct:
        return [["yarn", "add", *need.dev("--dev"), f"{need.name}@{need.fixed}"]]
    return _resolution(need, "resolutions", "yarn")


def _bun(need: _Need) -> Commands:
    if need.direct:
        return [["bun", "add", *need.dev("--dev"), f"{need.name}@{need.fixed}"]]
    return _resolution(need, "overrides", "bun")


def _resolution(need: _Need, field: str, program: str) -> Commands:
    """Pins what is brought in by an entry of package.json, which is every copy of it."""
    if not need.near or need.package.direct is None:
        return []
    return [["npm", "pkg", "set", f"{field}[{need.name}]={need.fixed}"], [program, "install"]]


def _pnpm(need: _Need) -> Commands:
    if need.direct:
        return [["pnpm", "update", "--recursive", f"{need.name}@{need.fixed}"]]
    if need.near:
        return [["pnpm", "update", "--recursive", "--depth", "Infinity", need.name]]
    return [["pnpm", "update", "--recursive", "--latest", *need.brings]] if need.brings else []


def _poetry(need: _Need) -> Commands:
    if need.direct:
        return [["poetry", "add", *need.dev("--group", "dev"), f"{need.name}>={need.fixed}"]]
    return [["poetry", "update", need.name]]


def _pdm(need: _Need) -> Commands:
    if need.direct:
        return [["pdm", "add", *need.dev("-dG", "dev"), f"{need.name}>={need.fixed}"]]
    return [["pdm", "update", "--update-eager", *need.brings]] if need.brings else []


def _uv(need: _Need) -> Commands:
    if need.direct:
        return [["uv", "add", *need.dev("--dev"), f"{need.name}>={need.fixed}"]]
    return [["uv", "lock", "--upgrade-package", f"{need.name}=={need.fixed}"]]


def _pipenv(need: _Need) -> Commands:
    if need.direct:
        return [["pipenv", "upgrade", *need.dev("--dev"), f"{need.name}>={need.fixed}"]]
    return [["pipenv", "update", *need.dev("--dev"), need.name]]


def _cargo(need: _Need) -> Commands:
    if need.near:
        pinned = f"{need.name}@{need.package.version}"
        return [["cargo", "update", "--package", pinned, "--precise", need.fixed]]
    return [["cargo", "add", *need.dev("--dev"), f"{need.name}@{need.fixed}"]] if need.direct else []


def _go(need: _Need) -> Commands:
    if need.name == "stdlib":
        return [["go", "get", f"go@{need.fixed}"]]
    return [["go", "get", f"{need.name}@v{need.fixed}"], ["go", "mod", "tidy"]]


def _bundler(need: _Need) -> Commands:
    """Bundler itself takes another Gemfile only from the environment."""
    if basename(need.package.lockfile) not in ("Gemfile.lock", "gems.locked"):
        return []
    return [["bundle", "update", "--conservative", need.name]]


def _composer(need: _Need) -> Commands:
    if need.direct:
        wanted = f"{need.name}:^{need.fixed}"
        return [["composer", "require", *need.dev("--dev"), wanted, "--with-dependencies"]]
    return [["composer", "update", need.name, "--with", f"{need.name}:^{need.fixed}"]]


def _maven(need: _Need) -> Commands:
    if not need.direct or need.name.startswith("org.apache.maven.plugins:"):
        return []
    options = [f"-Dincludes={need.name}", f"-DdepVersion={need.fixed}", "-DforceVersion=true"]
    return [["mvn", "versions:use-dep-version", *options]]


def _gradle(need: _Need) -> Commands:
    """What the build file pins itself has to be changed there."""
    if need.direct or basename(need.package.lockfile) != "gradle.lockfile":
        return []
    return [["./gradlew", "dependencies", "--update-locks", need.name]]


def _dotnet(need: _Need) -> Commands:
    """Asking for it is NuGet's own advice for what others bring in."""
    return [["dotnet", "add", "package", need.name, "--version", need.fixed]]


def _nuget(need: _Need) -> Commands:
    config = basename(need.package.lockfile)
    if not _PLAIN_NAME.fullmatch(config):
        return []
    return [["nuget", "update", config, "-Id", need.name, "-Version", need.fixed]]


def _pub(need: _Need) -> Commands:
    if need.direct:
        return [["dart", "pub", "add", f"{'dev:' if need.package.dev else ''}{need.name}:^{need.fixed}"]]
    return [["dart", "pub", "upgrade", need.name]]


def _mix(need: _Need) -> Commands:
    return [["mix", "deps.update", need.name]]


_COMMANDS: dict[str, Callable[[_Need], Commands]] = {
    "npm": _npm,
    "yarn": _yarn,
    "pnpm": _pnpm,
    "bun": _bun,
    "poetry": _poetry,
    "pdm": _pdm,
    "uv": _uv,
    "pipfile": _pipenv,
    "cargo": _cargo,
    "go": _go,
    "bundler": _bundler,
    "composer": _composer,
    "maven": _maven,
    "gradle": _gradle,
    "nuget-lock": _dotnet,
    "nuget-config": _nuget,
    "pub": _pub,
    "mix": _mix,
}
"""By the kind of lockfile. A requirements file has none: no installer changes what is written there."""
