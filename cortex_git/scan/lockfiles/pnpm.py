"""Reads pnpm-lock.yaml of lockfileVersion 5, 6 and 9.

Works on YAML events, so that 16 MiB cost time and not memory. Must never expand an alias.
"""

import re
from dataclasses import dataclass, field

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.needed import npm_needs
from cortex_git.scan.lockfiles.origins import MAX_EDGES, Graph
from cortex_git.scan.lockfiles.source import MalformedError, Source, refuse_too_many_entries, yaml_events

_FIELDS = {
    ("name",): "name",
    ("version",): "version",
    ("resolution", "type"): "type",
    ("resolution", "directory"): "directory",
    ("dev",): "dev",
}
_ASKED = {"dependencies": False, "optionalDependencies": False, "devDependencies": True}
"""Sections of an importer, and whether they are for development."""
_BROUGHT_IN = ("dependencies", "optionalDependencies")
_LOCAL = ("link:", "file:", "workspace:")
_LOOKS_LIKE_A_VERSION = re.compile(r"\d+\.\d")


@dataclass(slots=True)
class _Entry:
    key: str
    line: int
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _File:
    """What of the file is kept."""

    version: str | None = None
    has_importers: bool = False
    entries: list[_Entry] = field(default_factory=list)
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    """Name, reference and whether it is for development, of what any importer asks for."""
    importers: dict[str, set[str]] = field(default_factory=lambda: {".": set()})
    """By the folder of each importer: the names that it asks for."""
    specified: set[tuple[str, str]] = field(default_factory=set)
    """Folder of the importer and name, of each range that is resolved somewhere in the file."""
    has_open_end: bool = False
    """Whether a key has nothing at all, which pnpm writes nowhere."""
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    """Key of a package, name and reference of what it depends on."""


def read(source: Source, out: Collector) -> None:
    """Every package of the lockfile; importers and local folders are the repository's own code."""
    file = _file(source.content_text())
    major = (file.version or "").partition(".")[0]
    if major not in ("5", "6", "9"):
        out.skip_file("is of a lockfileVersion that is not known")
    if major == "9" and not file.has_importers:
        out.skip_file("has no importers, so it may be cut off")
    nodes = {_node(entry.key) for entry in file.entries}
    if file.has_open_end:
        out.skip_file("ends in the middle of an entry")
    out.unlisted(_unlisted(file, nodes) | _left_out(file, source))
    graph = _graph(file, nodes)
    for entry in file.entries:
        if "directory" in entry.fields or entry.fields.get("type") == "directory":
            continue
        name, exact = _identity(entry.key)
        name = entry.fields.get("name", name)
        exact = entry.fields.get("version", exact)
        if exact is None or not _LOOKS_LIKE_A_VERSION.match(exact):
            out.skip(entry.key, "no exact version (not from a registry)")
        else:
            direct, dev, via = graph.origin(_node(entry.key))
            flag = entry.fields.get("dev")  # up to version 6
            dev = flag == "true" if flag in ("true", "false") else dev
            out.add(name, exact, entry.line, direct=direct, dev=dev, via=via)


def _unlisted(file: _File, nodes: set[str]) -> set[str]:
    """What some package or importer needs and none is; pnpm lists whatever any platform may need."""
    needed = [
        *((name, found) for _, name, found in file.edges),
        *((name, found) for name, found, _ in file.asked),
    ]
    return {
        name
        for name, reference in needed
        if not reference.startswith(_LOCAL) and _target(nodes, name, reference) not in nodes
    }


def _left_out(file: _File, source: Source) -> set[str]:
    """What the package.json of an importer needs, or it has the range of, and does not ask for."""
    ranges = {name for folder, name in file.specified if name not in file.importers.get(folder, ())}
    found = ((npm_needs(source, f"{folder}/package.json"), names) for folder, names in file.importers.items())
    return ranges | {name for needed, names in found for name in needed - names}


def _graph(file: _File, nodes: set[str]) -> Graph:
    """Packages by their keys without the leading slash, and without the peers of version 6 and later."""
    graph = Graph()
    for key, name, reference in file.edges:
        graph.edges(_node(key), [_target(nodes, name, reference)])
    for name, reference, dev in file.asked:
        if not reference.startswith(_LOCAL):
            graph.ask(_target(nodes, name, reference), name, dev)
    graph.trace(complete=bool(file.asked))
    return graph


def _node(key: str) -> str:
    return key.partition("(")[0].removeprefix("/")


