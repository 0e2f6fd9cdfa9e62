"""Where the packages of Python's lockfiles come from, by what each tool writes down about it.

Nodes are normalised names: two versions of one name, for different markers, come from the same places.
"""

from collections.abc import Callable, Collection, Iterable

from cortex_git.scan.lockfiles.asked import Asked, project_name, pyproject, python_name, requirement_names
from cortex_git.scan.lockfiles.needed import group_needs, project_needs
from cortex_git.scan.lockfiles.origins import UNKNOWN, Graph, Origin
from cortex_git.scan.lockfiles.source import Source, Table, as_table

OriginOf = Callable[[Table], Origin]
OriginsOf = Callable[[Table, list[Table], Source], OriginOf]
"""From the whole file and its packages."""


def poetry(_root: Table, entries: list[Table], source: Source) -> OriginOf:
    """`groups` (Poetry 2) and `category` (until 1.4) tell development; pyproject.toml what is direct."""
    found = _graph(entries, pyproject(source), lambda entry: _keys(entry.get("dependencies")))

    def origin(entry: Table) -> Origin:
        groups, category = entry.get("groups"), entry.get("category")
        known = found(entry)
        if isinstance(groups, list) and groups:
            return known._replace(dev="main" not in groups)
        return known._replace(dev=category != "main") if isinstance(category, str) else known

    return origin


def pdm(_root: Table, entries: list[Table], source: Source) -> OriginOf:
    """The `default` group is production; whether another is development, pyproject.toml tells."""
    found = _graph(entries, pyproject(source), lambda entry: _required(entry.get("dependencies")))

    def origin(entry: Table) -> Origin:
        groups, known = entry.get("groups"), found(entry)
        return known._replace(dev=False) if isinstance(groups, list) and "default" in groups else known

    return origin


def uv(root: Table, entries: list[Table], _source: Source) -> OriginOf:
    """The projects of the workspace are packages too, with all that they ask for."""
    manifest = as_table(root.get("manifest"))
    production = set(_listed(manifest.get("requirements")))
    development = set(_groups(manifest.get("dependency-groups")))
    own = [entry for entry in entries if is_own_in_uv(entry)]
    for entry in own:
        production |= {*_listed(entry.get("dependencies")), *_groups(entry.get("optional-dependencies"))}
        development |= set(_groups(entry.get("dev-dependencies")))
    graph = _edges(
        (entry for entry in entries if not is_own_in_uv(entry)),
        lambda entry: [*_listed(entry.get("dependencies")), *_groups(entry.get("optional-dependencies"))],
    )
    members = {_name(entry) for entry in own}
    for name in (production | development) - members:
        graph.ask(name, name, name not in production)
    graph.trace(complete=bool(own) or bool(development | production))
    return lambda entry: graph.origin(_name(entry))


def unlisted_in_uv(entries: list[Table]) -> set[str]:
    """What some package or project needs and none is; uv lists whatever any platform may need."""
    needed: set[str] = set()
    for entry in entries:
        needed |= {*_listed(entry.get("dependencies")), *_groups(entry.get("optional-dependencies"))}
        needed |= set(_groups(entry.get("dev-dependencies")))
    return needed - {_name(entry) for entry in entries}


def unlisted_in_pdm(entries: list[Table], source: Source) -> set[str]:
    """The same of PDM, which leaves out the project itself and what only other platforms need."""
    found = (entry.get("dependencies") for entry in entries)
    needed = (name for names in found if isinstance(names, list) for name in names if ";" not in str(name))
    return set(requirement_names(needed)) - {_name(entry) for entry in entries} - {project_name(source)}


def left_out(
    entries: list[Table], source: Source, tool: str, groups: Collection[str] | None = None
) -> set[str]:
    """What the pyproject.toml beside needs of this tool and none is: in the groups that are named, where
    `default` is the project itself, or in all."""
    needed = project_needs(source, tool=tool) if groups is None or "default" in groups else set()
    for group, names in group_needs(source, tool=tool).items():
        if groups is None or group in groups:
            needed |= names
    return needed - {_name(entry) for entry in entries}


def pylock(_root: Table, entries: list[Table], source: Source) -> OriginOf:
    """Few tools write the dependencies down; without them nothing is known of what is not asked for."""
    return _graph(entries, pyproject(source), lambda entry: _listed(entry.get("dependencies")))


def is_own_in_uv(entry: Table) -> bool:
    """Whether a package of uv.lock is a member of the workspace."""
    origin = entry.get("source")
    return isinstance(origin, dict) and any(kind in origin for kind in ("editable", "virtual", "directory"))


def _graph(entries: list[Table], asked: Asked | None, needs: Callable[[Table], Iterable[str]]) -> OriginOf:
    if asked is None:
        return lambda _: UNKNOWN
    graph = _edges(entries, needs)
    for name, wanted in asked.items():
        graph.ask(name, name, wanted.dev)
    graph.trace()
    return lambda entry: graph.origin(_name(entry))


def _edges(entries: Iterable[Table], needs: Callable[[Table], Iterable[str]]) -> Graph:
    graph = Graph()
    for entry in entries:
        graph.edges(_name(entry), needs(entry))
    return graph


def _name(entry: Table) -> str:
    name = entry.get("name")
    return python_name(name) if isinstance(name, str) else ""


def _keys(found: object) -> list[str]:
    return [python_name(name) for name in as_table(found)]


def _required(found: object) -> list[str]:
    return requirement_names(found) if isinstance(found, list) else []


def _listed(found: object) -> list[str]:
    """The names of a list of `{name = ...}`."""
    if not isinstance(found, list):
        return []
    names = (item.get("name") for item in found if isinstance(item, dict))
    return [python_name(name) for name in names if isinstance(name, str)]


def _groups(found: object) -> list[str]:
    """The names in all lists of a table."""
    return [name for group in as_table(found).values() for name in _listed(group)]
