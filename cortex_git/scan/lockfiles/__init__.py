"""Lockfile reading: which paths are lockfiles, and the packages that one lockfile pins.

Owns the table of formats. Must never raise for any bytes, and never report an unreadable file as an
empty one. Cheap to import: a format's module is loaded when its first file is read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import NamedTuple

from cortex_git.scan import gap_kinds
from cortex_git.scan.lockfiles.beside import Manifests
from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.manifests import home, manifest_without_lock, unread_lockfiles
from cortex_git.scan.lockfiles.naming import (
    NOT_BELOW,
    as_expression,
    as_likely_pathspecs,
    as_pathspecs,
    matcher,
)
from cortex_git.scan.lockfiles.source import MalformedError, Sibling, Source
from cortex_git.scan.records import LockfileContent, NotScanned

__all__ = [
    "Manifests",
    "Sibling",
    "home",
    "includes_of",
    "kind_of",
    "likely_pathspecs",
    "manifest_without_lock",
    "path_expression",
    "pathspecs",
    "read_lockfile",
    "unread_lockfiles",
]

Reader = Callable[[Source, Collector], None]


class _Format(NamedTuple):
    ecosystem: str
    module: str
    reader: str


MANY = "many"
"""In place of an ecosystem: a bill of materials says of each package which it is of."""

FORMATS: dict[str, _Format] = {
    "npm": _Format("npm", "npm", "read"),
    "yarn": _Format("npm", "yarn", "read"),
    "pnpm": _Format("npm", "pnpm", "read"),
    "requirements": _Format("PyPI", "requirements", "read"),
    "poetry": _Format("PyPI", "python_locks", "read_poetry"),
    "pdm": _Format("PyPI", "python_locks", "read_pdm"),
    "uv": _Format("PyPI", "python_locks", "read_uv"),
    "uv-script": _Format("PyPI", "python_locks", "read_uv"),
    "pylock": _Format("PyPI", "python_locks", "read_pylock"),
    "pipfile": _Format("PyPI", "pipfile", "read"),
    "cargo": _Format("crates.io", "cargo", "read"),
    "go": _Format("Go", "gomod", "read"),
    "bundler": _Format("RubyGems", "bundler", "read"),
    "composer": _Format("Packagist", "composer", "read"),
    "maven": _Format("Maven", "maven", "read"),
    "gradle": _Format("Maven", "gradle", "read"),
    "nuget-lock": _Format("NuGet", "nuget", "read_lock"),
    "nuget-config": _Format("NuGet", "nuget", "read_config"),
    "bun": _Format("npm", "bun", "read"),
    "nuget-deps": _Format("NuGet", "deps_json", "read"),
    "gradle-verification": _Format("Maven", "verification", "read"),
    "conan": _Format("ConanCenter", "conan", "read"),
    "pub": _Format("Pub", "pub", "read"),
    "mix": _Format("Hex", "mix", "read"),
    "renv": _Format("CRAN", "renv", "read"),
    "cabal": _Format("Hackage", "haskell", "read_cabal"),
    "stack": _Format("Hackage", "haskell", "read_stack"),
    "swift": _Format("SwiftURL", "swift", "read"),
    "cocoapods": _Format("CocoaPods", "cocoapods", "read"),
    "cyclonedx-json": _Format(MANY, "cyclonedx", "read_json"),
    "cyclonedx-xml": _Format(MANY, "cyclonedx", "read_xml"),
    "bill-json": _Format(MANY, "bills", "read_json"),
    "spdx": _Format(MANY, "spdx", "read"),
    "spdx-yaml": _Format(MANY, "spdx", "read_yaml"),
    "spdx-unread": _Format(MANY, "spdx", "read_unread"),
}

_KIND_OF_NAME = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "yarn",
    "pnpm-lock.yaml": "pnpm",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
    "uv.lock": "uv",
    "pylock.toml": "pylock",
    "Pipfile.lock": "pipfile",
    "Cargo.lock": "cargo",
    "go.mod": "go",
    "Gemfile.lock": "bundler",
    "gems.locked": "bundler",
    "composer.lock": "composer",
    "pom.xml": "maven",
    "gradle.lockfile": "gradle",
    "buildscript-gradle.lockfile": "gradle",
    "settings-gradle.lockfile": "gradle",
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "conan.lock": "conan",
    "pubspec.lock": "pub",
    "mix.lock": "mix",
    "renv.lock": "renv",
    "cabal.project.freeze": "cabal",
    "stack.yaml.lock": "stack",
    "Package.resolved": "swift",
    "Podfile.lock": "cocoapods",
}

_KIND_OF_PATTERN = {
    "*.gemfile.lock": "bundler",
    "requirements*.txt": "requirements",
    "*requirements.txt": "requirements",
    "requirements/*.txt": "requirements",
    "requirements*.lock": "requirements",
    "requirements*.pip": "requirements",
    "*requirements.pip": "requirements",
    "requirements/*.pip": "requirements",
    "requirements.dev": "requirements",
    "requirements.prod": "requirements",
    "reqs.txt": "requirements",
    "*.py.lock": "uv-script",
    "pylock.*.toml": "pylock",
    "gradle/dependency-locks/*.lockfile": "gradle",
    "packages.lock.json": "nuget-lock",
    "packages.*.lock.json": "nuget-lock",
    "packages.config": "nuget-config",
    "packages.*.config": "nuget-config",
    "*.deps.json": "nuget-deps",
    "gradle/verification-metadata.xml": "gradle-verification",
    "bom.json": "cyclonedx-json",
    "*.cdx.json": "cyclonedx-json",
    "*cyclonedx.json": "cyclonedx-json",
    "bom.xml": "cyclonedx-xml",
    "*.cdx.xml": "cyclonedx-xml",
    "*cyclonedx.xml": "cyclonedx-xml",
    "*.bom.xml": "cyclonedx-xml",
    "*sbom.xml": "cyclonedx-xml",
    "*.spdx.json": "spdx",
    "*-spdx.json": "spdx",
    "spdx.json": "spdx",
    "*.bom.json": "bill-json",
    "*sbom.json": "bill-json",
    "*.spdx": "spdx",
    "*.spdx.yaml": "spdx-yaml",
    "*.spdx.yml": "spdx-yaml",
    "*.spdx.rdf": "spdx-unread",
    "*.spdx.rdf.xml": "spdx-unread",
}
"""Globs of the last parts of a path, in any letter case; the first that fits counts."""

_kind_by_pattern = matcher(_KIND_OF_PATTERN)

_KINDS_WITH_INCLUDES = frozenset({"requirements", "maven"})
_KINDS_THAT_MAY_BE_OPEN = frozenset(
    {
        *("requirements", "maven", "npm", "pnpm", "yarn", "bun", "cargo", "composer", "bundler", "gradle"),
        *("poetry", "pdm", "uv", "pylock", "pipfile", "pub", "mix", "nuget-config", "nuget-lock"),
    }
)


def kind_of(path: str) -> str | None:
    """The format of the lockfile at this repository path, None when it is not one that is read.

    Lockfiles below `node_modules/` describe other people's development set-ups and are not counted.
    """
    folder, _, name = path.rpartition("/")
    kind = _KIND_OF_NAME.get(name) or _kind_by_pattern(path)
    if kind is not None and NOT_BELOW in folder.split("/"):
        return None
    return kind


def is_inventory(path: str) -> bool:
    """Whether the file is a bill of materials, which repeats what lockfiles beside it pin."""
    return FORMATS[kind].ecosystem == MANY if (kind := kind_of(path)) else False


def pathspecs() -> tuple[str, ...]:
    """Arguments by which git finds exactly the paths that `kind_of` knows."""
    return as_pathspecs(_KIND_OF_NAME, _KIND_OF_PATTERN)


def likely_pathspecs() -> tuple[str, ...]:
    """Arguments by which git, in any letter case, finds at least those paths, and soon."""
    return as_likely_pathspecs(_KIND_OF_NAME, _KIND_OF_PATTERN)


def path_expression() -> str:
    """A regular expression (Python's `re`) that is found in exactly the paths that `kind_of` knows."""
    return as_expression(_KIND_OF_NAME, _KIND_OF_PATTERN)


def read_lockfile(
    path: str, data: bytes, sibling: Sibling, manifests: tuple[str, ...] = ()
) -> LockfileContent:
    """Every package that the lockfile at `path` pins, and every part of it that could not be read.

    `sibling` gives the bytes of another file of the same repository by its normalised path, None
    when there is none. Entries of included files carry the included file's path. `manifests` are the
    paths of manifests in the folders below that `sibling` gives (`Manifests.below`). Never raises.
    """
    kind = kind_of(path)
    if kind is None:
        gap = NotScanned(path, "not a lockfile format that is read", gap_kinds.UNREAD_LOCKFILE, path)
        return LockfileContent(not_scanned=(gap,))
    form = FORMATS[kind]
    out = Collector(form.ecosystem, path)
    source = Source(path, data, sibling, manifests)
    with _told(out):
        source.refuse_conflict_markers()
        reader: Reader = getattr(import_module(f"{__name__}.{form.module}"), form.reader)
        reader(source, out)
    if kind not in _KINDS_THAT_MAY_BE_OPEN:
        return out.content()
    from cortex_git.scan.lockfiles.open_lists import open_lists

    found: tuple[tuple[str, str], ...] = ()
    with _told(out):
        found = open_lists(kind, source, out.content())
    return replace(out.content(), open_lists=found)


@contextmanager
def _told(out: Collector) -> Iterator[None]:
    """What goes wrong inside makes the file one that could not be read, or not all of it."""
    try:
        yield
    except MalformedError as problem:
        out.skip_file(str(problem))
    except RecursionError:
        out.skip_file("is nested too deeply")
    except Exception as problem:
        # A reader's own mistake must cost one file, never the sweep, and must be seen.
        out.skip_file(f"could not be read ({type(problem).__name__})")


def includes_of(kind: str, path: str, data: bytes) -> tuple[str, ...]:
    """The repository paths that reading this file will ask `sibling` for, so they can be prefetched.

    Included files may include others: call it again, with the same kind, on what was fetched. A path
    named here may not exist. Manifests are named by `Manifests`, from paths alone. Never raises.
    """
    if kind not in _KINDS_WITH_INCLUDES:
        return ()
    try:
        module = import_module(f"{__name__}.{FORMATS[kind].module}")
        return tuple(module.includes(Source(path, data, lambda _: None)))
    except Exception:
        # Only a hint: read_lockfile reports what is wrong with the file.
        return ()
