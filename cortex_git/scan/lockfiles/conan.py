"""Reads conan.lock: the graph that Conan 1 writes and the lists that Conan 2 writes.

What is needed only to build (tools, the Python code of recipes) counts as for development.
"""

import re
from collections.abc import Iterable

from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.origins import Graph, Origin
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, array, load_json, table

_LISTS = {"requires": False, "build_requires": True, "python_requires": True, "config_requires": True}
"""The lists of Conan 2, and whether what they hold is only for development."""
_REFERENCE = re.compile(r"([^/@#:%\s]+)/([^/@#:%\s]+)(?:[@#:%].*)?", re.DOTALL)
_REFERENCE_LINE = re.compile(r'^[ \t]*+\[?[ \t]*+(?:"p?ref"[ \t]*+:[ \t]*+)?"([^"\\\n]++)"', re.MULTILINE)


def read(source: Source, out: Collector) -> None:
    """Every reference, whatever its user and channel: a private recipe builds the same sources."""
    text = source.content_text()
    root = load_json(text)
    lines = _lines(text)
    if "graph_lock" in root:
        _read_graph(table(root["graph_lock"], "graph_lock"), lines, out)
        return
    if not root.keys() & _LISTS.keys():
        raise MalformedError("has neither graph_lock nor requires")
    for key, dev in _LISTS.items():
        for entry in array(root.get(key, []), key):
            reference = entry[0] if isinstance(entry, list) and entry else entry
            _add(reference, lines, out, Origin(dev=dev))


def _read_graph(graph_lock: Table, lines: dict[str, int], out: Collector) -> None:
    """The nodes of Conan 1; one with a path is the repository's own recipe."""
    nodes = table(graph_lock.get("nodes"), "nodes")
    own = {key for key, node in nodes.items() if isinstance(node, dict) and node.get("path")}
    graph = _graph(nodes, own)
    used = _used(nodes, own)
    for key, node in nodes.items():
        if not isinstance(node, dict):
            out.skip(key, "the entry is not a table")
            continue
        if key not in own:
            dev = key not in used if own else True if node.get("context") == "build" else None
            _add(_reference(node), lines, out, graph.origin(key)._replace(dev=dev))
        for entry in _texts(node.get("python_requires")):
            _add(entry, lines, out, Origin(key in own if own else None, dev=True))


def _graph(nodes: Table, own: set[str]) -> Graph:
    """What depends on what; without a recipe of the repository's own nothing is known to be asked for."""
    graph = Graph()
    names = {key: _name(_reference(node)) for key, node in nodes.items()}
    for key, node in nodes.items():
        for child in _edges(node, "requires", "build_requires"):
            if key not in own:
                graph.edge(key, child)
            elif name := names.get(child):
                graph.ask(child, name)
    graph.trace(complete=bool(own))
    return graph


def _used(nodes: Table, own: Iterable[str]) -> set[str]:
    """The nodes that the repository's own need to run, not only to be built."""
    reached: set[str] = set()
    pending = list(own)
    while pending:
        key = pending.pop()
        if key not in reached:
            reached.add(key)
            pending += _edges(nodes.get(key), "requires")
    return reached


def _edges(node: object, *kinds: str) -> list[str]:
    if not isinstance(node, dict):
        return []
    return [key for kind in kinds for key in _texts(node.get(kind))]


def _reference(node: object) -> object:
    return (node.get("ref") or node.get("pref")) if isinstance(node, dict) else None


def _name(reference: object) -> str:
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    return match.group(1) if match else ""


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _add(reference: object, lines: dict[str, int], out: Collector, origin: Origin) -> None:
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    if match is None or not isinstance(reference, str):
        out.skip(reference, "is not a Conan reference with a version")
    elif match.group(2).startswith("["):
        out.skip(reference, NO_EXACT_VERSION)
    else:
        out.add(match.group(1), match.group(2), lines.get(reference), **origin._asdict())


def _lines(text: str) -> dict[str, int]:
    """The 1-based line on which each reference stands first."""
    lines: dict[str, int] = {}
    line, at = 1, 0
    for match in _REFERENCE_LINE.finditer(text):
        line += text.count("\n", at, match.start(1))
        at = match.start(1)
        lines.setdefault(match.group(1), line)
    return lines
