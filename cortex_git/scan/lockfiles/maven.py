"""Reads pom.xml: what it pins itself, with its properties and those of parents in the repository.

What a parent or a bill of materials elsewhere decides is named as a gap. Must never expand a
property without bound.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.origins import UNKNOWN, Origin
from cortex_git.scan.lockfiles.source import MalformedError, Source, inside_repository
from cortex_git.scan.lockfiles.xml import Element, load_xml

MAX_PARENTS = 8
MAX_EXPANDED = 1_024
"""Characters of an expanded value: properties that double each other stop here."""
_MAX_ROUNDS = 16
_PROPERTY = re.compile(r"\$\{([^${}]*)\}")
_PLUGIN_GROUP = "org.apache.maven.plugins"
_MOVING = frozenset({"LATEST", "RELEASE"})


class _Project(NamedTuple):
    """A pom with what it inherits from the parents that are in the repository."""

    root: Element
    properties: dict[str, str]
    managed: dict[str, str]
    """`group:artifact` -> version, as written, of dependencyManagement."""


def read(source: Source, out: Collector) -> None:
    """Dependencies, managed dependencies, plugins and extensions that have an exact version."""
    chain = _chain(source)
    project = _Project(chain[0], _properties(chain), {})
    for pom in reversed(chain):
        for element in _managed(pom):
            version = element.value("version")
            if version:
                project.managed[_coordinates(element, project)] = version
    origins = _origins(chain, project)
    for element in _managed(project.root):
        origin = origins.get(_coordinates(element, project), UNKNOWN)
        _add(element, project, out, element.value("version"), origin)
    for element in _dependencies(project.root):
        name = _coordinates(element, project)
        version = element.value("version") or project.managed.get(name)
        if version is None:
            out.skip(name, "the version is managed elsewhere")
        else:
            _add(element, project, out, version, origins[name])
    for element in _plugins(project.root):
        if element.value("version"):
            _add(element, project, out, element.value("version"), Origin(direct=True))


def _origins(chain: list[Element], project: _Project) -> dict[str, Origin]:
    """By coordinates: the dependencies are direct, and for development where all their scopes are `test`."""
    managed = {_coordinates(e, project): e.value("scope") for pom in reversed(chain) for e in _managed(pom)}
    found: dict[str, Origin] = {}
    for element in _dependencies(project.root):
        name = _coordinates(element, project)
        scope = _expanded(element.value("scope") or managed.get(name) or "", project.properties)
        dev = found[name].dev is not False if name in found else True
        found[name] = Origin(True, dev and scope == "test")
    return found


def includes(source: Source) -> list[str]:
    """The repository path of the parent pom, if it may be in the repository."""
    parent = load_xml(source.data).child("parent")
    path = _parent_path(source.path, parent) if parent else None
    return [path] if path else []


def _chain(source: Source) -> list[Element]:
    """The pom and its parents in the repository, nearest first."""
    root = load_xml(source.data)
    if root.name != "project":
        raise MalformedError("has no <project>")
    chain, path, seen = [root], source.path, {source.path}
    while len(chain) < MAX_PARENTS:
        parent = chain[-1].child("parent")
        target = _parent_path(path, parent) if parent else None
        data = source.sibling(target) if target and target not in seen else None
        if parent is None or target is None or data is None:
            break
        try:
            above = load_xml(data)
        except MalformedError:
            break  # that file is read on its own and reported there
        if above.name != "project" or above.value("artifactId") != parent.value("artifactId"):
            break  # not the parent that is meant: Maven takes it from a registry then
        chain.append(above)
        path = target
        seen.add(target)
    return chain


def _parent_path(path: str, parent: Element) -> str | None:
    given = parent.child("relativePath")
    relative = "../pom.xml" if given is None else given.text.strip()
    if not relative:
        return None
    if not relative.endswith(".xml"):
        relative += "/pom.xml"
    return inside_repository(path, relative)


def _properties(chain: list[Element]) -> dict[str, str]:
    """Properties as written; the nearest pom wins, and `project.*` are those of the pom itself."""
    found: dict[str, str] = {}
    for pom in reversed(chain):
        for block in pom.each("properties"):
            found.update((item.name, item.text.strip()) for item in block.children)
    root = chain[0]
    parent = root.child("parent") or Element("parent", 0, {})
    for name in ("groupId", "artifactId", "version"):
        inherited = parent.value(name)
        own = root.value(name) or (inherited if name != "artifactId" else None)
        for prefix, value in (("project", own), ("pom", own), ("project.parent", inherited)):
            if value is not None:
                found[f"{prefix}.{name}"] = value
    return found


def _sections(root: Element) -> Iterator[Element]:
    yield root
    yield from root.each("profiles", "profile")


def _managed(root: Element) -> Iterator[Element]:
    for section in _sections(root):
        yield from section.each("dependencyManagement", "dependencies", "dependency")


def _dependencies(root: Element) -> Iterator[Element]:
    for section in _sections(root):
        yield from section.each("dependencies", "dependency")


def _plugins(root: Element) -> Iterator[Element]:
    for section in _sections(root):
        plugins = section.each("build", "plugins", "plugin")
        plugins += section.each("build", "pluginManagement", "plugins", "plugin")
        plugins += section.each("reporting", "plugins", "plugin")
        for plugin in plugins:
            yield plugin
            yield from plugin.each("dependencies", "dependency")
        yield from section.each("build", "extensions", "extension")


def _coordinates(element: Element, project: _Project) -> str:
    """`group:artifact` with what properties can be expanded."""
    default = _PLUGIN_GROUP if element.name == "plugin" else ""
    group = _expanded(element.value("groupId") or default, project.properties)
    return f"{group}:{_expanded(element.value('artifactId') or '', project.properties)}"


def _expanded(text: str, properties: dict[str, str]) -> str:
    """The text with its properties replaced, those that are unknown or too long left as they are."""
    for _ in range(_MAX_ROUNDS):
        if "${" not in text or len(text) > MAX_EXPANDED:
            break
        replaced = _PROPERTY.sub(lambda match: properties.get(match.group(1).strip(), match.group()), text)
        if replaced == text:
            break
        text = replaced
    return text


def _add(element: Element, project: _Project, out: Collector, version: str | None, origin: Origin) -> None:
    name = _coordinates(element, project)
    exact = _expanded(version or "", project.properties)
    unresolved = _PROPERTY.search(name) or _PROPERTY.search(exact)
    if unresolved:
        out.skip(name, f"unresolved property {unresolved.group()[:80]}")
        return
    if name.startswith(":") or name.endswith(":"):
        out.skip(name, "the package has no name")
        return
    if exact.startswith("[") and exact.endswith("]") and "," not in exact:
        exact = exact[1:-1].strip()
    if exact in _MOVING or exact[:1] in ("[", "(") or "," in exact:
        out.skip(name, NO_EXACT_VERSION)
        return
    out.add(name, exact or None, element.line, **origin._asdict())
