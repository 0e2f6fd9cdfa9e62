"""Names the manifests that no lockfile covers, and the lockfiles that no reader knows, so that neither is an
all-clear.

Works on paths alone: whether a lockfile beside a manifest or in a folder above serves it, that has to show
itself (`members`). Must never name such a manifest here.
"""

import re
from collections.abc import Collection

from cortex_git.scan import gap_kinds
from cortex_git.scan.records import NotScanned

MAX_NAMED = 1_000
NO_LOCKFILE = "no lockfile beside it"

_ECOSYSTEM_OF_MANIFEST = {
    "package.json": "npm",
    "pyproject.toml": "PyPI",
    "setup.py": "PyPI",
    "Pipfile": "PyPI",
    "Cargo.toml": "crates.io",
    "Gemfile": "RubyGems",
    "gems.rb": "RubyGems",
    "composer.json": "Packagist",
    "build.gradle": "Gradle",
    "build.gradle.kts": "Gradle",
    "build.sbt": "sbt",
    "project.clj": "Leiningen",
    "deps.edn": "Clojure",
    "pubspec.yaml": "Pub",
    "mix.exs": "Hex",
    "conanfile.py": "ConanCenter",
    "conanfile.txt": "ConanCenter",
    "Package.swift": "SwiftURL",
    "Podfile": "CocoaPods",
    "stack.yaml": "Hackage",
    "cabal.project": "Hackage",
    "environment.yml": "conda",
    "environment.yaml": "conda",
    "bower.json": "Bower",
    "ivy.xml": "Ivy",
    "vcpkg.json": "vcpkg",
}
_ECOSYSTEM_OF_SUFFIX = {
    ".csproj": "NuGet",
    ".fsproj": "NuGet",
    ".vbproj": "NuGet",
    ".cabal": "Hackage",
}
_ASKED = re.compile(r"(?:^|/)(?:requirements[^/]*|[^/]*requirements|requirements/[^/]+)\.in$")
"""`requirements.in`, `dev-requirements.in`, `requirements/base.in`: what pip-compile and uv resolve."""
UNREAD = "is a lockfile of a kind that is not read"
_UNREAD_LOCKFILES = frozenset(
    {
        ".terraform.lock.hcl",
        "Cartfile.resolved",
        "Godeps.json",
        "Gopkg.lock",
        "MODULE.bazel.lock",
        "build.sbt.lock",
        "conda-lock.yaml",
        "conda-lock.yml",
        "dependencies.lock",
        "deno.lock",
        "glide.lock",
        "maven_install.json",
        "packrat.lock",
        "paket.lock",
        "pixi.lock",
        "rebar.lock",
        "shard.lock",
        "shrinkwrap.yaml",
    }
)
_ECOSYSTEM_OF_UNREAD = {"conda-lock.yaml": "conda", "conda-lock.yml": "conda", "pixi.lock": "conda"}
"""Of lockfiles whose manifests are named above: it is they that are told then."""
INSTALLED = frozenset({"node_modules", "vendor", "Pods", "Carthage", "bower_components", "vcpkg_installed"})
"""Folders with other people's packages, manifests included."""
_XCODE = (".xcodeproj", ".xcworkspace")
"""Folders deep inside which Xcode keeps the lockfile of what lies beside them."""
_ECOSYSTEM_OF_KIND = {
    "npm": "npm",
    "yarn": "npm",
    "pnpm": "npm",
    "requirements": "PyPI",
    "poetry": "PyPI",
    "pdm": "PyPI",
    "uv": "PyPI",
    "pylock": "PyPI",
    "pipfile": "PyPI",
    "cargo": "crates.io",
    "bundler": "RubyGems",
    "composer": "Packagist",
    "gradle": "Gradle",
    "nuget-lock": "NuGet",
    "nuget-config": "NuGet",
    "bun": "npm",
    "gradle-verification": "Gradle",
    "conan": "ConanCenter",
    "pub": "Pub",
    "mix": "Hex",
    "swift": "SwiftURL",
    "cocoapods": "CocoaPods",
    "stack": "Hackage",
    "cabal": "Hackage",
}
_ONLY_OF_THE_BUILD = frozenset({"buildscript-gradle.lockfile", "settings-gradle.lockfile"})
"""Lockfiles of what Gradle itself runs with, which say nothing of what a build file asks for."""
_SUBFOLDERS = ("/gradle/dependency-locks", "/requirements")
"""Folders whose lockfiles cover the folder that holds them."""
_SUBFOLDERS_OF_KIND = {"gradle-verification": ("/gradle",)}


