"""Reads package-lock.json (lockfileVersion 1, 2, 3) and npm-shrinkwrap.json.

Links and workspace members are the repository's own code and are left out. Must never recurse: the
version 1 tree is as deep as its author likes.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cortex_git.scan.lockfiles.asked import npm_asked, package_json
from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.needed import npm_needs
from cortex_git.scan.lockfiles.origins import UNKNOWN, Graph, Origin
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, load_json, object_lines, table

_KNOWN_VERSIONS = (1, 2, 3)
_MODULES = "node_modules/"
_LOCAL = ("file:", "link:")
_TARBALLS = (".tgz", ".tar.gz", ".tar")
_BROUGHT_IN = ("dependencies", "optionalDependencies")
_NEEDED = ("dependencies", "devDependencies")
_MAX_LOOKS = 3_000_000
"""Folders that are looked into for all dependencies together: real trees need two for each."""
_MAX_KEY = 1_024
_MAX_LEVELS = 64
"""Tables of version 1 inside each other that are looked into for one package."""


def read(source: Source, out: Collector) -> None:
    """Every package of the lockfile, hidden (bundled, optional, dev, peer) ones too."""
    text = source.content_text()
    root = load_json(text)
    version = root.get("lockfileVersion")
    if version is not None and version not in _KNOWN_VERSIONS:
        out.skip_file("is of a lockfileVersion that is not known")
    if "packages" in root:
        packages = table(root["packages"], "packages")
        _read_packages(packages, object_lines(text), out)
        out.unlisted(_unlisted(packages, source))
    elif "dependencies" in root:
        tree = table(root["dependencies"], "dependencies")
        _read_tree(tree, object_lines(text), source, out)
        out.unlisted(_needs(source) - tree.keys())
    elif version is None:
        raise MalformedError("has no lockfileVersion, packages or dependencies")
    else:
        out.unlisted(_needs(source))


def _read_packages(packages: Table, lines: dict[str, list[int]], out: Collector) -> None:
    origin = _origins(packages)
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
        direct, _, via = origin(key)
        dev = entry.get("dev") is True
        out.add(name, entry.get("version"), found[-1] if found else None, direct=direct, dev=dev, via=via)


def _unlisted(packages: Table, source: Source) -> set[str]:
    """What the project or one of its members needs, by the lockfile or the package.json, and none is."""
    needed = {name for name in _needs(source) if _MODULES + name not in packages}
    modules = _Modules(packages)
    for key in packages:
        if key and _MODULES not in key and not key.startswith("../"):
            names = npm_needs(source, f"{key}/package.json", dev=False)
            needed |= {name for name in names if modules.find(key, name) is None}
    root = packages.get("")
    if not isinstance(root, dict):
        return needed
    sections = _NEEDED[:1] if _is_published(source) else _NEEDED
    optional = set(_names(root, "optionalDependencies", "peerDependencies"))
    return needed | ({name for name in _names(root, *sections) if _MODULES + name not in packages} - optional)


def _needs(source: Source) -> set[str]:
    return npm_needs(source, dev=not _is_published(source))


def _is_published(source: Source) -> bool:
    """Whether it is a npm-shrinkwrap.json, which may lack what is for development."""
    return source.path.endswith("npm-shrinkwrap.json")


def _origins(packages: Table) -> Callable[[str], Origin]:
    """Where each package comes from; peers count only where nothing else brings a package in."""
    graph, modules = Graph(), _Modules(packages)
    for key, entry in packages.items():
        if not isinstance(entry, dict) or len(key) > _MAX_KEY:
            continue
        if _MODULES in key:
            graph.edges(key, modules.found_by(key, _names(entry, *_BROUGHT_IN)))
            continue
        for name in npm_asked(entry):
            found = modules.find(key, name)
            if found is not None and _MODULES in found:
                graph.ask(found, name)
    having_peers = [key for key, entry in packages.items() if _MODULES in key and _has_peers(key, entry)]
    graph.trace(complete="" in packages and modules.looks_left > 0)
    if having_peers and graph.unreached(key for key in packages if _MODULES in key):
        for key in having_peers:
            graph.edges(key, modules.found_by(key, _names(packages[key], "peerDependencies")))
        graph.trace(complete="" in packages and modules.looks_left > 0)
    return graph.origin


def _has_peers(key: str, entry: object) -> bool:
    return isinstance(entry, dict) and "peerDependencies" in entry and len(key) <= _MAX_KEY


def _names(entry: Table, *sections: str) -> Iterator[str]:
    for section in sections:
        found = entry.get(section)
        if isinstance(found, dict):
            yield from found


class _Modules:
    """Finds what node finds: a package's own modules first, then those of the folders above it."""

    def __init__(self, packages: Table) -> None:
        self._packages = packages
        self.looks_left = _MAX_LOOKS

    def found_by(self, key: str, names: Iterable[str]) -> list[str]:
        """The entries that the package at `key` finds by these names."""
        return [found for name in names if (found := self.find(key, name)) is not None]

    def find(self, key: str, name: str) -> str | None:
        """The entry that `require(name)` finds from the folder `key`; a link leads to its target."""
        folder = key
        while self.looks_left > 0:
            self.looks_left -= 1
            found = f"{folder}/{_MODULES}{name}" if folder else _MODULES + name
            entry = self._packages.get(found)
            if entry is not None:
                linked = isinstance(entry, dict) and entry.get("link") is True
                target = entry.get("resolved") if linked else None
                return target if isinstance(target, str) else found
            if not folder:
                break
            inner = folder.rpartition(_MODULES if _MODULES in folder else "/")[0]
            folder = inner.rstrip("/")
        return None


