"""Which manifests a reader of a lockfile asks for, by paths alone, so that they are read together with it.

They tell what is direct, what is for development, what a lockfile has to list and what it does not serve.
Must never name more than a bounded number of them.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Collection
from functools import cached_property

from cortex_git.scan.lockfiles.manifests import INSTALLED, home

MAX_BELOW = 500
"""Manifests of workspaces that are looked at for one lockfile."""
_BESIDE = {
    "npm": ("package.json",),
    "yarn": ("package.json",),
    "pnpm": ("package.json",),
    "poetry": ("pyproject.toml",),
    "pdm": ("pyproject.toml",),
    "uv": ("pyproject.toml",),
    "pylock": ("pyproject.toml",),
    "pipfile": ("Pipfile",),
    "cargo": ("Cargo.toml",),
    "composer": ("composer.json",),
    "gradle": ("build.gradle", "build.gradle.kts"),
}
_PYTHON = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile")
_BELOW = {
    "npm": ("package.json",),
    "yarn": ("package.json",),
    "pnpm": ("package.json",),
    "bun": ("package.json",),
    "requirements": _PYTHON,
    "poetry": _PYTHON,
    "pdm": _PYTHON,
    "uv": _PYTHON,
    "pylock": _PYTHON,
    "pipfile": _PYTHON,
    "cargo": ("Cargo.toml",),
    "bundler": ("Gemfile", "gems.rb"),
    "composer": ("composer.json",),
    "gradle": ("build.gradle", "build.gradle.kts"),
    "nuget-lock": (".csproj", ".fsproj", ".vbproj"),
    "nuget-config": (".csproj", ".fsproj", ".vbproj"),
    "pub": ("pubspec.yaml",),
    "mix": ("mix.exs",),
}
"""Names, or how they end, of the manifests that a lockfile may serve in its folder and those below."""
_NAMES_BELOW = frozenset(name for names in _BELOW.values() for name in names)


class Manifests:
    """The manifests among the paths of one repository."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = paths

    def of(self, kind: str, path: str) -> tuple[str, ...]:
        """The paths of the manifests that reading this lockfile may ask for; one may not exist."""
        prefix = _prefix(path)
        return (*(prefix + name for name in _BESIDE.get(kind, ())), *self.below(kind, path))

    def below(self, kind: str, path: str) -> tuple[str, ...]:
        """Those beside the lockfile and in the folders below, but the one that `of` has for itself."""
        place = home(path) if kind in _BELOW else None
        if place is None:
            return ()
        prefix = place[1] and f"{place[1]}/"
        found: list[str] = []
        for name in _BELOW[kind]:
            known = self._by_name[name]
            start = bisect_left(known, prefix)
            found += (each for each in known[start : start + MAX_BELOW] if each.startswith(prefix))
        own = {_prefix(path) + name for name in _BESIDE.get(kind, ())}
        return tuple(each for each in sorted(found)[:MAX_BELOW] if each not in own)

    def listing(self, kind: str, path: str) -> str | None:
        """A mark of which manifests there are below, for whoever remembers what was read; None where there
        are none, empty where that does not matter."""
        if kind not in _BELOW:
            return ""
        below = self.below(kind, path)
        if not below:
            return None
        text = "\0".join(below).encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Sorted paths by their last part; installed copies are not manifests of the repository."""
        found: dict[str, list[str]] = {name: [] for name in _NAMES_BELOW}
        for path in self._paths:
            name = path.rpartition("/")[2]
            name = name if name in found else name[name.rfind(".") :] if "." in name else ""
            if name in found and INSTALLED.isdisjoint(path.split("/")):
                found[name].append(path)
        return {name: sorted(paths) for name, paths in found.items()}


def _prefix(path: str) -> str:
    """The folder of a path with its slash, empty for the repository's own."""
    return path[: path.rfind("/") + 1]
