"""Reads Cargo.lock of versions 1 to 4."""

from collections.abc import Callable, Hashable
from posixpath import dirname, relpath

from cortex_git.scan.lockfiles.asked import Crate, cargo_toml
from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.needed import cargo_inherited, cargo_needs
from cortex_git.scan.lockfiles.origins import Graph, Origin
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, array, header_lines, load_toml

_BESIDE = "Cargo.toml"


def read(source: Source, out: Collector) -> None:
    """Every crate with a source; those without one are workspace members or path dependencies."""
    text = source.content_text()
    root = load_toml(text)
    if not root.keys() & {"package", "version", "root"}:
        raise MalformedError("has neither package nor version")
    out.format_version(root.get("version"), ("1", "2", "3", "4"), "version")
    entries = array(root.get("package", []), "package")
    if not entries and "root" not in root:
        raise MalformedError("has no packages, not even the project's own")
    crates = [entry for entry in entries if isinstance(entry, dict)]
    listed = [*crates, root["root"]] if isinstance(root.get("root"), dict) else crates
    asking = _asking(source)
    out.unlisted(_unlisted(listed) | _left_out(listed, source, asking))
    origin = _origins(crates, asking)
    for entry, line in zip(entries, header_lines(text, "[[package]]", len(entries)), strict=True):
        if not isinstance(entry, dict):
            out.skip(entry, "the entry is not a table")
        elif "version" not in entry:
            out.skip(entry.get("name"), "the entry is cut off")
        elif "source" in entry:
            out.add(entry.get("name"), entry.get("version"), line, **origin(entry)._asdict())


def _origins(entries: list[Table], asking: dict[str, Crate]) -> Callable[[Table], Origin]:
    """What the crates without a source need is direct; their Cargo.toml tells what is for development."""
    only: dict[Hashable, Hashable] = {}
    """By name: the key of the crate where there is one of that name, else None."""
    for entry in entries:
        name = entry.get("name")
        if isinstance(name, str):
            only[name] = None if name in only else _key(entry)
    every = {_key(entry) for entry in entries}
    own = {_key(entry) for entry in entries if "source" not in entry}
    asked = {crate.name: crate.asked for crate in asking.values()}
    graph = Graph()
    for entry in entries:
        name = entry.get("name")
        known = asked.get(name, {}) if isinstance(name, str) else {}
        for needed, version in _dependencies(entry):
            key = only.get(needed) if version is None else (needed, version)
            if key not in every or key in own:
                continue
            if "source" in entry:
                graph.edge(_key(entry), key)
            else:
                graph.ask(key, needed, known[needed].dev if needed in known else None)
    graph.trace(complete=bool(own))
    return lambda entry: graph.origin(_key(entry))


def _unlisted(entries: list[Table]) -> set[str]:
    """What some crate needs and none is; Cargo lists whatever any platform or feature may need."""
    needed = {name for entry in entries for name, _ in _dependencies(entry)}
    return needed - {name for entry in entries if isinstance(name := entry.get("name"), str)}


def _left_out(entries: list[Table], source: Source, asking: dict[str, Crate]) -> set[str]:
    """What the crates of the repository need that are listed, or the one beside the lockfile, and none is."""
    names = {_folded(name) for entry in entries if isinstance(name := entry.get("name"), str)}
    inherited = cargo_inherited(source)
    needed = cargo_needs(source, _BESIDE, inherited)
    for path, crate in asking.items():
        if _folded(crate.name) in names:
            needed |= cargo_needs(source, path, inherited)
    return {name for name in needed if _folded(name) not in names}


def _folded(name: str) -> str:
    return name.replace("_", "-").lower()


def _key(entry: Table) -> Hashable:
    key = (entry.get("name"), entry.get("version"))
    return key if isinstance(key[0], str) and isinstance(key[1], str) else None


def _dependencies(entry: Table) -> list[tuple[str, str | None]]:
    """Name, and version where the name alone would be ambiguous, of `name version (source)`."""
    found = entry.get("dependencies")
    parts = [item.split(" ") for item in found if isinstance(item, str)] if isinstance(found, list) else []
    return [(words[0], words[1] if len(words) > 1 else None) for words in parts]


def _asking(source: Source) -> dict[str, Crate]:
    """The crates of the repository by the paths of their Cargo.toml, relative to the lockfile."""
    inside = [relpath(path, dirname(source.path) or ".") for path in source.manifests]
    crates = {path: cargo_toml(source, path) for path in (_BESIDE, *inside)}
    return {path: crate for path, crate in crates.items() if crate is not None}
