"""Where the packages of a yarn.lock come from, of Yarn 1 and of Berry.

Yarn 1 needs the package.json beside the lockfile and those of its workspaces; Berry writes down what each
workspace asks for, and needs them only to tell what is for development.
"""

import posixpath
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase
from urllib.parse import unquote

from cortex_git.scan.lockfiles.asked import Asked, package_json, package_name, workspaces
from cortex_git.scan.lockfiles.needed import npm_needs
from cortex_git.scan.lockfiles.origins import UNKNOWN, Graph, Origin
from cortex_git.scan.lockfiles.source import Source
from cortex_git.scan.lockfiles.yarn_entries import METADATA, Entry, split

OriginOf = Callable[[Entry], Origin]


def origins_in_classic(entries: Iterable[Entry], source: Source) -> OriginOf:
    """Nothing is known without the package.json beside the lockfile."""
    own = package_json(source)
    if own is None:
        return lambda _: UNKNOWN
    found = _Patterns(entries)
    graph = found.graph()
    members = [own, *_members(source)]
    for asked in members:
        for name, wanted in asked.items():
            entry = found.find(name, wanted.wanted)
            if entry is not None:
                graph.ask(entry.line, name, wanted.dev)
    graph.trace(complete=len(members) > 1 or not workspaces(source))
    return lambda entry: graph.origin(entry.line)


def origins_in_berry(entries: Iterable[Entry], source: Source) -> OriginOf:
    """A workspace is an entry of its own, with all that it asks for."""
    found = _Patterns(entries)
    graph = found.graph(leaving_out=_workspace)
    manifests: dict[str, Asked | None] = {}
    for member in found.entries:
        folder = _workspace(member)
        if folder is None:
            continue
        path = posixpath.normpath(posixpath.join(folder, "package.json"))
        if path not in manifests:
            manifests[path] = package_json(source, path)
        asked = manifests[path]
        for name, wanted in member.dependencies.items():
            entry = found.find(name, wanted)
            if entry is not None and _workspace(entry) is None:
                known = None if asked is None else asked.get(name)
                graph.ask(entry.line, name, known.dev if known else None)
    graph.trace()
    return lambda entry: graph.origin(entry.line)


def unlisted(entries: Collection[Entry], source: Source) -> set[str]:
    """What some package or project needs and none is; Yarn lists whatever any platform may need.

    By name alone, as a resolution may have replaced the range; Yarn 1 does not list workspaces.
    """
    listed = {split(pattern)[0] for entry in entries for pattern in entry.patterns}
    needed = {name for entry in entries for name in entry.dependencies}
    members = {f"{folder}/package.json" for entry in entries if (folder := _workspace(entry))}
    for path in {"package.json", *members, *manifests_of_workspaces(source)}:
        needed |= npm_needs(source, path)
    needed -= listed
    return needed - set(_member_names(source)) if needed else needed


class _Patterns:
    """Finds the entry that answers for a dependency; an entry's line is its key in the graph."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = [entry for entry in entries if entry.key != METADATA]
        self._of_pattern = {pattern: entry for entry in self.entries for pattern in entry.patterns}
        self._of_name: dict[str, Entry | None] = {}
        for entry in self.entries:
            name = split(entry.key)[0]
            self._of_name[name] = None if name in self._of_name else entry

    def find(self, name: str, wanted: str) -> Entry | None:
        """By the pattern, which a resolution may have replaced: then by a name that there is once."""
        found = self._of_pattern.get(f"{name}@{wanted}") or self._of_pattern.get(f"{name}@npm:{wanted}")
        return found or self._of_name.get(name)

    def graph(self, leaving_out: Callable[[Entry], str | None] = lambda _: None) -> Graph:
        """The dependencies of every entry but the left-out ones."""
        graph = Graph()
        for entry in self.entries:
            if leaving_out(entry) is None:
                found = (self.find(name, wanted) for name, wanted in entry.dependencies.items())
                graph.edges(entry.line, [other.line for other in found if other is not None])
                original = self._patched(entry)
                if original is not None:
                    graph.edges(original.line, [entry.line])
        return graph

    def _patched(self, entry: Entry) -> Entry | None:
        """The entry of which this one is a patched copy, as Berry has it for what it patches itself."""
        _, reference = split(entry.key)
        if not reference.startswith("patch:"):
            return None
        return self._of_pattern.get(unquote(reference.removeprefix("patch:").partition("#")[0]))


def _workspace(entry: Entry) -> str | None:
    """The folder of a workspace, None for a package."""
    _, reference = split(entry.fields.get("resolution") or entry.key)
    return reference.removeprefix("workspace:") if reference.startswith("workspace:") else None


def _members(source: Source) -> Iterable[Asked]:
    """What the workspaces ask for whose package.json is in the repository."""
    for path in manifests_of_workspaces(source):
        asked = package_json(source, path)
        if asked is not None:
            yield asked


def _member_names(source: Source) -> Iterable[str]:
    for path in ("package.json", *manifests_of_workspaces(source)):
        name = package_name(source, path)
        if name is not None:
            yield name


def manifests_of_workspaces(source: Source) -> Iterable[str]:
    """The package.json of each workspace, relative to the lockfile."""
    folder = posixpath.dirname(source.path)
    globs = workspaces(source)
    named = [posixpath.normpath(glob) for glob in globs if not glob.startswith("!")]
    not_named = [posixpath.normpath(glob[1:]) for glob in globs if glob.startswith("!")]
    for path in source.manifests:
        inside = posixpath.relpath(posixpath.dirname(path), folder or ".")
        if any(_fits(inside, glob) for glob in named) and not any(_fits(inside, glob) for glob in not_named):
            yield posixpath.join(inside, "package.json")


def _fits(path: str, glob: str) -> bool:
    """Whether a glob of workspaces names the folder: `*` stops at a slash, `**` does not."""
    parts, wanted = path.split("/"), glob.split("/")
    if wanted[-1] == "**":
        return len(parts) >= len(wanted) - 1 and all(map(fnmatchcase, parts, wanted[:-1]))
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
