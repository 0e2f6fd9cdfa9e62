"""Reads bun.lock, the text lockfile of Bun; the older binary bun.lockb is refused aloud.

Workspaces, links and folders are the repository's own code; git and tarballs are gaps.
"""

import re
from collections.abc import Iterable, Iterator

from cortex_git.scan.lockfiles.asked import npm_asked
from cortex_git.scan.lockfiles.collecting import NO_REGISTRY, Collector, shown
from cortex_git.scan.lockfiles.jsonc import array_lines, load_jsonc
from cortex_git.scan.lockfiles.origins import Graph, Origin
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, table

MAX_DEPTH = 16
"""Names in one key, which says below which packages another version lies; real trees are some five deep."""
_MAX_KEY = 1_024
MAX_NAMES = 500_000
"""Dependencies of dependencies that are looked up; what is beyond is not vouched for."""
_KNOWN_VERSIONS = (0, 1, 2)
_OWN = ("workspace:", "link:", "root:")
_FOLDERS = ("file:", "./", "../", "/")
_TARBALLS = (".tgz", ".tar.gz", ".tar")
_VERSION = re.compile(r"\d+\.\d")
_BROUGHT_IN = ("dependencies", "optionalDependencies")
_NAME = re.compile(r"@[^/]*/[^/]*|[^/]+")


def read(source: Source, out: Collector) -> None:
    """Every package of a registry; what the workspaces ask for is direct."""
    if source.path.endswith(".lockb"):
        raise MalformedError("is binary: `bun install --save-text-lockfile` writes the bun.lock that is read")
    text = source.content_text()
    root = load_jsonc(text)
    if root.get("lockfileVersion") not in _KNOWN_VERSIONS:
        out.skip_file("is of a lockfileVersion that is not known")
    if "packages" not in root and "workspaces" not in root:
        raise MalformedError("has neither packages nor workspaces")
    packages = table(root.get("packages", {}), "packages")
    graph = _graph(packages, table(root.get("workspaces", {}), "workspaces"))
    lines = array_lines(text)
    for key, entry in packages.items():
        _add(key, entry, lines.get(key), graph.origin(key), out)


def _add(key: str, entry: object, line: int | None, origin: Origin, out: Collector) -> None:
    identity = entry[0] if isinstance(entry, list) and entry else None
    if not isinstance(identity, str):
        out.skip(key, "the entry is not an array that begins with its name and version")
        return
    at = identity.find("@", 1)
    name, reference = (identity[:at], identity[at + 1 :]) if at > 0 else (identity, "")
    if name.startswith(_OWN) or reference.startswith(_OWN):
        return
    if _VERSION.match(reference):
        out.add(name, reference, line, **origin._asdict())
    elif reference.endswith(_TARBALLS) or not reference.startswith(_FOLDERS):
        out.skip(key, f"{NO_REGISTRY} ({shown(reference or 'no version')})")


def _graph(packages: Table, workspaces: Table) -> Graph:
    """What depends on what; peers count only where nothing else brings a package in."""
    graph = Graph()
    for path, workspace in workspaces.items():
        if isinstance(workspace, dict):
            home = workspace.get("name") if path else ""
            for name, wanted in npm_asked(workspace).items():
                nested = f"{home}/{name}"
                graph.ask(nested if home and nested in packages else name, name, wanted.dev)
    whole = all(len(key) <= _MAX_KEY and key.count("/") <= MAX_DEPTH for key in packages)
    whole = _add_edges(graph, packages, _BROUGHT_IN) and whole
    graph.trace(complete=whole)
    if graph.unreached(packages):
        whole = _add_edges(graph, packages, ("peerDependencies",)) and whole
        graph.trace(complete=whole)
    return graph


def _add_edges(graph: Graph, packages: Table, groups: Iterable[str]) -> bool:
    """Add what these groups name; False when there was too much of it."""
    left = MAX_NAMES
    for key, entry in packages.items():
        about = (
            next((item for item in entry if isinstance(item, dict)), {}) if isinstance(entry, list) else {}
        )
        tables = [found for group in groups if isinstance(found := about.get(group), dict)]
        if not tables or len(key) > _MAX_KEY:
            continue
        folders = list(_folders(key))
        for name in (name for found in tables for name in found):
            child = next((place for folder in folders if (place := folder + name) in packages), None)
            if child is not None:
                graph.edge(key, child)
            left -= 1
            if not left:
                return False
    return True


def _folders(key: str) -> Iterator[str]:
    """Where a package's dependencies may lie, the nearest first, as Node looks for them."""
    path = _NAME.findall(key)[:MAX_DEPTH]
    for depth in range(len(path), 0, -1):
        yield "/".join(path[:depth]) + "/"
    yield ""
