"""Where the components of a CycloneDX document come from, by its `dependencies`.

Must never call a component transitive where the document leaves a part of the graph out.
"""

from collections.abc import Callable
from typing import Any

from cortex_git.scan.lockfiles.components import package_name
from cortex_git.scan.lockfiles.origins import UNKNOWN, Graph, Origin
from cortex_git.scan.lockfiles.source import Table

_DEVELOPMENT = "cdx:npm:package:development"


def origins(root: Table, components: list[Table]) -> Callable[[Table], Origin]:
    """A function from a component to its origin; what the described component depends on is direct."""
    subject = _subject(root)
    needs = {
        ref: _texts(entry.get("dependsOn")) for ref, entry in _with_refs(root.get("dependencies"), "ref")
    }
    if subject is None or not needs.get(subject):
        return lambda entry: UNKNOWN._replace(dev=_development(entry))
    packages = [entry for entry in components if entry.get("purl")]
    known = dict(_with_refs(packages, "bom-ref"))
    graph = Graph()
    for ref, children in needs.items():
        if ref != subject:
            graph.edges(ref, children)
            continue
        for child in children:
            name = package_name(known[child].get("purl")) if child in known else None
            graph.ask(child, name or child)
    graph.trace(complete=len(known) == len(packages) and known.keys() <= needs.keys())

    def origin(entry: Table) -> Origin:
        ref = entry.get("bom-ref")
        found = graph.origin(ref) if isinstance(ref, str) else UNKNOWN
        return found._replace(dev=_development(entry))

    return origin


def _subject(root: Table) -> str | None:
    metadata = root.get("metadata")
    component = metadata.get("component") if isinstance(metadata, dict) else None
    ref = component.get("bom-ref") if isinstance(component, dict) else None
    return ref if isinstance(ref, str) else None


def _with_refs(entries: object, key: str) -> list[tuple[str, Table]]:
    found = entries if isinstance(entries, list) else []
    tables = [entry for entry in found if isinstance(entry, dict)]
    return [(entry[key], entry) for entry in tables if isinstance(entry.get(key), str)]


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _development(entry: Table) -> bool | None:
    """True where npm says so; other tools' silence means nothing."""
    properties: Any = entry.get("properties")
    if not isinstance(properties, list):
        return None
    said = {"name": _DEVELOPMENT, "value": "true"}
    return True if said in properties else None