def manifest_without_lock(paths: Collection[str]) -> list[NotScanned]:
    """The manifests among a repository's paths that no readable lockfile of their ecosystem covers.

    Covered means: such a lockfile in the same folder or any folder above; for a `requirements.in` one of its
    own name, one that is of no other such file, or that of another tool. Installed copies, such as
    those below `node_modules/` and `vendor/`, are not manifests of the repository. Sorted by path.
    """
    manifests = [(path, ecosystem) for path in paths if (ecosystem := _ecosystem(path))]
    asked = [path for path in paths if _ASKED.search(path)]
    if not manifests and not asked:
        return []
    covered = _covered(paths)
    bare = [path for path, ecosystem in manifests if not _is_covered(path, ecosystem, covered)]
    bare = sorted([*bare, *_unresolved(asked, paths)])
    named = [NotScanned(path, NO_LOCKFILE, gap_kinds.NO_LOCKFILE, path) for path in bare[:MAX_NAMED]]
    if len(bare) > MAX_NAMED:
        what = f"{len(bare) - MAX_NAMED:,} more manifests"
        named.append(NotScanned(what, NO_LOCKFILE, gap_kinds.NO_LOCKFILE))
    return named


def _unresolved(asked: Collection[str], paths: Collection[str]) -> list[str]:
    """Those of the files `*.in` that nothing here shows to be resolved."""
    if not asked:
        return []
    own = {f"{path.removesuffix('.in')}.txt" for path in asked}
    covered = _covered([path for path in paths if path not in own])
    there = own.intersection(paths)
    return [
        path
        for path in asked
        if f"{path.removesuffix('.in')}.txt" not in there
        and INSTALLED.isdisjoint(path.split("/"))
        and not _is_covered(path, "PyPI", covered)
    ]


def home(path: str) -> tuple[str, str] | None:
    """Ecosystem and folder of the manifests that the lockfile at this path may serve, with those below.

    Empty for the folder of the repository; None for what is no lockfile of any manifest named here.
    """
    from cortex_git.scan.lockfiles import kind_of

    folder, _, name = path.rpartition("/")
    kind = kind_of(path) or ""
    ecosystem = _ECOSYSTEM_OF_KIND.get(kind)
    if ecosystem is None or name in _ONLY_OF_THE_BUILD:
        return None
    for subfolder in (*_SUBFOLDERS, *_SUBFOLDERS_OF_KIND.get(kind, ())):
        if f"/{folder}".endswith(subfolder):
            return ecosystem, f"/{folder}"[: -len(subfolder)].lstrip("/")
    return ecosystem, _beside_xcode(folder) if kind == "swift" else folder


def manifest_ecosystem(path: str) -> str | None:
    """The OSV ecosystem of the manifest at that path, None for what is no manifest of the repository."""
    found = _ecosystem(path)
    return "Maven" if found in ("Gradle", "Ivy") else found


def unread_lockfiles(paths: Collection[str]) -> list[NotScanned]:
    """Lockfiles among a repository's paths that no reader here knows, installed copies left out. Sorted."""
    found = sorted(path for path in paths if _is_unread(path))
    named = [NotScanned(path, UNREAD, gap_kinds.UNREAD_LOCKFILE, path) for path in found[:MAX_NAMED]]
    if len(found) > MAX_NAMED:
        what = f"{len(found) - MAX_NAMED:,} more lockfiles"
        named.append(NotScanned(what, UNREAD, gap_kinds.UNREAD_LOCKFILE))
    return named


def _is_unread(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name in _UNREAD_LOCKFILES and INSTALLED.isdisjoint(folder.split("/"))


def _ecosystem(path: str) -> str | None:
    folder, _, name = path.rpartition("/")
    suffix = name[name.rfind(".") :] if "." in name else ""
    found = _ECOSYSTEM_OF_MANIFEST.get(name) or _ECOSYSTEM_OF_SUFFIX.get(suffix)
    if found is not None and not INSTALLED.isdisjoint(folder.split("/")):
        return None
    return found


def _covered(paths: Collection[str]) -> set[tuple[str, str]]:
    """(folder, ecosystem) for each lockfile; the folder of the repository is the empty text."""
    covered: set[tuple[str, str]] = set()
    for path in paths:
        folder, _, name = path.rpartition("/")
        place = home(path)
        ecosystem = place[0] if place else _ECOSYSTEM_OF_UNREAD.get(name)
        if ecosystem is not None:
            covered |= {(folder, ecosystem), (place[1] if place else folder, ecosystem)}
    return covered


def _beside_xcode(folder: str) -> str:
    """The folder that holds the Xcode project or workspace in which `folder` is; else the same."""
    parts = folder.split("/")
    inside = (number for number, part in enumerate(parts) if part.endswith(_XCODE))
    return "/".join(parts[: next(inside, len(parts))])


def _is_covered(path: str, ecosystem: str, covered: set[tuple[str, str]]) -> bool:
    folder = path.rpartition("/")[0]
    while (folder, ecosystem) not in covered:
        if not folder:
            return False
        folder = folder.rpartition("/")[0]
    return True
