"""Reads packages.lock.json and packages.config of NuGet."""

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.origins import Graph
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, load_json, object_lines, table
from cortex_git.scan.lockfiles.xml import load_xml

_DIRECT = {"Direct": True, "Transitive": False, "CentralTransitive": False}


def read_lock(source: Source, out: Collector) -> None:
    """Every package of every target framework; projects are the repository's own code."""
    text = source.content_text()
    root = load_json(text)
    lines = object_lines(text)
    for framework, packages in table(root.get("dependencies"), "dependencies").items():
        graph = _graph(table(packages, framework))
        for name, entry in table(packages, framework).items():
            found = lines.get(name)
            line = found.pop() if found else None
            if not isinstance(entry, dict):
                out.skip(name, "the entry is not a table")
            elif entry.get("type") != "Project":
                known = _DIRECT.get(str(entry.get("type")))
                out.add(name, entry.get("resolved"), line, direct=known, via=graph.origin(name.lower()).via)


def _graph(packages: Table) -> Graph:
    """What one target framework has; a project of the repository brings in what it refers to."""
    graph = Graph()
    for name, entry in packages.items():
        if not isinstance(entry, dict):
            continue
        needed = entry.get("dependencies")
        graph.edges(name.lower(), map(str.lower, needed) if isinstance(needed, dict) else ())
        if entry.get("type") in ("Direct", "Project"):
            graph.ask(name.lower(), name)
    graph.trace()
    return graph


def read_config(source: Source, out: Collector) -> None:
    """Every `<package id version>`; NuGet writes exact versions here."""
    root = load_xml(source.data)
    if root.name != "packages":
        raise MalformedError("has no <packages>")
    for package in root.each("package"):
        dev = package.attributes.get("developmentDependency", "").lower() == "true"
        out.add(package.attributes.get("id"), package.attributes.get("version"), package.line, dev=dev)
