"""What the manifests beside a lockfile surely need from a registry, so that a whole lockfile has to list it.

Must never name what a tool may rightly leave out: the optional, peers, what has a marker, what is from a
folder or an address. A manifest that cannot be read needs nothing.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from cortex_git.scan.lockfiles.asked import CARGO_SECTIONS, manifest, python_name
from cortex_git.scan.lockfiles.source import Source, Table, table_at

_NPM_PLAIN = re.compile(r"npm:|catalog:|[^:/]*$")
"""Ranges and tags, and the protocols of Yarn and pnpm that mean a registry."""
_PYTHON_PLAIN = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~(][^;@]*)?$")
_PLAIN_KEYS = frozenset({"version", "extras", "index", "source", "allow-prereleases"})
"""Of a Poetry or Pipenv dependency: with any other key it is optional, marked, or from elsewhere."""
_NOT_LOCKED = frozenset({"pip", "setuptools", "wheel", "distribute"})
"""What pip-compile, pipenv and older Poetry leave out of their lockfiles as unsafe to change."""
_FROM_ELSEWHERE = frozenset({"path", "git", "optional", "registry-index"})


def npm_needs(source: Source, path: str = "package.json", *, dev: bool = True) -> set[str]:
    """The names, an alias by its own, in the package.json at this path relative to the lockfile."""
    root = manifest(source, path) or {}
    optional = {*table_at(root, "optionalDependencies"), *table_at(root, "peerDependencies")}
    return {
        name
        for section in ("dependencies", *(["devDependencies"] if dev else ()))
        for name, wanted in table_at(root, section).items()
        if name and name not in optional and isinstance(wanted, str) and _NPM_PLAIN.match(wanted)
    }


def project_needs(source: Source, path: str = "pyproject.toml", tool: str | None = None) -> set[str]:
    """The normalised names that the project itself needs, in a pyproject.toml; extras and groups left out.

    Only what this tool looks at, such as "poetry"; without one, what any does.
    """
    root = manifest(source, path) or {}
    tools, project = table_at(root, "tool"), table_at(root, "project")
    found = requirements(project.get("dependencies"))
    if tool in (None, "poetry"):
        found |= _python_table(table_at(table_at(tools, "poetry"), "dependencies"))
    return found - _not_of_a_registry(root)


def group_needs(source: Source, path: str = "pyproject.toml", tool: str | None = None) -> dict[str, set[str]]:
    """The normalised names that each group for development needs, in a pyproject.toml, the same way."""
    root = manifest(source, path) or {}
    tools = table_at(root, "tool")
    found: dict[str, set[str]] = {}
    for name, names in _groups(root, tools, tool):
        found[name] = found.get(name, set()) | names - _not_of_a_registry(root)
    return found


def _groups(root: Table, tools: Table, tool: str | None) -> Iterator[tuple[str, set[str]]]:
    if tool != "poetry":
        for name, group in table_at(root, "dependency-groups").items():
            yield name, requirements(group)
    if tool in (None, "uv"):
        yield "dev", requirements(table_at(tools, "uv").get("dev-dependencies"))
    if tool in (None, "pdm"):
        for name, group in table_at(table_at(tools, "pdm"), "dev-dependencies").items():
            yield name, requirements(group)
    if tool in (None, "poetry"):
        poetry = table_at(tools, "poetry")
        yield "dev", _python_table(table_at(poetry, "dev-dependencies"))
        groups = table_at(poetry, "group")
        for name in groups:
            yield name, _python_table(table_at(table_at(groups, name), "dependencies"))


def _not_of_a_registry(root: Table) -> set[str]:
    """The project's own name, by which extras of its own are asked for, and what uv gets from elsewhere."""
    name = table_at(root, "project").get("name")
    sources = {python_name(name) for name in table_at(table_at(table_at(root, "tool"), "uv"), "sources")}
    return sources | ({python_name(name)} if isinstance(name, str) else set())


def pipfile_needs(source: Source, section: str, path: str = "Pipfile") -> set[str]:
    """The normalised names in a section of a Pipfile."""
    return _python_table(table_at(manifest(source, path) or {}, section))


def composer_needs(source: Source, *, dev: bool = True) -> set[str]:
    """The lower-case names in the composer.json beside the lockfile but those it says it has itself."""
    root = manifest(source, "composer.json") or {}
    sections = ("require", "require-dev") if dev else ("require",)
    own = {name.lower() for section in ("replace", "provide") for name in table_at(root, section)}
    return {name.lower() for section in sections for name in table_at(root, section) if "/" in name} - own


def cargo_inherited(source: Source) -> Table:
    """What the crates of the workspace whose Cargo.toml lies beside the lockfile may take from it."""
    return table_at(table_at(manifest(source, "Cargo.toml") or {}, "workspace"), "dependencies")


def cargo_needs(source: Source, path: str, inherited: Table) -> set[str]:
    """The names of the crates that the package of this Cargo.toml needs, by which the registry knows them.

    `inherited` is what `cargo_inherited` gives.
    """
    root = manifest(source, path) or {}
    if not table_at(root, "package"):
        return set()
    tables = [root, *(found for found in table_at(root, "target").values() if isinstance(found, dict))]
    needs: set[str] = set()
    for key, value in (
        item for found in tables for part in CARGO_SECTIONS for item in table_at(found, part).items()
    ):
        wanted = value
        if isinstance(value, dict) and "workspace" in value:
            wanted = None if "optional" in value else inherited.get(key)
        if isinstance(wanted, str):
            needs.add(key)
        elif isinstance(wanted, dict) and "version" in wanted and not _FROM_ELSEWHERE & wanted.keys():
            real = wanted.get("package", key)
            needs.add(real if isinstance(real, str) else key)
    return needs


def requirements(found: object) -> set[str]:
    """The normalised names of plain requirements (PEP 508), without markers and addresses."""
    items: Iterable[Any] = found if isinstance(found, list) else ()
    matched = (_PYTHON_PLAIN.match(item) for item in items if isinstance(item, str))
    return {python_name(match.group(1)) for match in matched if match} - _NOT_LOCKED


def _python_table(entries: Table) -> set[str]:
    """The normalised names of a table of dependencies, as Poetry and Pipenv have it."""
    plain = (
        name
        for name, wanted in entries.items()
        if isinstance(wanted, str) or (isinstance(wanted, dict) and wanted.keys() <= _PLAIN_KEYS)
    )
    return {python_name(name) for name in plain} - {"python", ""} - _NOT_LOCKED
