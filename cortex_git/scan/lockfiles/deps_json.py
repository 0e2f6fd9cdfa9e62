"""Reads *.deps.json, which .NET writes beside a built program: what it is made of.

Projects are the repository's own code. A runtime pack is the NuGet package that it was unpacked from.
"""

from cortex_git.scan.lockfiles.collecting import NO_REGISTRY, Collector
from cortex_git.scan.lockfiles.origins import Graph
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, load_json, object_lines, table

_OWN = ("project", "msbuildproject", "platform", "referenceassembly")
"""Code of the repository, and the framework that the program finds where it is run."""
_RUNTIME_PACK = "runtimepack."


def read(source: Source, out: Collector) -> None:
    """Every package among the libraries; an assembly that came as a bare file is a gap."""
    text = source.content_text()
    root = load_json(text)
    if "libraries" not in root:
        raise MalformedError("has no libraries, so it is not of .NET")
    libraries = table(root["libraries"], "libraries")
    graph = _graph(libraries, root.get("targets"))
    lines = object_lines(text)
    for key, entry in libraries.items():
        found = lines.get(key)
        line = found[0] if found else None  # the last one: libraries stand after the targets
        if not isinstance(entry, dict):
            out.skip(key, "the entry is not a table")
            continue
        kind = str(entry.get("type")).lower()
        name, _, version = key.rpartition("/")
        if kind in ("package", "runtimepack"):
            direct, _, via = graph.origin(key.lower())
            out.add(name.removeprefix(_RUNTIME_PACK), version, line, direct=direct, via=via)
        elif kind not in _OWN:
            out.skip(key, f"{NO_REGISTRY} (an assembly)")


def _graph(libraries: Table, targets: object) -> Graph:
    """What depends on what in any of the target frameworks; keys are in lower case, as NuGet compares."""
    graph = Graph()
    own = {key.lower() for key, entry in libraries.items() if _is_project(entry)}
    for target in targets.values() if isinstance(targets, dict) else ():
        for key, entry in target.items() if isinstance(target, dict) else ():
            needed = entry.get("dependencies") if isinstance(entry, dict) else None
            for name, version in needed.items() if isinstance(needed, dict) else ():
                if not isinstance(version, str):
                    continue
                child = f"{name}/{version}".lower()
                if key.lower() in own:
                    graph.ask(child, name)
                else:
                    graph.edge(key.lower(), child)
    graph.trace(complete=bool(own))
    return graph


def _is_project(entry: object) -> bool:
    return isinstance(entry, dict) and str(entry.get("type")).lower() in ("project", "msbuildproject")
