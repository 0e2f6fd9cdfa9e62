"""Reads package-lock.json (lockfileVersion 1, 2, 3) and npm-shrinkwrap.json.

Links and workspace members are the repository's own code and are left out. Must never recurse: the
version 1 tree is as deep as its author likes.
"""

from collections.abc import Iterator
from typing import Any

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, load_json, object_lines, table

_KNOWN_VERSIONS = (1, 2, 3)
_MODULES = "node_modules/"
_LOCAL = ("file:", "link:")
_TARBALLS = (".tgz", ".tar.gz", ".tar")


def read(source: Source, out: Collector) -> None:
    """Every package of the lockfile, hidden (bundled, optional, dev, peer) ones too."""
    text = source.content_text()
    root = load_json(text)
    version = root.get("lockfileVersion")
    if version is not None and version not in _KNOWN_VERSIONS:
        out.skip_file("is of a lockfileVersion that is not known")
    if "packages" in root:
        _read_packages(table(root["packages"], "packages"), object_lines(text), out)
    elif "dependencies" in root:
        _read_tree(table(root["dependencies"], "dependencies"), object_lines(text), out)
    elif version is None:
        raise MalformedError("has no lockfileVersion, packages or dependencies")


def _read_packages(packages: Table, lines: dict[str, list[int]], out: Collector) -> None:
    for key, entry in packages.items():
        if _MODULES not in key:
            continue  # the root project, a workspace member or the target of a link
        if not isinstance(entry, dict):
            out.skip(key, "the entry is not a table")
            continue
        if entry.get("link") is True:
            continue
        found = lines.get(key)
        name = entry.get("name") or key.rpartition(_MODULES)[2]
        out.add(name, entry.get("version"), found[-1] if found else None)


def _read_tree(dependencies: Table, lines: dict[str, list[int]], out: Collector) -> None:
    for name, entry in _walk(dependencies):
        found = lines.get(name)
        line = found.pop() if found else None
        if not isinstance(entry, dict):
            out.skip(name, "the entry is not a table")
            continue
        version = entry.get("version")
        if isinstance(version, str):
            _add_version_1(name, version, line, out)
        else:
            out.add(name, version, line)


def _walk(dependencies: Table) -> Iterator[tuple[str, Any]]:
    """Every entry of the version 1 tree in document order, without recursion."""
    stack = [iter(dependencies.items())]
    while stack:
        name, entry = next(stack[-1], (None, None))
        if name is None:
            stack.pop()
            continue
        yield name, entry
        nested = entry.get("dependencies") if isinstance(entry, dict) else None
        if isinstance(nested, dict):
            stack.append(iter(nested.items()))


def _add_version_1(name: str, version: str, line: int | None, out: Collector) -> None:
    """Version 1 keeps aliases, git and tarball addresses in the `version` field."""
    if version.startswith("npm:"):
        real, _, exact = version[4:].rpartition("@")
        out.add(real, exact, line)
    elif version.startswith(_LOCAL) and not version.endswith(_TARBALLS):
        return
    elif ":" in version or "/" in version:
        out.skip(name, "no exact version (not from a registry)")
    else:
        out.add(name, version, line)