def _target(nodes: set[str], name: str, reference: str) -> str:
    """The package that a dependency means: its version, or the whole key where its name is another."""
    plain = _node(reference)
    choices = (f"{name}@{plain}", f"{name}/{plain}", plain)
    return next((choice for choice in choices if choice in nodes), plain)


def _file(text: str) -> _File:
    """What is kept of all documents of the stream."""
    import yaml

    file = _File()
    path: list[str | None] = []  # the key at each open mapping, None while a key is awaited
    for event in yaml_events(text):
        kind = type(event)
        if kind is yaml.ScalarEvent:
            if not path or path[-1] is not None:
                file.has_open_end |= bool(path) and event.value == "" and not event.style
                _take(file, path, event.value)
                _value_done(path)
            else:
                path[-1] = event.value
                file.has_importers |= path == ["importers"]
                if len(path) == 2 and path[0] == "importers":
                    refuse_too_many_entries(file.importers)
                    file.importers.setdefault(event.value, set())
                if len(path) == 2 and path[0] == "packages":
                    refuse_too_many_entries(file.entries)
                    file.entries.append(_Entry(event.value, event.start_mark.line + 1))
        elif kind is yaml.MappingStartEvent:
            _refuse_complex_key(path, event)
            path.append(None)
        elif kind is yaml.SequenceStartEvent:
            _refuse_complex_key(path, event)
            if path == ["packages"]:
                raise MalformedError("packages is not a table")
            path.append("[]")
        elif isinstance(event, yaml.CollectionEndEvent):
            path.pop()
            _value_done(path)
    if file.version is None:
        raise MalformedError("has no lockfileVersion")
    return file


def _value_done(path: list[str | None]) -> None:
    if path and path[-1] != "[]":
        path[-1] = None


def _refuse_complex_key(path: list[str | None], event: object) -> None:
    if path and path[-1] is None:
        line = getattr(event, "start_mark").line + 1  # noqa: B009
        raise MalformedError(f"has a key that is not text (line {line})")


def _take(file: _File, path: list[str | None], value: str) -> None:
    """Keep the scalar at this path if it is of use."""
    top = path[0] if path else None
    if top == "packages" and len(path) == 1 and value not in ("", "~", "null"):
        raise MalformedError("packages is not a table")
    if path == ["lockfileVersion"]:
        file.version = value
    elif top in ("packages", "snapshots") and len(path) == 4 and path[2] in _BROUGHT_IN:
        if len(file.edges) < MAX_EDGES:
            file.edges.append((path[1] or "", path[3] or "", value))
    elif top == "packages":
        wanted = _FIELDS.get(tuple(path[2:]))  # type: ignore[arg-type]
        if wanted and value:
            file.entries[-1].fields.setdefault(wanted, value)
    elif top in ("importers", "specifiers") or top in _ASKED:
        folder = path[1] if top == "importers" and len(path) > 1 else "."
        _take_asked(file, folder or ".", path[2:] if top == "importers" else path, value)


def _take_asked(file: _File, folder: str, path: list[str | None], value: str) -> None:
    """`[section, name]` up to version 5, `[section, name, "version"]` later."""
    of_range = path[:1] == ["specifiers"] if len(path) == 2 else path[2:] == ["specifier"]
    if of_range and (path[0] == "specifiers" or path[0] in _ASKED):
        refuse_too_many_entries(file.specified)
        file.specified.add((folder, path[1] or ""))
    elif len(path) == 2 or (len(path) == 3 and path[2] == "version"):
        dev = _ASKED.get(path[0] or "")
        if dev is not None:
            refuse_too_many_entries(file.asked)
            file.asked.append((path[1] or "", value, dev))
            file.importers.setdefault(folder, set()).add(path[1] or "")


def _identity(key: str) -> tuple[str, str | None]:
    """Name and version of a dependency path, its peer suffix dropped.

    `/@scope/name/1.2.3_peer@1.0.0` (version 5), `/@scope/name@1.2.3(peer@1.0.0)` (6),
    `@scope/name@1.2.3` (9), and with a registry's host in front of the first slash in version 5.
    """
    plain = key.partition("(")[0]
    bare = plain.removeprefix("/")
    at = bare.find("@", 1)
    slash = bare.find("/", bare.find("/") + 1) if bare.startswith("@") else bare.find("/")
    if at > 0 and (slash < 0 or at < slash):
        return bare[:at], bare[at + 1 :]
    parts = bare.split("/")
    if len(parts) < 2:
        return bare, None
    scoped = len(parts) >= 3 and parts[-3].startswith("@")
    return "/".join(parts[-3 if scoped else -2 : -1]), parts[-1].partition("_")[0]
