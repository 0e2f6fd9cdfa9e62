"""Whether a manifest asks for packages at all: one with nothing but a tool's settings does not.

Looks at the text alone where a manifest is a program. Must never take one that cannot be read for one that
asks for nothing.
"""

import re
from collections.abc import Callable
from posixpath import basename, dirname, relpath

from cortex_git.scan.lockfiles.asked import CARGO_SECTIONS, manifest
from cortex_git.scan.lockfiles.source import Source, Table, table_at

_NPM = ("dependencies", "devDependencies", "optionalDependencies")
_PROGRAMS = {
    "Gemfile": re.compile(r"^[ \t]*gem(?:spec)?\b", re.MULTILINE),
    "gems.rb": re.compile(r"^[ \t]*gem(?:spec)?\b", re.MULTILINE),
    "build.gradle": re.compile(r"\bdependencies\b"),
    "build.gradle.kts": re.compile(r"\bdependencies\b"),
    "mix.exs": re.compile(r"\{[ \t]*:\w+[ \t]*,(?!.{0,200}\bin_umbrella:)"),
    "pubspec.yaml": re.compile(
        r"^(?:dev_)?dependencies:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*+[ \t]+\S", re.MULTILINE
    ),
    "setup.py": re.compile(r"\binstall_requires\b"),
    "setup.cfg": re.compile(r"^install_requires[ \t]*=[ \t]*(?:\S|\n[ \t]+\S)", re.MULTILINE),
}
_PROJECT = re.compile(r"\bPackageReference\b")


def asks(source: Source, path: str) -> bool:
    """Whether the manifest at this path of the repository asks for packages; one that cannot be read may.

    May raise for one that is no text.
    """
    data = source.sibling(path)
    if data is None:
        return True
    name = basename(path)
    look = _TABLES.get(name)
    if look is None:
        pattern = _PROGRAMS.get(name, _PROJECT)
        return pattern.search(Source(path, data, source.sibling).text()) is not None
    root = manifest(source, relpath(path, dirname(source.path) or "."))
    return root is None or look(root)


def _package_json(root: Table) -> bool:
    return any(root.get(key) for key in _NPM)


def _cargo_toml(root: Table) -> bool:
    targets = root.get("target")
    tables = [root, *(targets.values() if isinstance(targets, dict) else ())]
    return any(table.get(key) for table in tables if isinstance(table, dict) for key in CARGO_SECTIONS)


def _composer_json(root: Table) -> bool:
    sections = (root.get(key) for key in ("require", "require-dev"))
    return any("/" in name for section in sections if isinstance(section, dict) for name in section)


def _pipfile(root: Table) -> bool:
    return any(section for name, section in root.items() if name not in ("source", "requires", "scripts"))


def _pyproject(root: Table) -> bool:
    """Extras do not count: they are off."""
    tool, project = table_at(root, "tool"), table_at(root, "project")
    poetry, pdm, uv = (table_at(tool, name) for name in ("poetry", "pdm", "uv"))
    groups = [*table_at(root, "dependency-groups").values(), *table_at(pdm, "dev-dependencies").values()]
    groups += [
        group.get("dependencies") for group in table_at(poetry, "group").values() if isinstance(group, dict)
    ]
    groups += [project.get("dependencies"), uv.get("dev-dependencies"), poetry.get("dev-dependencies")]
    return any(groups) or bool(table_at(poetry, "dependencies").keys() - {"python"})


_TABLES: dict[str, Callable[[Table], bool]] = {
    "package.json": _package_json,
    "Cargo.toml": _cargo_toml,
    "composer.json": _composer_json,
    "pyproject.toml": _pyproject,
    "Pipfile": _pipfile,
}