def _read_tree(dependencies: Table, lines: dict[str, list[int]], source: Source, out: Collector) -> None:
    origin = _tree_origins(dependencies, source)
    for _, name, entry in _walk(dependencies):
        found = lines.get(name)
        line = found.pop() if found else None
        if not isinstance(entry, dict):
            out.skip(name, "the entry is not a table")
            continue
        version = entry.get("version")
        if isinstance(version, str):
            _add_version_1(name, version, line, out, origin(entry)._replace(dev=entry.get("dev") is True))
        else:
            out.add(name, version, line)


def _tree_origins(dependencies: Table, source: Source) -> Callable[[Table], Origin]:
    """The same for the version 1 tree, which needs the package.json beside it to tell what is direct."""
    asked = package_json(source)
    if asked is None:
        return lambda _: UNKNOWN
    graph = Graph()
    above: dict[int, Table] = {}
    """By the id of a nested table the one that its package is in."""
    for level, _, entry in _walk(dependencies):
        if not isinstance(entry, dict):
            continue
        own = entry.get("dependencies")
        if isinstance(own, dict):
            above[id(own)] = level
        start = own if isinstance(own, dict) else level
        required = (_required(name, start, above) for name in _names(entry, "requires"))
        graph.edges(id(entry), [id(found) for found in required if found is not None])
    for name in asked:
        if isinstance(dependencies.get(name), dict):
            graph.ask(id(dependencies[name]), name)
    graph.trace()
    return lambda entry: graph.origin(id(entry))


def _required(name: str, level: Table, above: dict[int, Table]) -> Table | None:
    """The entry that a package finds by this name, in the innermost table first."""
    for _ in range(_MAX_LEVELS):
        found = level.get(name)
        if found is not None:
            return found if isinstance(found, dict) else None
        following = above.get(id(level))
        if following is None:
            return None
        level = following
    return None


def _walk(dependencies: Table) -> Iterator[tuple[Table, str, Any]]:
    """Every entry of the version 1 tree, with the table it is in, in document order, without recursion."""
    stack = [(dependencies, iter(dependencies.items()))]
    while stack:
        level, entries = stack[-1]
        name, entry = next(entries, (None, None))
        if name is None:
            stack.pop()
            continue
        yield level, name, entry
        nested = entry.get("dependencies") if isinstance(entry, dict) else None
        if isinstance(nested, dict):
            stack.append((nested, iter(nested.items())))


def _add_version_1(name: str, version: str, line: int | None, out: Collector, origin: Origin) -> None:
    """Version 1 keeps aliases, git and tarball addresses in the `version` field."""
    if version.startswith("npm:"):
        real, _, exact = version[4:].rpartition("@")
        out.add(real, exact, line, **origin._asdict())
    elif version.startswith(_LOCAL) and not version.endswith(_TARBALLS):
        return
    elif ":" in version or "/" in version:
        out.skip(name, "no exact version (not from a registry)")
    else:
        out.add(name, version, line, **origin._asdict())
