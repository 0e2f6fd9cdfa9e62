"""Which manifests a reader of a lockfile asks for, by paths alone, so that they are read together with it.

They tell what is direct, what is for development and what a lockfile has to list. Must never name more than a
bounded number of them.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Collection
from functools import cached_property

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
_BELOW = frozenset({"npm", "pnpm", "yarn", "cargo"})
"""Kinds whose lockfile may serve the projects in the folders below it, too."""
_INSTALLED = frozenset({"node_modules", "vendor"})
_NAMES_BELOW = frozenset({"package.json", "Cargo.toml"})


class Manifests:
    """The manifests among the paths of one repository."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = paths

    def of(self, kind: str, path: str) -> tuple[str, ...]:
        """The paths of the manifests that reading this lockfile may ask for; one may not exist."""
        prefix = _prefix(path)
        return (*(prefix + name for name in _BESIDE.get(kind, ())), *self.below(kind, path))

    def below(self, kind: str, path: str) -> tuple[str, ...]:
        """Those in the folders below the lockfile's, for a kind that has workspaces."""
        if kind not in _BELOW:
            return ()
        prefix, name = _prefix(path), _BESIDE[kind][0]
        known = self._by_name[name]
        start = bisect_left(known, prefix)
        found = [each for each in known[start : start + MAX_BELOW] if each.startswith(prefix)]
        return tuple(each for each in found if each != prefix + name)

    def listing(self, kind: str, path: str) -> str:
        """A mark of which manifests there are below, for whoever remembers what was read; or empty."""
        if kind not in _BELOW:
            return ""
        text = "\0".join(self.below(kind, path)).encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Sorted paths by their last part; installed copies are not manifests of the repository."""
        found: dict[str, list[str]] = {name: [] for name in _NAMES_BELOW}
        for path in self._paths:
            name = path.rpartition("/")[2]
            if name in found and not _INSTALLED & set(path.split("/")):
                found[name].append(path)
        return {name: sorted(paths) for name, paths in found.items()}


def _prefix(path: str) -> str:
    """The folder of a path with its slash, empty for the repository's own."""
    return path[: path.rfind("/") + 1]
