"""What a repository's own manifests ask for, to tell direct dependencies from those they bring in.

Owns reading the manifests beside a lockfile. A manifest that is absent or cannot be read is None, which is no
gap of the lockfile.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from cortex_git.scan.lockfiles.source import (
    MalformedError,
    Source,
    Table,
    as_table,
    inside_repository,
    load_json,
    load_toml,
)

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_SEPARATORS = re.compile(r"[-_.]+")
_MAX_GLOBS = 200
CARGO_SECTIONS = (
    "dev-dependencies",
    "dev_dependencies",
    "build-dependencies",
    "build_dependencies",
    "dependencies",
)
"""Of a Cargo.toml; of a crate that is in several, the last one counts."""
_NPM_SECTIONS = ("devDependencies", "peerDependencies", "optionalDependencies", "dependencies")


class Wanted(NamedTuple):
    """One dependency as a manifest asks for it."""

    wanted: str
    """The range or address as written, empty where it is no text."""
    dev: bool


Asked = dict[str, Wanted]
"""By name. A name that is asked for in both ways is production's."""


def python_name(name: str) -> str:
    """The name as PEP 503 writes it."""
    return _SEPARATORS.sub("-", name).lower()


def package_json(source: Source, path: str = "package.json") -> Asked | None:
    """What the package.json at this path, relative to the lockfile, asks for."""
    root = manifest(source, path)
    return None if root is None else npm_asked(root)


def package_name(source: Source, path: str) -> str | None:
    """The name in the package.json at this path, relative to the lockfile."""
    name = (manifest(source, path) or {}).get("name")
    return name if isinstance(name, str) else None


def npm_asked(root: Table) -> Asked:
    """What the dependency tables of a package.json, or of a member in package-lock.json, ask for."""
    asked: Asked = {}
    for section in _NPM_SECTIONS:
        _take(asked, root.get(section), dev=section == "devDependencies")
    return asked


def workspaces(source: Source) -> list[str]:
    """The globs of the folders that the package.json beside the lockfile counts as its own."""
    found = (manifest(source, "package.json") or {}).get("workspaces")
    globs = found.get("packages") if isinstance(found, dict) else found
    return [glob for glob in globs[:_MAX_GLOBS] if isinstance(glob, str)] if isinstance(globs, list) else []


def pyproject(source: Source) -> Asked | None:
    """What the pyproject.toml beside the lockfile asks for, by normalised name.

    Extras are production. Groups (PEP 735, Poetry, PDM, uv) are development, as their tools define them.
    """
    root = manifest(source, "pyproject.toml")
    if root is None:
        return None
    tool, project = as_table(root.get("tool")), as_table(root.get("project"))
    poetry, pdm, uv = (as_table(tool.get(name)) for name in ("poetry", "pdm", "uv"))
    development = [
        *(as_table(group).get("dependencies") for group in as_table(poetry.get("group")).values()),
        *as_table(pdm.get("dev-dependencies")).values(),
        *as_table(root.get("dependency-groups")).values(),
        poetry.get("dev-dependencies"),
        uv.get("dev-dependencies"),
    ]
    production = [
        *as_table(project.get("optional-dependencies")).values(),
        project.get("dependencies"),
        poetry.get("dependencies"),
    ]
    asked: Asked = {}
    for found, dev in [*((part, True) for part in development), *((part, False) for part in production)]:
        _take_python(asked, found, dev=dev)
    asked.pop("python", None)
    return asked


def project_name(source: Source) -> str:
    """The normalised name in the pyproject.toml beside the lockfile; empty where there is none."""
    name = as_table((manifest(source, "pyproject.toml") or {}).get("project")).get("name")
    return python_name(name) if isinstance(name, str) else ""


def pipfile(source: Source) -> dict[str, set[str]] | None:
    """The normalised names of each section of the Pipfile beside the lockfile."""
    root = manifest(source, "Pipfile")
    if root is None:
        return None
    return {section: {python_name(name) for name in as_table(value)} for section, value in root.items()}


class Crate(NamedTuple):
    """A Cargo.toml that has a package."""

    name: str
    asked: Asked


def cargo_toml(source: Source, path: str) -> Crate | None:
    """The package of a Cargo.toml, at a path relative to the lockfile, and the crates it asks for."""
    root = manifest(source, path)
    name = as_table(root.get("package")).get("name") if root else None
    if root is None or not isinstance(name, str):
        return None
    asked: Asked = {}
    tables = [root, *map(as_table, as_table(root.get("target")).values())]
    for section in CARGO_SECTIONS:
        for found in tables:
            for key, value in as_table(found.get(section)).items():
                real = as_table(value).get("package", key)
                _take(asked, {real if isinstance(real, str) else key: value}, dev=section.startswith("dev"))
    return Crate(name, asked)


def composer_json(source: Source) -> Asked | None:
    """What the composer.json beside the lockfile asks for, by lower-case name, the platform left out."""
    root = manifest(source, "composer.json")
    if root is None:
        return None
    asked: Asked = {}
    for section in ("require-dev", "require"):
        found = {name.lower(): value for name, value in as_table(root.get(section)).items() if "/" in name}
        _take(asked, found, dev=section == "require-dev")
    return asked


def manifest(source: Source, name: str) -> Table | None:
    """The content of a manifest at a path relative to the lockfile; None when it is not there or cannot be
    read."""
    path = inside_repository(source.path, name)
    data = source.sibling(path) if path else None
    if path is None or data is None:
        return None
    file = Source(path, data, source.sibling)
    try:
        return load_json(file.text()) if name.endswith(".json") else load_toml(file.text())
    except (MalformedError, RecursionError):
        return None


def _take(asked: Asked, found: object, *, dev: bool) -> None:
    for name, value in as_table(found).items():
        asked[name] = Wanted(value if isinstance(value, str) else "", dev)


def _take_python(asked: Asked, found: object, *, dev: bool) -> None:
    """Names from a table's keys or from a list of requirements (PEP 508)."""
    if isinstance(found, dict):
        _take(asked, {python_name(name): value for name, value in found.items()}, dev=dev)
    elif isinstance(found, list):
        _take(asked, dict.fromkeys(requirement_names(found), ""), dev=dev)


def requirement_names(found: Iterable[Any]) -> list[str]:
    """The normalised names of requirements (PEP 508); what is no text is passed over."""
    matched = (_REQUIREMENT.match(item) for item in found if isinstance(item, str))
    return [python_name(match.group(1)) for match in matched if match]
